"""The thread that reads from Kafka and the process that handles what it reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import pytest

from services.core.bus.kafka_member import Client, Fetched, Member, Place
from services.core.bus.port import Record

PLACE = ("lydia.test", 0)


class Scripted:
    """A client that has records at its second call, and notes when it is asked."""

    def __init__(self, member: Member, head_start_s: float) -> None:
        self.joined = True
        self.head_start_s = head_start_s
        self.asked: list[float] = []
        member.take([PLACE])

    def poll(self, timeout_s: float) -> Sequence[Fetched]:
        self.asked.append(time.monotonic())
        if len(self.asked) == 2:
            return [(PLACE, number, Record(PLACE[0], "room", b"")) for number in range(3)]
        time.sleep(min(timeout_s, 0.001))
        return []

    def pause(self, places: Sequence[Place]) -> None: ...

    def resume(self, places: Sequence[Place]) -> None: ...

    def commit(self, _offsets: Mapping[Place, int], told: Callable[[Exception | None], None], /) -> None:
        told(None)

    def close(self) -> None: ...


@pytest.mark.parametrize("head_start_s", [0.0, 0.3])
async def test_what_was_handed_over_is_handled_before_more_is_asked_for(head_start_s: float) -> None:
    member = Member(reader="a test", max_unfinished=100, drain_s=0.0)
    clients: list[Scripted] = []

    def open_client(member: Member) -> Client:
        clients.append(Scripted(member, head_start_s))
        return clients[0]

    await member.join(open_client, 5)
    got = 0
    async for delivery in member:
        delivery.done()
        got += 1
        if got == 3:
            break
    handled = time.monotonic()
    while len(clients[0].asked) < 5:  # noqa: ASYNC110 (no event tells what a thread did)
        await asyncio.sleep(0.005)
    await member.leave()
    asked = clients[0].asked
    assert asked[2] - asked[1] >= head_start_s
    assert head_start_s == 0.0 or asked[2] > handled
