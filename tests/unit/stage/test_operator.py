"""The operator has the say: what must be silent is silent, whoever could be told, and nothing is lost unseen."""

from __future__ import annotations

import asyncio

import pytest

from services.core import topics
from services.core.bus import BusUnavailable, Record
from services.core.envelope import seal, unseal
from services.core.events import (
    MODE_TAKEOVER,
    AudienceEvent,
    Chat,
    Control,
    Decision,
    MotionChunk,
    Mute,
    OperatorCause,
    Panic,
    Performed,
    Say,
    SetMode,
    Skip,
    Stop,
    Turn,
    VoiceChunk,
)
from services.core.settings import Stage as Settings
from services.core.state import Lease
from services.core.turns import epoch_key
from services.core.virtual_time import virtual_time
from services.stage.service import SAYS, NotNow, StageFull, Unsayable
from tests.unit.stage.test_stage import Theatre, of, received


def say(text: str) -> Control:
    return Control(say=Say(text=text))


def operators_turn(epoch: int, text: str) -> Turn:
    return Turn(turn_id=f"a{epoch}", room_id="a", epoch=epoch, operator=OperatorCause(text=text))


class Away:
    """The bus of a theatre does not take controls until it is back."""

    def __init__(self, theatre: Theatre) -> None:
        self._theatre, self._publish = theatre, theatre.bus.publish
        theatre.bus.publish = self._refuse  # type: ignore[method-assign]

    async def _refuse(self, *records: Record) -> None:
        if any(record.topic == topics.CONTROL for record in records):
            raise BusUnavailable("away")
        await self._publish(*records)

    def back(self) -> None:
        self._theatre.bus.publish = self._publish  # type: ignore[method-assign]


async def controls(theatre: Theatre) -> list[Control]:
    found = [unseal(record, Control) async for record in theatre.bus.read(topics.CONTROL)]
    return [control for control in found if not control.HasField("presence")]


@virtual_time
async def test_panic_silences_even_when_the_state_does_not_answer_and_is_told_when_it_does() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room) as renderer:
            await theatre.say("a", 1, 5)
            await asyncio.sleep(1)
            received(renderer)
            increment = theatre.state.increment

            async def never(key: str, *, at_least: int = 0, held: Lease | None = None) -> int:
                await asyncio.sleep(1_000)
                return at_least + len(key) + (held is not None)

            theatre.state.increment = never  # type: ignore[method-assign]
            panic = asyncio.create_task(stage.control("a", Control(panic=Panic()), issued_by="operator"))
            await asyncio.sleep(0.001)
            assert of("stop", received(renderer))
            assert not await panic
            assert room.status.panic
            theatre.state.increment = increment  # type: ignore[method-assign]
            await asyncio.sleep(10)
    assert [control.WhichOneof("action") for control in await controls(theatre)] == ["panic"]


@virtual_time
async def test_what_nobody_could_be_told_is_silent_all_the_same_and_told_as_soon_as_it_can_be() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a")) as renderer:
            await asyncio.sleep(1)
            away = Away(theatre)
            assert not await stage.control("a", Control(panic=Panic()), issued_by="operator")
            await theatre.say("a", 2_000_000_000, 1)  # audience knows nothing of it
            await asyncio.sleep(2)
            assert not of("voice", received(renderer))
            away.back()
            await asyncio.sleep(10)
    [told] = await controls(theatre)
    assert told.HasField("panic")
    assert not told.panic.released


@virtual_time
async def test_a_panic_that_is_still_to_be_told_does_not_come_back_after_its_release() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        away = Away(theatre)
        await stage.control("a", Control(panic=Panic()), issued_by="operator")
        away.back()
        assert await stage.control("a", Control(panic=Panic(released=True)), issued_by="operator")
        await asyncio.sleep(30)
        assert not room.status.panic
    assert [control.panic.released for control in await controls(theatre)] == [True]


@virtual_time
async def test_a_release_that_fails_does_not_keep_the_panic_from_being_told() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        away = Away(theatre)
        await stage.control("a", Control(panic=Panic()), issued_by="operator")
        with pytest.raises(BusUnavailable):
            await stage.control("a", Control(panic=Panic(released=True)), issued_by="operator")
        await asyncio.sleep(300)
        assert "a" in stage.rooms(), "nobody watches, but it is kept until all is told"
        away.back()
        await asyncio.sleep(30)
        assert room.status.panic
    assert [control.panic.released for control in await controls(theatre)] == [False]


