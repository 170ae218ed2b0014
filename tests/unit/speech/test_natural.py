"""The rung `natural` streams without blocking, loads while she is already there, and fails with a reason."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

from services.core.events import TextSegment, VoiceChunk
from services.core.inference import ModelFailed, ModelLoading
from services.speech.espeak.phonemes import Sounding
from services.speech.model.natural import NaturalSpeech
from services.speech.natural.files import FilesUnavailable
from services.speech.natural.speaker import Piece, Speaker
from services.speech.sound import SAMPLE_RATE


class Slow:
    """A speaker that takes its time for each piece, and counts them."""

    def __init__(self, seconds: float = 0.0, pieces: int = 3, breaks_at: int = -1) -> None:
        self.seconds, self.pieces, self.breaks_at = seconds, pieces, breaks_at
        self.made = 0
        self.threads: set[str] = set()

    def speak(self, segment: TextSegment) -> Iterator[Piece]:
        for number in range(self.pieces if segment.text else 0):
            if number == self.breaks_at:
                raise ValueError("no more")
            time.sleep(self.seconds)
            self.made += 1
            self.threads.add(threading.current_thread().name)
            phonemes = (Sounding("ɑ", 0, 4_800, 1),) if number == 0 else ()
            yield Piece(np.full(2_400, 0.5, dtype=np.float32), phonemes)


async def loaded(speaker: Slow) -> NaturalSpeech:
    model = NaturalSpeech(lambda: cast(Speaker, speaker))
    model.start()
    await model.loaded()
    return model


async def spoken(model: NaturalSpeech, text: str = "好") -> list[VoiceChunk]:
    return [chunk async for chunk in model.stream(TextSegment(text=text))]


async def test_pieces_follow_each_other_and_phonemes_count_from_the_segment() -> None:
    model = await loaded(Slow())
    chunks = await spoken(model)
    assert [chunk.start_sample for chunk in chunks] == [0, 2_400, 4_800]
    assert [(p.ipa, p.start_sample, p.end_sample) for chunk in chunks for p in chunk.phonemes] == [("ɑ", 0, 4_800)]
    assert {chunk.rung for chunk in chunks} == {"natural"}
    assert await spoken(model, "") == []
    await model.close()


async def test_the_loop_goes_on_while_a_piece_is_made() -> None:
    speaker = Slow(0.1)
    model = await loaded(speaker)
    speaking = asyncio.create_task(spoken(model))
    beats = 0
    while not speaking.done():
        await asyncio.sleep(0.005)
        beats += 1
    assert beats > 20
    assert all(name.startswith("natural-voice") for name in speaker.threads)
    await model.close()


class Waiting(Slow):
    """Makes the first piece of a turn, which is long, at once, and the others when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()
        self.order: list[str] = []

    def speak(self, segment: TextSegment) -> Iterator[Piece]:
        seconds = float(segment.text)
        yield Piece(np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32))
        assert self.may_go_on.wait(30)
        self.order.append(segment.turn_id)
        yield Piece(np.zeros(2_400, dtype=np.float32))


async def _said(model: NaturalSpeech, turn_id: str, seconds: float) -> list[VoiceChunk]:
    return [chunk async for chunk in model.stream(TextSegment(turn_id=turn_id, text=str(seconds)))]


async def test_the_beginning_of_a_turn_waits_for_no_sound_that_is_made_ahead() -> None:
    speaker = Waiting()
    model = await loaded(speaker)
    ahead = [asyncio.create_task(_said(model, f"turn{number}", 5)) for number in range(5)]
    await asyncio.sleep(0.2)
    beginning = model.stream(TextSegment(turn_id="new", text="1"))
    assert (await anext(beginning)).start_sample == 0
    assert not any(task.done() for task in ahead)
    speaker.may_go_on.set()
    assert [len(chunks) for chunks in await asyncio.gather(*ahead)] == [2] * 5
    await model.close()


