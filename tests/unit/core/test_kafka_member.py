"""The thread that reads from Kafka and the process that handles what it reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import pytest

from services.core.bus import kafka_member
from services.core.bus.kafka_member import Client, Fetched, Member, Place
from services.core.bus.port import Record

PLACE = ("lydia.test", 0)


class Scripted:
    """A client that has so many records at its second call and when it is given more, and notes what it is told."""

    def __init__(self, member: Member, head_start_s: float, records: int = 3) -> None:
        self.joined = True
        self.head_start_s = head_start_s
        self.asked: list[float] = []
        self.committed: list[int] = []
        self.refuses: Exception | None = None
        self.given = records
        self._gave = 0
        member.take([PLACE])

    def poll(self, timeout_s: float) -> Sequence[Fetched]:
        self.asked.append(time.monotonic())
        if len(self.asked) >= 2 and self._gave < self.given:
            new = range(self._gave, self.given)
            self._gave = self.given
            return [(PLACE, number, Record(PLACE[0], "room", b"")) for number in new]
        time.sleep(min(timeout_s, 0.001))
        return []

    def pause(self, places: Sequence[Place]) -> None: ...

    def resume(self, places: Sequence[Place]) -> None: ...

    def commit(self, offsets: Mapping[Place, int], told: Callable[[Exception | None], None], /) -> None:
        self.committed.append(offsets[PLACE])
        told(self.refuses)

    def close(self) -> None: ...


@pytest.mark.parametrize("head_start_s", [0.0, 0.3])
async def test_what_was_handed_over_is_handled_before_more_is_asked_for(head_start_s: float) -> None:
    member = Member(reader="a test", max_unfinished=100, drain_s=0.0)
    client = await joined(member, lambda: Scripted(member, head_start_s))
    await handle(member, 3)
    handled = time.monotonic()
    await asked_again(client)
    await member.leave()
    asked = client.asked
    assert asked[2] - asked[1] >= head_start_s
    assert head_start_s == 0.0 or asked[2] > handled


async def test_finished_work_is_gathered_before_it_is_committed_but_not_much_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_member, "COMMIT_S", 3600.0)
    most = kafka_member.COMMIT_RECORDS
    member = Member(reader="a test", max_unfinished=2 * most, drain_s=0.0)
    client = await joined(member, lambda: Scripted(member, 0.0, records=1))
    committed: list[list[int]] = []
    for more in (1, most - 1, 1):
        client.given += more if committed else 0
        await handle(member, more)
        await asked_again(client)
        committed.append(list(client.committed))
    await member.leave()
    assert committed == [[1], [1], [1, 1 + most]]


async def test_commits_that_fail_are_not_tried_again_at_once_however_much_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_member, "COMMIT_S", 3600.0)
    most = kafka_member.COMMIT_RECORDS
    member = Member(reader="a test", max_unfinished=2 * most, drain_s=0.0)
    client = await joined(member, lambda: Scripted(member, 0.0, records=1))
    await handle(member, 1)
    await asked_again(client)
    client.refuses = OSError("no coordinator")
    client.given += most
    await handle(member, most)
    await asked_again(client)
    await member.leave()
    assert client.committed == [1, 1 + most]


async def joined(member: Member, make: Callable[[], Scripted]) -> Scripted:
    clients: list[Scripted] = []

    def open_client(_: Member) -> Client:
        clients.append(make())
        return clients[0]

    await member.join(open_client, 5)
    return clients[0]


async def handle(member: Member, records: int) -> None:
    got = 0
    async for delivery in member:
        delivery.done()
        got += 1
        if got == records:
            break


async def asked_again(client: Scripted) -> None:
    """Returns when its thread has been round a few times since."""
    before = len(client.asked)
    while len(client.asked) < before + 3:  # noqa: ASYNC110 (no event tells what a thread did)
        await asyncio.sleep(0.005)
