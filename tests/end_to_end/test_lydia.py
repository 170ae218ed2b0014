"""Lydia as a person starts her: one process, everything real."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from deploy.local.process import free_port
from loadtests.process import Process, lydia
from loadtests.renderer import Renderer, watching
from loadtests.spans import Collector, collecting
from services.gateway.douyin import sign

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUSH_SECRETS = {"live_comment": "comment-secret", "live_gift": "gift-secret"}
ANSWER_S = 20.0


@dataclass
class Running:
    """One Lydia for all tests of this file, and what she tells her collector."""

    process: Process
    client: httpx.AsyncClient
    collector: Collector


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    settings = {
        # The voice that never falls behind, however busy the machine: these tests listen for gaps.
        "LYDIA_SPEECH__OWN_VOICE": "fast",
        "LYDIA_DOUYIN__PUSH_SECRETS": str(PUSH_SECRETS),
        "LYDIA_RECORD_DIR": str(tmp_path_factory.mktemp("records")),
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    async with collecting() as collector:
        settings["LYDIA_TELEMETRY__OTLP_ENDPOINT"] = collector.endpoint
        data_dir = tmp_path_factory.mktemp("lydia") / "data"
        async with lydia(data_dir, settings) as process, process.client() as client:
            yield Running(process, client, collector)


async def until(condition: object, renderer: Renderer, seconds: float = ANSWER_S) -> None:
    """Waits for something that a renderer sees."""
    assert callable(condition)
    deadline = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < deadline, "it did not happen in time"
        await renderer.wait(0.2)


async def write(running: Running, room_id: str, text: str) -> str:
    body = {"viewer": {"id": "u1", "name": "Mei"}, "text": text}
    answer = await running.client.post(f"/rooms/{room_id}/messages", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["event_id"])


async def test_a_typed_message_is_answered_with_voice_and_frames(running: Running) -> None:
    async with watching(running.process.address, "typed") as renderer:
        event_id = await write(running, "typed", "你好，你是谁呀？")
        await until(lambda: event_id in renderer.first_voice, renderer)
        await until(lambda: not renderer.speaking, renderer)
        assert renderer.voice_samples > 24_000
        assert renderer.gaps == 0
        assert renderer.late_frames == 0


async def test_a_signed_douyin_gift_is_thanked_and_a_forged_one_refused(running: Running) -> None:
    room_id = "7214015683695250235"
    item = {"msg_id": "g1", "sec_openid": "_000abc", "sec_gift_id": "FAKE==", "gift_num": 1, "gift_value": 8880}
    gift = json.dumps([item | {"nickname": "张三", "timestamp": int(time.time() * 1000)}]).encode()
    headers = {
        "x-nonce-str": os.urandom(8).hex(),
        "x-timestamp": str(int(time.time() * 1000)),
        "x-roomid": room_id,
        "x-msg-type": "live_gift",
        "content-type": "application/json",
    }
    signature = sign(headers, gift, PUSH_SECRETS["live_gift"])
    async with watching(running.process.address, room_id) as renderer:
        forged = await running.client.post(
            "/platforms/douyin/push", content=gift + b" ", headers={**headers, "x-signature": signature}
        )
        assert forged.status_code == 401
        taken = await running.client.post(
            "/platforms/douyin/push", content=gift, headers={**headers, "x-signature": signature}
        )
        assert taken.status_code == 200, taken.text
        await until(lambda: renderer.speaking, renderer)
        assert len(renderer.spoken_events) == 1
    assert (await running.client.head("/platforms/douyin/push")).status_code == 200


async def test_two_rooms_never_hear_each_other(running: Running) -> None:
    async with (
        watching(running.process.address, "left") as left,
        watching(running.process.address, "right") as right,
    ):
        first, second = await write(running, "left", "讲个笑话"), await write(running, "right", "who are you")
        await until(lambda: first in left.first_voice, left)
        await until(lambda: second in right.first_voice, right)
        assert first not in right.spoken_events
        assert second not in left.spoken_events


async def test_panic_is_for_operators_and_silences_at_once(running: Running) -> None:
    async with watching(running.process.address, "panic") as renderer:
        await write(running, "panic", "给我讲个故事吧")
        await until(lambda: renderer.speaking, renderer)
        control = "/rooms/panic/control"
        stranger = await running.client.post(control, json={"action": "panic"}, headers={"authorization": "Bearer x"})
        assert stranger.status_code == 401
        assert (await running.client.post(control, json={"action": "panic"})).status_code == 202
        await until(lambda: renderer.stops, renderer)
        heard = renderer.voice_samples
        held = await write(running, "panic", "还在吗？")
        await renderer.wait(1.5)
        assert renderer.voice_samples == heard
        released = await running.client.post(control, json={"action": "panic", "released": True})
        assert released.status_code == 202
        await until(lambda: held in renderer.first_voice or renderer.speaking, renderer)
        assert renderer.late_frames == 0


EDGES = (
    ("receive direct", "process lydia.audience"),
    ("process lydia.audience", "open turn"),
    ("open turn", "process lydia.turns"),
    ("process lydia.turns", "process lydia.text"),
    ("process lydia.text", "infer speech"),
    ("infer speech", "process lydia.voice"),
    ("process lydia.voice", "process lydia.frames"),
    ("infer speech", "perform first frame"),
)


async def test_one_message_is_one_trace_from_the_gateway_to_the_first_frame(running: Running) -> None:
    async with watching(running.process.address, "traced") as renderer:
        event_id = await write(running, "traced", "你会唱歌吗？")
        await until(lambda: event_id in renderer.first_voice, renderer)
    deadline = time.perf_counter() + ANSWER_S
    while len(roots := _roots(spans := _trace_of(running.collector, "traced"))) != 1:
        # A span is told when it ends, so for a while children are there without their parents.
        assert time.perf_counter() < deadline, f"the trace never came whole: {[span.name for span in roots]}"
        await asyncio.sleep(0.1)
    by_id = {span.span_id: span for span in spans}
    edges = {(_step(by_id[span.parent_span_id]), _step(span)) for span in spans if span.parent_span_id in by_id}
    assert set(EDGES) <= edges
    written = " ".join(str(span) for span in spans)
    assert "Mei" not in written
    assert "唱歌" not in written


def _step(span: Span) -> str:
    """What was done, whichever of her voices did it: the best one may still be loading."""
    return "infer speech" if span.name.startswith("infer speech.") else span.name


def _roots(spans: list[Span]) -> list[Span]:
    known = {span.span_id for span in spans}
    return [span for span in spans if span.parent_span_id not in known]


def _trace_of(collector: Collector, room_id: str) -> list[Span]:
    """All spans of the trace that reached the stage in this room; empty while it is not complete."""
    wanted = {name for edge in EDGES for name in edge}
    for spans in collector.traces.values():
        rooms = {a.value.string_value for span in spans for a in span.attributes if a.key == "lydia.room_id"}
        if rooms == {room_id} and wanted <= {_step(span) for span in spans}:
            return spans
    return []


async def test_the_queue_the_status_and_the_metrics_are_there_for_those_who_watch(running: Running) -> None:
    async with watching(running.process.address, "watched") as renderer:
        event_id = await write(running, "watched", "你喜欢吃什么？")
        await until(lambda: event_id in renderer.first_voice, renderer)
        queue = (await running.client.get("/rooms/watched/queue")).json()
        chosen = [d for d in queue["recent"] if d["event_id"] == event_id and d["outcome"] == "OUTCOME_CHOSEN"]
        assert chosen
        assert chosen[0]["reason"]
        assert queue["status"]["speech_rung"]
    metrics = (await running.client.get("/metrics")).text
    assert 'lydia_first_voice_seconds_count{lane="chat"}' in metrics
    assert "lydia_decisions_total" in metrics


async def test_another_sites_page_can_neither_listen_nor_be_mistaken_for_hers(running: Running) -> None:
    strange = await running.client.get("/readyz", headers={"host": "evil.example"})
    assert strange.status_code == 400
    stage = await running.client.get("/rooms/typed")
    assert stage.status_code == 200
    assert "default-src 'none'" in stage.headers["content-security-policy"]


async def test_a_second_lydia_on_the_same_data_or_port_is_refused_with_the_mend(running: Running) -> None:
    environment = os.environ | {"LYDIA_DATA_DIR": str(running.process.data_dir)}
    port = running.process.address.split(":")[1]
    for variables, told in (
        ({"LYDIA_HTTP__PORT": port}, "LYDIA_HTTP__PORT="),
        ({"LYDIA_HTTP__PORT": "0"}, "LYDIA_DATA_DIR"),
    ):
        done = await asyncio.to_thread(_lydia, environment | variables)
        assert done.returncode == 1
        assert told in done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()


async def test_a_wrong_setting_is_refused_before_anything_starts(tmp_path: Path) -> None:
    environment = os.environ | {"LYDIA_DATA_DIR": str(tmp_path / "data"), "LYDIA_STAGE__LEAD_MS": "soon"}
    done = await asyncio.to_thread(_lydia, environment)
    assert done.returncode == 2
    assert "LYDIA_STAGE__LEAD_MS" in done.stderr.decode()
    assert "soon" in done.stderr.decode()
    assert not (tmp_path / "data").exists()


async def test_ctrl_c_ends_everything_and_a_recorded_room_replays_to_the_same_decisions(tmp_path: Path) -> None:
    settings = {"LYDIA_RECORD_DIR": str(tmp_path / "records")}
    async with lydia(tmp_path / "data", settings) as process, process.client() as client:
        async with watching(process.address, "replayed") as renderer:
            for number in range(5):
                body = {"viewer": {"id": f"u{number}", "name": "Mei"}, "text": f"你好呀{number}"}
                await client.post("/rooms/replayed/messages", json=body)
            await until(lambda: renderer.speaking, renderer)
        family = _family(process.child.pid)
        assert len(family) >= 3  # Redis and the voice have processes of their own
    assert process.child.returncode == 0
    assert not _alive(family)
    logs = list((tmp_path / "records").rglob("*replayed*"))
    assert logs
    for file in logs:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "services.cli", "replay", str(file)],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


def _lydia(environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "services.cli", "up"]
    environment.setdefault("LYDIA_HTTP__PORT", str(free_port()))
    return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)


def _alive(family: list[int]) -> list[int]:
    return [pid for pid in family if Path(f"/proc/{pid}").exists()]


def _family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *[member for child in children for member in _family(int(child))]]