@virtual_time
async def test_a_stop_that_is_told_late_stops_nothing_that_began_since() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a")) as renderer:
            away = Away(theatre)
            stop = Control(stop=Stop())
            assert not await stage.control("a", stop, issued_by="operator")
            received(renderer)
            await theatre.say("a", await theatre.state.increment(epoch_key("a")), 40, chunks=40)
            for second in range(30):
                await asyncio.sleep(1)
                assert not of("stop", received(renderer))
                if second == 5:
                    away.back()
    [told] = await controls(theatre)
    assert told.HasField("stop")


@virtual_time
async def test_a_release_of_which_nobody_could_be_told_releases_nothing() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        assert await stage.control("a", Control(panic=Panic()), issued_by="operator")
        away = Away(theatre)
        with pytest.raises(BusUnavailable):
            await stage.control("a", Control(panic=Panic(released=True)), issued_by="operator")
        assert room.status.panic
        away.back()
        assert await stage.control("a", Control(panic=Panic(released=True)), issued_by="operator")
        assert not room.status.panic


@virtual_time
async def test_while_she_is_muted_no_voice_is_taken_and_afterwards_it_is() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a")) as renderer:
            mute = Control(mute=Mute(muted=True))
            await stage.control("a", mute, issued_by="operator")
            await theatre.say("a", mute.epoch + 1, 1)
            await asyncio.sleep(2)
            assert not of("voice", received(renderer))
            await stage.control("a", Control(mute=Mute(muted=False)), issued_by="operator")
            await theatre.say("a", mute.epoch + 2, 1)
            await asyncio.sleep(2)
            assert {voice.epoch for voice in of("voice", received(renderer))} == {mute.epoch + 2}


@virtual_time
async def test_the_late_echo_of_its_own_order_changes_nothing() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        panic = Control(panic=Panic())
        await stage.control("a", panic, issued_by="operator")
        await stage.control("a", Control(panic=Panic(released=True)), issued_by="operator")
        await asyncio.sleep(1)
        await theatre.bus.publish(
            seal(topics.CONTROL, panic, event_id=panic.control_id, room_id="a", source="stage", now_ms=0)
        )
        await asyncio.sleep(1)
        assert not room.status.panic


@virtual_time
async def test_words_wait_in_sight_until_their_turn_comes() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a"), console=True) as console:
            for text in ("hello", "again"):
                await stage.control("a", say(text), issued_by="operator")
            assert list(of("status", received(console))[-1].says) == ["hello", "again"]
            await theatre.open_turn(operators_turn(1, "hello"))
            await asyncio.sleep(0.1)
            assert list(of("status", received(console))[-1].says) == ["again"]
            await stage.control("a", Control(panic=Panic()), issued_by="operator")
            assert not of("status", received(console))[-1].says


@virtual_time
async def test_words_that_could_not_be_said_are_refused_and_not_swallowed() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with pytest.raises(Unsayable) as found:
            await stage.control("a", say("大家加我微信 lydia2112"), issued_by="operator")
        assert "微信" not in str(found.value)
        for number in range(SAYS):
            await stage.control("a", say(f"text {number}"), issued_by="operator")
        with pytest.raises(NotNow):
            await stage.control("a", say("one too many"), issued_by="operator")
        await stage.control("a", Control(panic=Panic()), issued_by="operator")
        with pytest.raises(NotNow):
            await stage.control("a", say("not now"), issued_by="operator")
        assert not room.status.says
    assert sum(control.HasField("say") for control in await controls(theatre)) == SAYS


@virtual_time
async def test_who_takes_over_does_not_cut_off_their_own_words() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a")) as renderer:
            for epoch, cause, cut in ((1, "operator", False), (9, "audience", True)):
                turn = Turn(turn_id=f"a{epoch}", room_id="a", epoch=epoch, opened_at_ms=theatre.clock.now_ms())
                if cause == "operator":
                    turn.operator.text = "hello"
                else:
                    turn.audience.events.add(event_id="e", chat=Chat(text="?"))
                await theatre.open_turn(turn)
                await theatre.say("a", epoch, 3)
                await asyncio.sleep(1)
                received(renderer)
                await stage.control("a", Control(set_mode=SetMode(mode=MODE_TAKEOVER)), issued_by="operator")
                await asyncio.sleep(0.1)
                assert bool(of("stop", received(renderer))) == cut
                await asyncio.sleep(4)


