"""What `make cluster` starts: a message goes all the way through real servers and six processes, and each of them says
what it misses, waits for it, and stops without cutting a sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from websockets.exceptions import ConnectionClosed

from deploy.local.cluster import Cluster
from deploy.local.spans import Seen
from loadtests.renderer import Renderer, watching
from services.core.events import Performed
from services.core.state.schema import ends_within_s
from services.core.turns import heard_key
from services.names import NAMES, Name
from tests.contract.listening import until
from tests.integration.cluster.conftest import TOKEN

pytestmark = pytest.mark.asyncio(loop_scope="package")

ANSWER_S = 60.0
Place = tuple[str, str]
"""A service and a span of it."""
CAME_FROM: dict[Place, set[Place | None]] = {
    ("gateway", "receive direct"): {None},
    ("audience", "process lydia.audience"): {("gateway", "receive direct")},
    ("audience", "open turn"): {("audience", "process lydia.audience")},
    ("chat", "process lydia.turns"): {("audience", "open turn")},
    ("triton", "serve chat.persona"): {("chat", "process lydia.turns")},
    ("speech", "process lydia.text"): {("chat", "process lydia.turns")},
    ("speech", "infer speech.espeak"): {("speech", "process lydia.text")},
    ("triton", "serve speech.espeak"): {("speech", "infer speech.espeak")},
    ("motion", "process lydia.voice"): {("speech", "infer speech.espeak"), ("speech", "process lydia.text")},
    ("motion", "infer motion.rules"): {("motion", "process lydia.voice")},
    ("triton", "serve motion.rules"): {("motion", "infer motion.rules")},
    ("stage", "process lydia.voice"): {("speech", "infer speech.espeak"), ("speech", "process lydia.text")},
    ("stage", "process lydia.frames"): {("motion", "process lydia.voice")},
    ("stage", "perform first frame"): {("speech", "infer speech.espeak"), ("speech", "process lydia.text")},
}
"""Each span of a message's trace, and what it may come from."""


def address(made: Cluster) -> str:
    return made.url.removeprefix("http://")


def client(made: Cluster) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=made.url, headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=20
    )


async def write(made: Cluster, room_id: str, text: str) -> str:
    async with client(made) as http:
        body = {"viewer": {"id": "u1", "name": "Mei"}, "text": text}
        answer = await http.post(f"/rooms/{room_id}/messages", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["event_id"])


async def seen(renderer: Renderer, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(ANSWER_S):
        while not condition():
            await renderer.wait(0.5)


async def all_ready(made: Cluster) -> bool:
    return not await made.unready()


async def answered(made: Cluster, room_id: str, text: str) -> None:
    """She answers a message aloud."""
    async with watching(address(made), room_id) as renderer:
        event_id = await write(made, room_id, text)
        await seen(renderer, lambda: event_id in renderer.first_voice)
        await seen(renderer, lambda: not renderer.speaking)


async def test_a_message_to_the_front_becomes_voice_and_frames_on_the_stage(made: Cluster) -> None:
    async with watching(address(made), "lydia") as renderer:
        event_id = await write(made, "lydia", "你是谁？")
        await seen(renderer, lambda: event_id in renderer.first_voice)
        await seen(renderer, lambda: not renderer.speaking)
        assert renderer.spoken_events[event_id] == 1
        assert renderer.voice_samples > 24_000
        assert renderer.late_frames == 0


async def test_pages_console_and_metrics_are_where_one_process_has_them(made: Cluster) -> None:
    async with client(made) as http:
        page = await http.get("/rooms/lydia")
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await http.get("/", follow_redirects=False)).headers["location"] == "/rooms/lydia"
        assert (await http.get("/console")).status_code == 200
        assert (await http.get("/rooms")).status_code == 200
        assert (await http.get("/rooms", headers={"authorization": "Bearer wrong"})).status_code == 401
        assert (await http.get("/readyz")).json() == {"status": "ready"}
        assert (await http.head("/platforms/douyin/push")).status_code == 200

        async def every_service_is_read() -> bool:
            text = (await http.get("/metrics")).text
            return all(f'instance="{name}"' in text for name in NAMES) and "lydia_records_handled_total" in text

        await until(every_service_is_read)


async def test_one_message_is_one_trace_from_process_to_process(made: Cluster) -> None:
    await one_trace(made)


async def one_trace(made: Cluster) -> None:
    """A message's trace goes through all processes, edge by edge."""
    async with watching(address(made), "traced") as renderer:
        event_id = await write(made, "traced", "你喜欢吃什么？")
        await seen(renderer, lambda: event_id in renderer.first_voice)
    found: dict[Place, set[Place | None]] = {}

    async def all_spans_came() -> bool:
        found.clear()
        for span, parent in edges(made, event_id):
            found.setdefault(span, set()).add(parent)
        return all(found.get(span, {None}) <= parents for span, parents in CAME_FROM.items())

    with contextlib.suppress(TimeoutError):  # what is missing says more
        await until(all_spans_came)
    assert {
        span: found.get(span) for span, parents in CAME_FROM.items() if not found.get(span, {None}) <= parents
    } == {}


