"""A turn's chunks follow on without gaps, start small, grow, and fit whole animation frames."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.core.events import EMOTION_JOY, GESTURE_WAVE, Phoneme, TextSegment, VoiceChunk
from services.speech.chunks import SIZES, Position, SegmentCutter
from services.speech.sound import FRAME


def piece(
    samples: int, *, at: int = 0, phonemes: tuple[tuple[str, int, int], ...] = (), rung: str = "test"
) -> VoiceChunk:
    pcm = (np.arange(at, at + samples) % 30_000).astype("<i2").tobytes()
    known = [Phoneme(ipa=ipa, start_sample=start, end_sample=end) for ipa, start, end in phonemes]
    return VoiceChunk(sample_rate=24_000, start_sample=at, pcm_s16le=pcm, phonemes=known, rung=rung)


def speak(turn: list[list[int]]) -> list[VoiceChunk]:
    """A turn of segments, each given as the sizes of a model's pieces."""
    chunks: list[VoiceChunk] = []
    position = Position()
    for sequence, sizes in enumerate(turn):
        segment = TextSegment(turn_id="t", sequence=sequence, text="好", last=sequence == len(turn) - 1)
        cutter = SegmentCutter(segment, position)
        at = 0
        for size in sizes:
            chunks += cutter.push(piece(size, at=at))
            at += size
        chunks += cutter.finish()
        position = cutter.position
    return chunks


def length(chunk: VoiceChunk) -> int:
    return len(chunk.pcm_s16le) // 2


turns = st.lists(st.lists(st.integers(0, 60_000), max_size=6), min_size=1, max_size=6)


@settings(deadline=None)
@given(turns)
def test_chunks_follow_each_other_without_a_gap_and_are_numbered(turn: list[list[int]]) -> None:
    chunks = speak(turn)
    assert chunks[0].start_sample == 0
    assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
    assert all(b.start_sample == a.start_sample + length(a) for a, b in pairwise(chunks))


@settings(deadline=None)
@given(turns)
def test_every_chunk_is_whole_frames_and_only_the_last_may_be_empty(turn: list[list[int]]) -> None:
    chunks = speak(turn)
    assert all(length(chunk) % FRAME == 0 for chunk in chunks)
    assert all(length(chunk) for chunk in chunks[:-1])


@settings(deadline=None)
@given(turns)
def test_each_segment_is_closed_once_and_the_turn_once(turn: list[list[int]]) -> None:
    chunks = speak(turn)
    assert [chunk.segment for chunk in chunks if chunk.last_of_segment] == list(range(len(turn)))
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


@settings(deadline=None)
@given(turns)
def test_no_sample_is_lost_or_moved(turn: list[list[int]]) -> None:
    chunks = speak(turn)
    for sequence, sizes in enumerate(turn):
        mine = [chunk for chunk in chunks if chunk.segment == sequence]
        spoken = b"".join(chunk.pcm_s16le for chunk in mine)
        given_in = b"".join(piece(size, at=sum(sizes[:index])).pcm_s16le for index, size in enumerate(sizes))
        assert spoken.startswith(given_in)
        assert len(spoken) - len(given_in) < 2 * FRAME or not given_in
        assert {chunk.segment_start_sample for chunk in mine} == {mine[0].start_sample}


def test_the_first_chunk_is_a_tenth_of_a_second_and_later_ones_grow_to_a_second() -> None:
    chunks = speak([[50_000, 50_000]])
    assert [length(chunk) for chunk in chunks[:-1]] == [*SIZES[:4], 24_000, 24_000]
    assert SIZES[0] == 2_400


def test_growth_goes_on_from_segment_to_segment() -> None:
    chunks = speak([[4_000], [60_000]])
    assert [length(chunk) for chunk in chunks[:4]] == [2_400, 1_600, 9_600, 19_200]


def test_a_first_chunk_leaves_as_soon_as_its_sound_is_there() -> None:
    cutter = SegmentCutter(TextSegment(text="好"), Position())
    assert cutter.push(piece(2_400)) == []
    assert [length(chunk) for chunk in cutter.push(piece(FRAME, at=2_400))] == [2_400]