@virtual_time
async def test_only_the_turn_that_the_operator_saw_is_skipped() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a")) as renderer:
            await theatre.say("a", 2, 3)
            await asyncio.sleep(1)
            received(renderer)
            with pytest.raises(NotNow):
                await stage.control("a", Control(skip=Skip(turn_id="a1")), issued_by="operator")
            assert not of("stop", received(renderer))
            await stage.control("a", Control(skip=Skip(turn_id="a2")), issued_by="operator")
            assert of("stop", received(renderer))


@virtual_time
async def test_refused_words_and_those_taken_back_go_to_operators_alone() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a")) as renderer:
            refused, taken_back, late = Decision.REASON_MODERATED, Decision.REASON_WITHDRAWN, Decision.REASON_EXPIRED
            for number, reason in enumerate((refused, taken_back, late)):
                event = AudienceEvent(event_id=str(number), chat=Chat(text="words"))
                decision = Decision(room_id="a", event_id=str(number), reason=reason, event=event)
                decision.outcome = Decision.OUTCOME_DROPPED
                await theatre.bus.publish(
                    seal(topics.DECISIONS, decision, event_id=f"d{number}", room_id="a", source="test", now_ms=0)
                )
            await asyncio.sleep(0.1)
            assert [d.event.chat.text for d in of("decision", received(renderer))] == ["", "", "words"]
        assert {d.event.chat.text for d in stage.queue("a")[1]} == {"words"}


@virtual_time
async def test_whoever_opens_a_room_has_those_who_wait_told_again() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        await stage.open("a")
        await stage.open("a")
        await asyncio.sleep(1)
    found = [unseal(record, Control) async for record in theatre.bus.read(topics.CONTROL)]
    assert [control.presence.opened for control in found] == [True]


@virtual_time
async def test_frames_of_another_version_are_put_aside_and_the_show_goes_on() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a")) as renderer:
            strange = MotionChunk(room_id="a", turn_id="a1", epoch=1, frame_rate=30, frame_count=1)
            half = VoiceChunk(room_id="a", turn_id="a1", epoch=1, pcm_s16le=b"\1", text="hm")
            for topic, event in ((topics.FRAMES, strange), (topics.VOICE, half)):
                await theatre.bus.publish(
                    seal(topic, event, event_id=f"strange {topic}", room_id="a", source="test", now_ms=0)
                )
            await asyncio.sleep(1)
            await theatre.say("a", 2, 1)
            await asyncio.sleep(2)
            assert of("voice", received(renderer))
    for topic in (topics.FRAMES, topics.VOICE):
        assert len([record async for record in theatre.bus.read(topics.dead(topic))]) == 1
        assert await theatre.bus.lag(topic, "stage") == 0


@virtual_time
async def test_a_full_room_does_not_lock_its_operator_out() -> None:
    theatre = Theatre(Settings(max_renderers=1))
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room):
            with pytest.raises(StageFull), stage.joined(room):
                pass
            with stage.joined(room, console=True):
                pass


@virtual_time
async def test_rooms_that_were_only_looked_at_make_room_for_an_operator_and_for_a_turn() -> None:
    theatre = Theatre(Settings(max_rooms=2))
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("looked at")) as onlooker:
            await stage.open("looked at too")
            with pytest.raises(StageFull):
                await stage.open("one more")
            await stage.control("a", Control(mute=Mute()), issued_by="operator")
            assert set(stage.rooms()) == {"looked at", "a"}
            await theatre.say("b", 1, 1)
            await asyncio.sleep(0.1)
            assert set(stage.rooms()) == {"a", "b"}
            assert onlooker.lost
            await theatre.say("c", 1, 1)
            await asyncio.sleep(2)
    [refused] = await theatre.performed("c")
    assert (refused.state, refused.reason) == (Performed.STATE_FAILED, "full")
    assert [report.state for report in await theatre.performed("b")][-1] == Performed.STATE_FINISHED
