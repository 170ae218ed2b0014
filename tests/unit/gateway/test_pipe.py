"""The plugin's events come as JSON lines; nothing of them is lost while the bus is away."""

from __future__ import annotations

import asyncio
import json

import pytest

from services.core.virtual_time import virtual_time
from services.gateway.douyin_items import Items, PipeItems
from services.gateway.douyin_pipe import MAX_LINE_BYTES, Pipe
from tests.unit.gateway.world import GIFTS, ROOM, World, comment


def line(*numbers: int) -> bytes:
    items = [comment(number) | {"msg_type": 2, "msg_type_str": "live_comment"} for number in numbers]
    return json.dumps({"type": "event", "eventName": "OPEN_LIVE_DATA", "params": {"payload": items}}).encode() + b"\n"


async def read(world: World, lines: asyncio.StreamReader) -> None:
    await Pipe(world.gateway, PipeItems(Items(GIFTS)), world.clock, world.telemetry).read(lines, ROOM)


def stream(*parts: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    for part in parts:
        reader.feed_data(part)
    reader.feed_eof()
    return reader


async def taken(world: World) -> list[str]:
    return [event.message_id for event in await world.bus.audience()]


@virtual_time
async def test_every_line_is_taken_whatever_stands_between_them() -> None:
    world = World()
    await read(world, stream(line(1), b"\r\n", b"noise\n", b'{"type":"response"}\n', b"[]\n", line(2, 3)[:-1]))
    assert await taken(world) == ["c1", "c2", "c3"]
    assert [letter.value for letter in await world.bus.dead()] == [b"noise\n", b"[]\n"]


@virtual_time
async def test_a_line_without_end_costs_only_itself() -> None:
    world = World()
    await read(world, stream(line(1), b"x" * (MAX_LINE_BYTES + 10) + b"\n", line(2)))
    assert await taken(world) == ["c1", "c2"]


@pytest.mark.parametrize("path", ["/", "/" + "x" * MAX_LINE_BYTES], ids=["short", "longer than a line may be"])
def test_what_a_page_in_a_browser_sends_to_the_port_is_not_taken(path: str, caplog: pytest.LogCaptureFixture) -> None:
    @virtual_time
    async def run() -> None:
        world = World()
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:9000\r\ncontent-type: text/plain\r\n\r\n"
        await read(world, stream(head.encode(), b"\n", line(1)))
        assert await world.bus.audience() == []
        assert await world.bus.dead() == []
        reason = "http" if path == "/" else "too_large"
        counted = {"platform": "douyin", "reason": reason}
        assert world.telemetry.metrics.registry.get_sample_value("lydia_gateway_refused_total", counted) == 1

    run()
    assert "POST" not in caplog.text


@virtual_time
async def test_while_the_bus_is_away_the_forwarder_waits() -> None:
    world = World()
    world.bus.away = True
    reading = asyncio.create_task(read(world, stream(line(1), line(2))))
    await asyncio.sleep(30)
    assert not reading.done()
    world.bus.away = False
    await reading
    assert await taken(world) == ["c1", "c2"]


@virtual_time
async def test_an_event_that_the_webhook_brings_too_is_one_event() -> None:
    world = World()
    await world.push("live_comment", [comment(1), comment(2)])
    await read(world, stream(line(2, 3)))
    assert await taken(world) == ["c1", "c2", "c3"]
    assert [event.transport for event in await world.bus.audience()] == ["webhook", "webhook", "pipe"]