def edges(made: Cluster, event_id: str) -> list[tuple[Place, Place | None]]:
    """Of the event's trace: each span and its parent, None for one that is not there."""
    assert made.spans is not None
    for trace in made.spans.traces.values():
        if any(_message_id(each) == event_id and each.service == "lydia-gateway" for each in trace):
            by_id = {each.span.span_id: _place(each) for each in trace}
            return [(_place(each), by_id.get(each.span.parent_span_id)) for each in trace]
    return []


def _place(each: Seen) -> Place:
    return each.service.removeprefix("lydia-"), each.span.name


def _message_id(each: Seen) -> str:
    return next((a.value.string_value for a in each.span.attributes if a.key == "messaging.message.id"), "")


async def test_every_key_that_a_show_leaves_in_redis_is_known_and_ends(made: Cluster) -> None:
    for number in range(3):
        await write(made, "lydia", f"你好呀{number}")
    await answered(made, "busy", "讲个笑话")
    redis = Redis.from_url(_redis(made))
    left = {key.decode(): await redis.ttl(key) async for key in redis.scan_iter(count=1000)}
    await redis.aclose()
    assert len(left) > 10
    left = {key: ends for key, ends in left.items() if ends != -2}  # gone meanwhile
    assert {key: ends for key, ends in left.items() if not 0 <= ends <= (ends_within_s(key) or -1)} == {}


def _redis(made: Cluster) -> str:
    port = getattr(made.servers["redis"], "port", 0)
    return f"redis://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("server", "told", "who"),
    [
        ("redis", "Redis at redis://127.0.0.1", NAMES),
        ("kafka", "Kafka at 127.0.0.1", NAMES),
        ("triton", "Triton at 127.0.0.1", ("chat", "speech", "motion")),
    ],
)
async def test_who_needs_a_server_says_so_while_it_hangs_and_goes_on_afterwards(
    made: Cluster, server: str, told: str, who: tuple[Name, ...]
) -> None:
    if server not in made.servers:
        pytest.skip(f"{server} is not one of our own")
    await until(lambda: all_ready(made))
    made.servers[server].suspend()
    try:

        async def they_say_so() -> bool:
            unready = await made.unready()
            return unready.keys() == set(who) and all(told in because for because in unready.values())

        await until(they_say_so)
        async with client(made) as http:
            assert (await http.get("/healthz")).status_code == 200

            async def the_front_says_so() -> bool:
                return (await http.get("/readyz")).status_code == 503

            await until(the_front_says_so)
    finally:
        made.servers[server].resume()
    await until(lambda: all_ready(made))
    assert all(service.running for service in made.services.values())
    await answered(made, f"after-{server}", "who are you")


async def test_redis_is_killed_and_started_again_and_the_services_go_on_by_themselves(made: Cluster) -> None:
    await made.servers["redis"].kill()
    await made.servers["redis"].start()
    await until(lambda: all_ready(made))
    await answered(made, "after-kill", "你是谁？")


async def test_a_stage_that_is_to_stop_finishes_what_it_performs(made: Cluster) -> None:
    stage = made.services["stage"]
    try:
        async with watching(address(made), "drained") as renderer:
            event_id = await write(made, "drained", "讲个笑话")
            await seen(renderer, lambda: event_id in renderer.first_voice)
            os.kill(stage.pid, signal.SIGTERM)
            await seen(renderer, lambda: not renderer.speaking)
            async with asyncio.timeout(30):
                await stage.ended()
    except* ConnectionClosed:  # the stage has gone
        pass
    await stage.kill()  # what it started, if anything
    redis = Redis.from_url(_redis(made))
    stored: Any = await redis.get(heard_key("drained"))
    await redis.aclose()
    performed = Performed.FromString(stored)
    assert performed.state == Performed.STATE_FINISHED
    assert performed.heard_samples == renderer.voice_samples
    assert renderer.gaps == 0
    assert "stops before it has finished" not in stage.log.read_text()
    await stage.start()
    await until(lambda: all_ready(made))
    await answered(made, "drained", "你喜欢吃什么？")


async def test_what_dies_is_named_and_started_again(made: Cluster) -> None:
    said: list[str] = []
    watch = asyncio.create_task(made.watch(said.append), name="watch")
    try:
        await asyncio.sleep(0)
        os.kill(made.services["motion"].pid, signal.SIGKILL)

        async def it_is_back() -> bool:
            return any(line.startswith("motion is there again") for line in said)

        await until(it_is_back)
        await until(lambda: all_ready(made))
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
    assert said[0].startswith("motion has died; starting it again in 0.5 s.")
    await answered(made, "lydia", "who are you")