async def test_the_beginning_of_a_turn_waits_for_no_other_that_has_just_begun() -> None:
    speaker = Waiting()
    model = await loaded(speaker)
    begun = asyncio.create_task(_said(model, "begun", 0.3))
    await asyncio.sleep(0.2)
    beginning = model.stream(TextSegment(turn_id="new", text="0.3"))
    assert (await anext(beginning)).start_sample == 0
    assert not begun.done()
    speaker.may_go_on.set()
    assert len(await begun) == 2
    await model.close()


async def test_what_will_be_heard_first_is_made_first() -> None:
    speaker = Waiting()
    model = NaturalSpeech(lambda: cast(Speaker, speaker), threads=1)
    model.start()
    await model.loaded()
    said = []
    for turn_id, seconds in (("running", 2), ("late", 9), ("soon", 3), ("later", 5)):
        said.append(asyncio.create_task(_said(model, turn_id, seconds)))
        await asyncio.sleep(0.05)
    said[3].cancel()
    speaker.may_go_on.set()
    await asyncio.gather(*said, return_exceptions=True)
    assert speaker.order == ["running", "soon", "late"]
    await model.close()


async def test_closing_the_stream_makes_no_more_pieces() -> None:
    speaker = Slow(0.02, pieces=100)
    model = await loaded(speaker)
    stream = model.stream(TextSegment(text="好"))
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    await asyncio.sleep(0.15)
    assert speaker.made <= 2
    await model.close()


async def test_an_interruption_in_the_middle_of_a_piece_makes_no_more() -> None:
    speaker = Slow(0.05, pieces=100)
    model = await loaded(speaker)
    speaking = asyncio.create_task(spoken(model))
    await asyncio.sleep(0.12)
    speaking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await speaking
    made = speaker.made
    await asyncio.sleep(0.2)
    assert speaker.made <= made + 1
    await model.close()


async def test_until_it_is_loaded_the_next_rung_is_asked_at_once() -> None:
    held = threading.Event()

    def load() -> Speaker:
        held.wait(5)
        return cast(Speaker, Slow())

    model = NaturalSpeech(load)
    model.start()
    with pytest.raises(ModelLoading):
        await spoken(model)
    assert not await model.ready()
    held.set()
    await model.loaded()
    assert await model.ready()
    assert len(await spoken(model)) == 3
    await model.close()


async def test_missing_files_are_told_with_their_mend() -> None:
    def load() -> Speaker:
        raise FilesUnavailable("nothing there. Mend: run `make setup`.")

    model = NaturalSpeech(load)
    model.start()
    await model.loaded()
    for _ in range(2):
        with pytest.raises(ModelFailed, match="Mend: run `make setup`") as failure:
            await spoken(model)
        assert not isinstance(failure.value, ModelLoading)
    await model.close()


async def test_a_voice_that_breaks_off_says_so() -> None:
    model = await loaded(Slow(breaks_at=1))
    chunks = []
    with pytest.raises(ModelFailed, match="broke off: ValueError: no more"):
        async for chunk in model.stream(TextSegment(text="好")):
            chunks.append(chunk)  # noqa: PERF401
    assert len(chunks) == 1
    await model.close()


async def test_rooms_take_turns_piece_by_piece() -> None:
    speaker = Slow(0.02, pieces=5)
    model = await loaded(speaker)
    ends: list[float] = []

    async def room() -> None:
        await spoken(model)
        ends.append(time.monotonic())

    await asyncio.gather(*(room() for _ in range(4)))
    assert max(ends) - min(ends) < 0.1
    await model.close()


async def test_closing_ends_its_threads() -> None:
    model = await loaded(Slow(0.05, pieces=100))
    speaking = asyncio.create_task(spoken(model))
    await asyncio.sleep(0.02)
    await model.close()
    with pytest.raises((ModelFailed, RuntimeError, asyncio.CancelledError)):
        await speaking
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("natural-voice")]
