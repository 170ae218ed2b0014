"""The speech service speaks turns in order, steps down its ladder visibly, and stops at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import pytest

from services.core import topics
from services.core.bus import MemoryBus
from services.core.clock import LoopClock
from services.core.envelope import seal, unseal
from services.core.events import Control, OperatorCause, Phoneme, Stop, TextSegment, Turn, VoiceChunk
from services.core.ids import derived
from services.core.inference import InProcess, Model, ModelFailed, ModelLoading
from services.core.state import MemoryState
from services.core.telemetry import Telemetry
from services.core.virtual_time import virtual_time
from services.speech.service import Speech


class Voice:
    """Speaks pieces of so many seconds, each after so many seconds; a None breaks off."""

    def __init__(self, name: str, *pieces: tuple[float, float] | None, ready: bool = True) -> None:
        self.name = name
        self.pieces = pieces or ((0.0, 0.5),)
        self.asked: list[str] = []
        self.told_of_turns = 0
        self.cancelled = 0
        self._ready = ready

    async def ready(self) -> bool:
        return self._ready

    async def stream(self, request: TextSegment) -> AsyncIterator[VoiceChunk]:
        self.asked.append(request.text)
        self.told_of_turns += request.HasField("turn")
        at = 0
        for piece in self.pieces:
            if piece is None:
                raise ModelFailed("broken")
            wait, seconds = piece
            try:
                await asyncio.sleep(wait)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            samples = round(seconds * 24_000)
            yield VoiceChunk(
                start_sample=at,
                pcm_s16le=np.full(samples, 7, "<i2").tobytes(),
                phonemes=[Phoneme(ipa="ɑ", start_sample=at, end_sample=at + samples)],
                rung=self.name,
            )
            at += samples


class Room:
    """The service between a bus in memory and voices that do as they are told."""

    def __init__(self, *voices: Voice, speed: float = 1.0) -> None:
        self.clock = LoopClock()
        self.bus, self.state = MemoryBus(), MemoryState(self.clock)
        self.telemetry = Telemetry("test")
        models: dict[str, Model] = {f"speech.{voice.name}": voice for voice in voices}
        self.inference = InProcess(models)
        self.speech = Speech(
            self.bus, self.state, self.inference, self.clock, self.telemetry, rungs=tuple(models), speed=speed
        )

    async def say(self, *texts: str, room: str = "a", epoch: int = 1, last: bool = True) -> None:
        for sequence, text in enumerate(texts):
            segment = TextSegment(
                room_id=room,
                turn_id=f"{room}{epoch}",
                epoch=epoch,
                sequence=sequence,
                text=text,
                last=last and sequence == len(texts) - 1,
            )
            event_id = derived("text", segment.turn_id, sequence)
            await self.bus.publish(
                seal(topics.TEXT, segment, event_id=event_id, room_id=room, source="test", now_ms=self.clock.now_ms())
            )

    async def stop(self, *, room: str = "a", epoch: int) -> None:
        control = Control(control_id=f"stop{epoch}", room_id=room, epoch=epoch, stop=Stop())
        await self.bus.publish(
            seal(topics.CONTROL, control, event_id=f"stop{epoch}", room_id=room, source="test", now_ms=0)
        )

    async def heard(self, room: str = "a") -> list[VoiceChunk]:
        return [unseal(r, VoiceChunk) async for r in self.bus.read(topics.VOICE) if r.key == room]

    async def ids(self) -> list[str]:
        return [record.headers["ce_id"] async for record in self.bus.read(topics.VOICE)]

    def metric(self, name: str, **labels: str) -> float:
        return self.telemetry.metrics.registry.get_sample_value(name, labels) or 0.0

    async def work(self, seconds: float) -> None:
        """Lets the service work for a while, then ends it."""
        task = asyncio.create_task(self.speech.run())
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def rungs(chunks: Sequence[VoiceChunk]) -> list[str]:
    return [chunk.rung for chunk in chunks]


def seconds(chunks: Sequence[VoiceChunk]) -> float:
    return sum(len(chunk.pcm_s16le) for chunk in chunks) / 2 / 24_000


@pytest.mark.parametrize("speed", [1.0, 10.0])
@virtual_time
async def test_a_long_turn_is_not_made_long_before_it_can_be_heard(speed: float) -> None:
    room = Room(Voice("espeak", (0.0, 4.0)), speed=speed)
    await room.say(*"一二三四五")
    task = asyncio.create_task(room.speech.run())
    for heard_s, made_s in ((0.5, 4), (3, 8), (7, 12), (20, 20)):
        await asyncio.sleep(heard_s / speed - room.clock.monotonic())
        assert seconds(await room.heard()) == pytest.approx(made_s)
    task.cancel()


@virtual_time
async def test_a_turn_is_spoken_segment_after_segment_without_gaps() -> None:
    room = Room(Voice("espeak"))
    await room.say("一", "二", "三")
    await room.work(1)
    chunks = await room.heard()
    assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
    assert [chunk.text for chunk in chunks if chunk.last_of_segment] == ["一", "二", "三"]
    assert [chunk.segment_start_sample for chunk in chunks if chunk.last_of_segment] == [0, 12_000, 24_000]
    assert chunks[-1].last
    assert seconds(chunks) == pytest.approx(1.5)
    assert await room.bus.lag(topics.TEXT, "speech") == 0


@virtual_time
async def test_the_first_chunk_is_published_before_the_segment_is_finished() -> None:
    room = Room(Voice("slow", (0.1, 0.2), (0.1, 5.0)))
    await room.say("一")
    task = asyncio.create_task(room.speech.run())
    await asyncio.sleep(0.15)
    (first,) = await room.heard()
    task.cancel()
    assert len(first.pcm_s16le) == 4_800
    assert room.metric("lydia_speech_first_chunk_seconds_count") == 1
    assert room.metric("lydia_speech_first_chunk_seconds_sum") == pytest.approx(0.1)


@virtual_time
async def test_a_turn_spoken_again_after_a_crash_has_the_same_chunks_under_the_same_ids() -> None:
    chunks: list[list[VoiceChunk]] = []
    ids: list[list[str]] = []
    for _ in range(2):
        room = Room(Voice("espeak"))
        await room.say("一", "二")
        await room.work(1)
        chunks.append(await room.heard())
        ids.append(await room.ids())
    assert chunks[0] == chunks[1]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


@virtual_time
async def test_what_was_heard_before_a_crash_is_made_again_at_once() -> None:
    room = Room(Voice("espeak", (0.0, 4.0)))
    await room.say(*"一二三四五六")
    await room.work(9)
    before = seconds(await room.heard())
    again = Speech(room.bus, room.state, room.inference, room.clock, Telemetry("test"), rungs=("speech.espeak",))
    await asyncio.sleep(5)
    task = asyncio.create_task(again.run())
    await asyncio.sleep(0.1)
    task.cancel()
    made = dict(zip(await room.ids(), await room.heard(), strict=True))
    assert seconds(list(made.values())) > before, "she goes on where she was"


@virtual_time
async def test_a_segment_that_comes_twice_is_spoken_once() -> None:
    voice = Voice("espeak")
    room = Room(voice)
    await room.say("一", "二", last=False)
    await room.say("一", "二", "三")
    await room.work(1)
    assert voice.asked == ["一", "二", "三"]
    assert [chunk.text for chunk in await room.heard() if chunk.last_of_segment] == ["一", "二", "三"]


@virtual_time
async def test_a_turn_that_is_written_again_in_fewer_segments_is_still_closed() -> None:
    room = Room(Voice("espeak"))
    await room.say("一", "二", last=False)
    await room.say("别的")
    await room.work(1)
    chunks = await room.heard()
    assert [chunk.text for chunk in chunks if chunk.last_of_segment] == ["一", "二", ""]
    assert chunks[-1].last
    assert await room.bus.lag(topics.TEXT, "speech") == 0


@virtual_time
async def test_an_empty_last_segment_closes_the_turn() -> None:
    room = Room(Voice("espeak"))
    await room.say("一", "")
    await room.work(1)
    chunks = await room.heard()
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].pcm_s16le == b""
    assert chunks[-1].start_sample == 12_000


@virtual_time
async def test_when_a_rung_fails_the_next_one_speaks_and_the_first_one_rests() -> None:
    best, next_best = Voice("best", None), Voice("espeak")
    room = Room(best, next_best)
    await room.say("一", "二")
    await room.work(1)
    assert set(rungs(await room.heard())) == {"espeak"}
    assert best.asked == ["一"]
    assert next_best.asked == ["一", "二"]
    assert room.metric("lydia_rung_failed_total", service="speech", rung="speech.best") == 1
    assert room.metric("lydia_rung_used_total", service="speech", rung="speech.espeak") == 1


@virtual_time
async def test_a_rung_that_rested_is_tried_again() -> None:
    best = Voice("best", None)
    room = Room(best, Voice("espeak"))
    await room.say("一")
    task = asyncio.create_task(room.speech.run())
    await asyncio.sleep(6)
    best.pieces = ((0.0, 0.5),)
    await room.say("二", epoch=2)
    await asyncio.sleep(1)
    task.cancel()
    assert rungs(await room.heard())[-1] == "best"


@virtual_time
async def test_a_rung_that_breaks_off_is_followed_by_one_that_says_all_of_it() -> None:
    room = Room(Voice("best", (0.0, 0.3), None), Voice("espeak"))
    await room.say("一")
    await room.work(1)
    chunks = await room.heard()
    assert rungs(chunks)[0] == "best"
    assert rungs(chunks)[-1] == "espeak"
    assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
    assert seconds(chunks) == pytest.approx(0.8)
    assert chunks[-1].phonemes[-1].start_sample == 7_200


@virtual_time
async def test_a_rung_slower_than_its_sound_steps_down_for_the_next_segment() -> None:
    slow = Voice("best", *[(0.3, 0.2)] * 20)
    room = Room(slow, Voice("espeak"))
    await room.say("一", "二")
    await room.work(8)
    assert slow.asked == ["一"]
    assert rungs(await room.heard())[-1] == "espeak"
    assert room.metric("lydia_rung_failed_total", service="speech", rung="speech.best") == 1
    assert room.metric("lydia_speech_real_time_ratio_sum", rung="speech.best") == pytest.approx(1.5)


@virtual_time
async def test_a_rung_that_is_late_but_keeps_up_is_kept() -> None:
    late = Voice("best", (0.4, 0.5), *[(0.1, 0.5)] * 4)
    room = Room(late, Voice("espeak"))
    await room.say("一", "二")
    await room.work(3)
    assert late.asked == ["一", "二"]


@virtual_time
async def test_a_rung_that_hangs_is_given_up() -> None:
    room = Room(Voice("best", (3_600.0, 1.0)), Voice("espeak"))
    await room.say("一")
    await room.work(11)
    assert set(rungs(await room.heard())) == {"espeak"}


@virtual_time
async def test_the_natural_voice_is_given_up_within_a_second_when_the_machine_cannot_carry_it() -> None:
    room = Room(Voice("natural", (0.1, 0.3), (5.0, 1.0)), Voice("espeak"))
    await room.say("一")
    await room.work(1.5)
    chunks = await room.heard()
    assert (rungs(chunks)[0], rungs(chunks)[-1]) == ("natural", "espeak")
    assert chunks[-1].last
    assert room.metric("lydia_rung_failed_total", service="speech", rung="speech.natural") == 1


@virtual_time
async def test_the_next_voice_is_asked_before_the_natural_one_is_given_up_so_that_she_speaks_at_once() -> None:
    fast = Voice("espeak", (0.3, 1.0))
    room = Room(Voice("natural", (3_600.0, 1.0)), fast)
    await room.say("一")
    await room.work(0.7)
    assert set(rungs(await room.heard())) == {"espeak"}
    assert fast.asked == ["一"]


@virtual_time
async def test_what_only_waits_for_its_chunk_to_fill_does_not_put_off_the_next_voice() -> None:
    room = Room(Voice("natural", (0.1, 3.4), (3_600.0, 1.0)), Voice("espeak"))
    await room.say("一")
    await room.work(3.3)  # 2.5 s of the sound are out, from 0.1 s on
    assert rungs(await room.heard())[-1] == "espeak"


@virtual_time
async def test_a_natural_voice_that_is_only_late_is_heard_alone_and_nothing_goes_on_beside_it() -> None:
    fast = Voice("espeak", (1.0, 1.0))
    room = Room(Voice("natural", (0.5, 1.0)), fast)
    await room.say("一")
    await room.work(2)
    assert set(rungs(await room.heard())) == {"natural"}
    assert (fast.asked, fast.cancelled) == (["一"], 1)
    assert room.metric("lydia_rung_failed_total", service="speech", rung="speech.natural") == 0


@virtual_time
async def test_the_voice_that_was_asked_early_may_break_as_well() -> None:
    room = Room(Voice("natural", (3_600.0, 1.0)), Voice("espeak", None), Voice("captions"))
    await room.say("一")
    await room.work(1)
    assert set(rungs(await room.heard())) == {"captions"}
    assert room.metric("lydia_rung_failed_total", service="speech", rung="speech.espeak") == 1


@virtual_time
async def test_a_voice_that_is_ahead_of_its_sound_may_take_longer_for_the_next_piece() -> None:
    room = Room(Voice("natural", (0.1, 3.0), (2.0, 1.0)), Voice("espeak"))
    await room.say("一")
    await room.work(3)
    assert set(rungs(await room.heard())) == {"natural"}


class Hesitant(Voice):
    """Takes longer than its second segment lasts, most of it before it begins."""

    async def stream(self, request: TextSegment) -> AsyncIterator[VoiceChunk]:
        if request.sequence == 1:
            await asyncio.sleep(3.7)
        async for piece in super().stream(request):
            yield piece


@virtual_time
async def test_what_will_be_heard_only_later_may_be_made_later() -> None:
    natural = Hesitant("natural", *[(0.1, 0.5)] * 8)
    room = Room(natural, Voice("espeak"))
    await room.say("一", "二")
    await room.work(10)
    assert natural.asked == ["一", "二"]
    assert set(rungs(await room.heard())) == {"natural"}
    assert room.metric("lydia_rung_failed_total", service="speech", rung="speech.natural") == 0


@virtual_time
async def test_a_rung_that_is_still_loading_is_passed_by_and_does_not_rest() -> None:
    class Loading(Voice):
        loading = True

        async def stream(self, request: TextSegment) -> AsyncIterator[VoiceChunk]:
            if self.loading:
                raise ModelLoading("not yet")
            async for piece in super().stream(request):
                yield piece

    best = Loading("natural")
    room = Room(best, Voice("espeak"))
    await room.say("一")
    task = asyncio.create_task(room.speech.run())
    await asyncio.sleep(0.1)
    best.loading = False
    await room.say("二", epoch=2)
    await asyncio.sleep(0.1)
    task.cancel()
    chunks = await room.heard()
    assert {chunk.rung for chunk in chunks if chunk.epoch == 1} == {"espeak"}
    assert {chunk.rung for chunk in chunks if chunk.epoch == 2} == {"natural"}
    assert room.metric("lydia_rung_failed_total", service="speech", rung="speech.natural") == 0


@virtual_time
async def test_an_interruption_in_the_middle_of_a_segment_cancels_the_model_and_silences_the_turn() -> None:
    voice = Voice("espeak", *[(0.1, 0.2)] * 50)
    room = Room(voice)
    await room.say("一", "二")
    task = asyncio.create_task(room.speech.run())
    await asyncio.sleep(1.05)
    await room.stop(epoch=2)
    await asyncio.sleep(0.001)
    before = await room.heard()
    assert voice.cancelled == 1
    await asyncio.sleep(5)
    assert await room.heard() == before
    assert voice.asked == ["一"]
    await room.say("三", epoch=2)
    await asyncio.sleep(6)
    task.cancel()
    after = [chunk for chunk in await room.heard() if chunk.epoch == 2]
    assert (after[0].sequence, after[0].start_sample, after[-1].last) == (0, 0, True)
    assert await room.bus.lag(topics.TEXT, "speech") == 0


@virtual_time
async def test_what_a_turn_answers_goes_with_its_first_voice_and_no_model_hears_of_it() -> None:
    voice = Voice("good", (0.0, 0.5), (0.0, 0.5))
    room = Room(voice)
    turn = Turn(turn_id="a1", room_id="a", epoch=1, operator=OperatorCause(text="一句。"))
    segment = TextSegment(room_id="a", turn_id="a1", epoch=1, text="一句。", last=True, turn=turn)
    await room.bus.publish(seal(topics.TEXT, segment, event_id="t", room_id="a", source="test", now_ms=0))
    await room.work(1)
    first, *others = await room.heard()
    assert first.turn == turn
    assert others
    assert not any(chunk.HasField("turn") for chunk in others)
    assert (voice.asked, voice.told_of_turns) == (["一句。"], 0)


@virtual_time
async def test_nothing_is_kept_of_turns_that_are_over_or_dead() -> None:
    room = Room(Voice("espeak"))
    task = asyncio.create_task(room.speech.run())
    for epoch in range(1, 6):
        await room.say("一", "二", epoch=epoch)
    await room.say("三", epoch=6, last=False)
    await asyncio.sleep(1)
    progress: dict[str, Any] = room.speech._progress
    assert list(progress) == ["a6"]
    await room.stop(epoch=7)
    await asyncio.sleep(1)
    task.cancel()
    assert not progress


@virtual_time
async def test_two_rooms_speak_at_once_and_keep_apart() -> None:
    room = Room(Voice("espeak", (0.5, 1.0)))
    await room.say("一", "二", room="a")
    await room.say("三", "四", room="b")
    await room.work(1.2)
    heard = {name: await room.heard(name) for name in "ab"}
    assert [chunk.text for chunk in heard["a"] if chunk.last_of_segment] == ["一", "二"]
    assert [chunk.text for chunk in heard["b"] if chunk.last_of_segment] == ["三", "四"]
    assert all(chunk.turn_id == f"{name}1" and chunk.room_id == name for name in "ab" for chunk in heard[name])


@virtual_time
async def test_without_any_rung_left_the_segment_becomes_a_dead_letter_and_the_room_goes_on() -> None:
    only = Voice("espeak", None)
    room = Room(only)
    task = asyncio.create_task(room.speech.run())
    await room.say("一", last=False)
    await asyncio.sleep(2)
    only.pieces = ((0.0, 0.5),)
    await room.say("二", epoch=2)
    await asyncio.sleep(2)
    task.cancel()
    assert [record.key async for record in room.bus.read(topics.dead(topics.TEXT))] == ["a"]
    assert (await room.heard())[-1].text == "二"
