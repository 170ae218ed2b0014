"""Killed at any point between two effects and started again, the service thanks every gift exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from services.core.bus.port import Record
from services.core.events import Control, Decision, Stop
from services.core.settings import Audience as Policy
from services.core.state.port import Change, Lease
from services.core.turns import epoch_key
from services.core.virtual_time import run, virtual_time
from tests.unit.audience.house import House

POLICY = Policy(quiet_s=3600, thanks_at_once=2, interrupt_fen=1000)


class Mortal:
    """Passes the effects of the audience service on, until it dies before or after the n-th: then nothing more happens.

    Effects are changes of the state, epochs, publications and finished records.
    """

    def __init__(self, house: House, *, dies_at: int, after: bool) -> None:
        self._house = house
        self._left = dies_at
        self._after = after
        self.dead = asyncio.Event()
        self.effects = 0

    async def apply(self, *changes: Change, held: Lease | None = None) -> None:
        await self._before()
        await self._house.state.apply(*changes, held=held)
        await self._afterwards()

    async def increment(self, key: str, *, at_least: int = 0, held: Lease | None = None) -> int:
        await self._before()
        number = await self._house.state.increment(key, at_least=at_least, held=held)
        await self._afterwards()
        return number

    async def publish(self, *records: Record) -> None:
        await self._before()
        await self._house.bus.publish(*records)
        await self._afterwards()

    async def get(self, key: str) -> bytes | None:
        return await self._house.state.get(key)

    async def known(self, *keys: str) -> frozenset[str]:
        return await self._house.state.known(*keys)

    async def fields(self, key: str) -> Mapping[str, bytes]:
        return await self._house.state.fields(key)

    def __getattr__(self, name: str) -> object:
        return getattr(self._house.bus, name)

    async def _before(self) -> None:
        self.effects += 1
        self._left -= 1
        if self.dead.is_set() or (self._left == 0 and not self._after):
            await self._die()

    async def _afterwards(self) -> None:
        if self._left == 0:
            await self._die()

    async def _die(self) -> None:
        self.dead.set()
        await asyncio.Event().wait()


async def gifts_and_talk(house: House) -> list[str]:
    """A few lively seconds: gifts small and large, a combo, chat, and a stop in the middle of thanks."""
    await house.chat("开始聊天吧大家", "zoe")
    ids = [(await house.gift(10, f"giver{i}")).event_id for i in range(4)]
    await asyncio.sleep(0.3)
    ids.append((await house.gift(5000, "rich")).event_id)
    for _ in range(3):
        ids.append((await house.gift(10, "combo", combo="c1")).event_id)
        await asyncio.sleep(0.5)
    await house.chat("你叫什么名字？", "ann")
    await asyncio.sleep(0.2)
    epoch = await house.state.increment(epoch_key("a"))
    await house.control(Control(epoch=epoch, stop=Stop()))
    ids.append((await house.gift(10, "last")).event_id)
    return ids


async def show(dies_at: int, *, after: bool) -> tuple[House, list[str], int]:
    house = House(POLICY)
    mortal = Mortal(house, dies_at=dies_at, after=after)
    stage = asyncio.create_task(house.stage.run())
    try:
        first = asyncio.create_task(house.audience(mortal, mortal).run())  # type: ignore[arg-type]
        talk = asyncio.create_task(gifts_and_talk(house))
        death = asyncio.create_task(mortal.dead.wait())
        await asyncio.wait({first, death}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        death.cancel()
        ids = await talk
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        async with house.running(stage=False):
            await asyncio.sleep(60)
    finally:
        stage.cancel()
        await asyncio.gather(stage, return_exceptions=True)
    return house, ids, mortal.effects


def effects() -> int:
    _, _, number = run(show(10**9, after=False))
    return number


@pytest.mark.parametrize("after", [False, True])
def test_every_gift_is_thanked_exactly_once_wherever_the_process_dies(after: bool) -> None:
    number = effects()
    assert number > 40
    for dies_at in range(1, number + 1):
        house, ids, _ = run(show(dies_at, after=after))
        heard = {event_id: house.stage.heard[event_id] for event_id in ids}
        assert heard == dict.fromkeys(ids, 1), f"died {'after' if after else 'before'} effect {dies_at}: {heard}"
        run(decided(house, ids))


async def decided(house: House, ids: list[str]) -> None:
    fates: dict[str, Decision] = {decision.event_id: decision for decision in await house.decisions()}
    answered = (Decision.OUTCOME_CHOSEN, Decision.OUTCOME_MERGED)
    assert all(fates[event_id].outcome in answered for event_id in ids)


@virtual_time
async def test_records_delivered_a_second_time_change_nothing() -> None:
    house = House(POLICY)
    async with house.running():
        ids = await gifts_and_talk(house)
        await asyncio.sleep(30)
    turns = len(await house.turns())
    house.bus._groups.pop("audience")  # all offsets are forgotten
    async with house.running():
        await asyncio.sleep(60)
    assert len(await house.turns()) == turns
    assert [house.stage.heard[event_id] for event_id in ids] == [1] * len(ids)