def test_phonemes_of_the_whole_segment_are_in_each_chunk_counted_from_the_turn() -> None:
    cutter = SegmentCutter(TextSegment(sequence=1, text="爸爸"), Position(sample=8_000, sequence=3))
    chunks = cutter.push(piece(40_000, phonemes=(("p", 0, 900), ("ɑ", 900, 40_000)))) + cutter.finish()
    assert len(chunks) == 2
    for chunk in chunks:
        assert [(p.ipa, p.start_sample, p.end_sample) for p in chunk.phonemes] == [
            ("p", 8_000, 8_900),
            ("ɑ", 8_900, 48_000),
        ]


def test_of_a_long_segment_a_chunk_carries_the_phonemes_of_the_pieces_it_touches() -> None:
    cutter = SegmentCutter(TextSegment(text="长"), Position(sequence=9))
    chunks = cutter.push(piece(30_000, phonemes=(("a", 0, 30_000),)))
    chunks += cutter.push(piece(60_000, at=30_000, phonemes=(("b", 30_000, 90_000),)))
    chunks += cutter.finish()
    assert [[p.ipa for p in chunk.phonemes] for chunk in chunks] == [["a"], ["a", "b"], ["b"], ["b"]]
    assert {p.start_sample for chunk in chunks for p in chunk.phonemes if p.ipa == "b"} == {30_000}


def test_phonemes_that_come_before_their_sound_are_in_every_chunk_that_they_touch() -> None:
    cutter = SegmentCutter(TextSegment(text="好"), Position())
    clause = (("x", 0, 10_000), ("ɑu", 10_000, 40_000))
    chunks = cutter.push(piece(4_800, phonemes=clause))
    for at in range(4_800, 40_000, 4_400):
        chunks += cutter.push(piece(4_400, at=at))
    chunks += cutter.push(piece(30_000, at=40_000, phonemes=(("a", 40_000, 70_000),)))
    chunks += cutter.finish()
    for chunk in chunks:
        ends = chunk.start_sample + length(chunk)
        known = {p.ipa for p in chunk.phonemes}
        assert ("ɑu" in known) == (chunk.start_sample < 40_000), chunk.start_sample
        assert ("a" in known) == (ends >= 40_000), chunk.start_sample
        assert len(known) == len(chunk.phonemes)


def test_a_second_rung_that_starts_over_is_placed_after_what_the_first_one_said() -> None:
    cutter = SegmentCutter(TextSegment(text="好", last=True), Position())
    chunks = cutter.push(piece(5_000, rung="openai"))
    chunks += cutter.push(piece(5_000, phonemes=(("x", 0, 5_000),), rung="espeak")) + cutter.finish()
    assert chunks[0].rung == "openai"
    assert [(p.start_sample, p.end_sample) for p in chunks[-1].phonemes] == [(5_000, 10_000)]
    assert chunks[-1].rung == "espeak"


def test_a_segment_in_which_nothing_can_be_said_is_a_beat_of_silence() -> None:
    cutter = SegmentCutter(TextSegment(text="🤪", sequence=2), Position(sample=400, sequence=1))
    (chunk,) = cutter.finish()
    assert length(chunk) == 4_800
    assert not any(chunk.pcm_s16le)
    assert chunk.last_of_segment
    assert not chunk.last


def test_an_empty_segment_closes_the_turn_with_an_empty_chunk_or_is_nothing() -> None:
    (chunk,) = SegmentCutter(TextSegment(text="", sequence=2, last=True), Position(4_000, 2)).finish()
    assert (length(chunk), chunk.start_sample, chunk.sequence, chunk.last) == (0, 4_000, 2, True)
    assert SegmentCutter(TextSegment(text=""), Position()).finish() == []


def test_a_chunk_says_what_it_belongs_to_and_how_it_is_meant() -> None:
    segment = TextSegment(
        room_id="r",
        turn_id="t",
        epoch=7,
        sequence=1,
        text="你好",
        emotion=EMOTION_JOY,
        intensity=0.5,
        gesture=GESTURE_WAVE,
        rung="persona",
    )
    cutter = SegmentCutter(segment, Position())
    cutter.push(piece(100))
    (chunk,) = cutter.finish()
    assert (chunk.room_id, chunk.turn_id, chunk.epoch, chunk.segment) == ("r", "t", 7, 1)
    assert (chunk.text, chunk.emotion, chunk.intensity, chunk.gesture) == ("你好", EMOTION_JOY, 0.5, GESTURE_WAVE)
    assert (chunk.sample_rate, chunk.rung, chunk.words_rung) == (24_000, "test", "persona")
