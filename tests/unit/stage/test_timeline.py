"""The timeline performs turns gaplessly, stops at once, and knows what was heard."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TypeVar

from services.core.events import MotionChunk, Performed, VoiceChunk
from services.stage.timeline import (
    FRAME,
    GRACE,
    RATE,
    SLICE,
    STARVED,
    Began,
    Effect,
    Pose,
    Report,
    Silence,
    Sound,
    Timeline,
    Words,
)

T = TypeVar("T")

LEAD, AHEAD = 960, 9_600


def voice(epoch: int, sequence: int, start: int, length: int, *, segment: int = 0, last: bool = False) -> VoiceChunk:
    return VoiceChunk(
        turn_id=f"turn{epoch}",
        epoch=epoch,
        sequence=sequence,
        segment=segment,
        start_sample=start,
        pcm_s16le=b"\1\0" * length,
        text=f"words {segment}",
        last_of_segment=True,
        last=last,
    )


def frames(epoch: int, sequence: int, start: int) -> MotionChunk:
    return MotionChunk(turn_id=f"turn{epoch}", epoch=epoch, sequence=sequence, start_sample=start, frame_count=1)


def give(timeline: Timeline, chunk: VoiceChunk, now: int) -> None:
    assert timeline.voice(chunk, now)
    assert timeline.motion(frames(chunk.epoch, chunk.sequence, chunk.start_sample))


def play(timeline: Timeline, since: int, until: int) -> list[tuple[int, Effect]]:
    """Advances whenever something is due."""
    seen: list[tuple[int, Effect]] = []
    now = since
    while True:
        seen += [(now, effect) for effect in timeline.advance(now)]
        due = timeline.next_due(now)
        now = max(now + 1, due if due is not None else until)
        if now > until:
            return seen


def only(kind: type[T], seen: list[tuple[int, Effect]]) -> list[T]:
    return [effect for _, effect in seen if isinstance(effect, kind)]


def test_a_turn_is_performed_without_gap_and_reported_to_its_end() -> None:
    timeline = Timeline(lead=LEAD, ahead=AHEAD)
    give(timeline, voice(1, 0, 0, 2_400), 0)
    give(timeline, voice(1, 1, 2_400, 12_000, segment=1), 0)
    give(timeline, voice(1, 2, 14_400, 24_000, segment=2, last=True), 0)
    seen = play(timeline, 0, 5 * RATE)
    sounds = only(Sound, seen)
    assert [s.sequence for s in sounds] == list(range(len(sounds)))
    assert all(a.start + len(a.pcm) // 2 == b.start for a, b in pairwise(sounds))
    assert sum(len(s.pcm) // 2 for s in sounds) == 38_400
    assert [s.last for s in sounds] == [False] * (len(sounds) - 1) + [True]
    states = [(r.state, r.heard_segments, r.heard_samples) for r in only(Report, seen)]
    assert states == [
        (Performed.STATE_STARTED, 0, 0),
        (Performed.STATE_HEARD, 1, 2_400),
        (Performed.STATE_HEARD, 2, 14_400),
        (Performed.STATE_FINISHED, 3, 38_400),
    ]
    assert only(Report, seen)[-1].heard_text == "words 0 words 1 words 2"
    assert timeline.performing is None


def test_voice_and_frames_have_the_same_place_on_the_frame_grid() -> None:
    timeline = Timeline(lead=LEAD, ahead=AHEAD)
    give(timeline, voice(1, 0, 0, 2_400), 12_345)
    give(timeline, voice(1, 1, 2_400, 4_800, last=True), 12_345)
    seen = play(timeline, 12_345, 5 * RATE)
    began, poses = only(Began, seen)[0], only(Pose, seen)
    assert began.start % FRAME == 0
    assert 12_345 + LEAD <= began.start < 12_345 + LEAD + FRAME
    assert [pose.start for pose in poses] == [began.start, began.start + 2_400]
    assert [words.start for words in only(Words, seen)] == [began.start]


def test_nothing_is_sent_further_ahead_than_allowed() -> None:
    timeline = Timeline(lead=LEAD, ahead=AHEAD)
    give(timeline, voice(1, 0, 0, 10 * RATE, last=True), 0)
    for now, effect in play(timeline, 0, 12 * RATE):
        if isinstance(effect, Sound):
            assert effect.start < now + AHEAD
            assert len(effect.pcm) // 2 <= SLICE
            assert effect.start >= now


def test_an_interruption_silences_at_once_and_nothing_of_the_old_epoch_follows() -> None:
    timeline = Timeline(lead=LEAD, ahead=AHEAD)
    give(timeline, voice(1, 0, 0, 10 * RATE), 0)
    play(timeline, 0, RATE)
    effects = timeline.interrupt(2, RATE, reason="panic")
    assert effects[0] == Silence(2, RATE)
    stopped = effects[1]
    assert isinstance(stopped, Report)
    assert stopped.state == Performed.STATE_STOPPED
    assert stopped.reason == "panic"
    assert 0 < stopped.heard_samples < RATE
    assert not timeline.voice(voice(1, 1, 10 * RATE, 2_400), RATE)
    assert play(timeline, RATE, 20 * RATE) == []


def test_a_superseding_turn_replaces_the_old_one_only_when_its_first_chunk_is_there() -> None:
    timeline = Timeline(lead=LEAD, ahead=AHEAD)
    give(timeline, voice(1, 0, 0, 3 * RATE), 0)
    play(timeline, 0, RATE)
    assert timeline.interrupt(2, RATE, reason="supersede", keep=True) == []
    assert only(Sound, play(timeline, RATE, 2 * RATE))
    assert timeline.voice(voice(2, 0, 0, 2_400), 2 * RATE)
    assert not only(Silence, play(timeline, 2 * RATE, 2 * RATE + 10))
    assert timeline.motion(frames(2, 0, 0))
    seen = play(timeline, 2 * RATE + 20, 3 * RATE)
    kinds = [type(effect) for _, effect in seen]
    assert kinds.index(Silence) < kinds.index(Began) < kinds.index(Sound)
    assert all(sound.epoch == 2 for sound in only(Sound, seen))
    assert [r.turn_id for r in only(Report, seen) if r.state == Performed.STATE_STOPPED] == ["turn1"]


def test_voice_is_performed_without_its_frames_when_they_do_not_come() -> None:
    timeline = Timeline(lead=LEAD, ahead=AHEAD)
    timeline.voice(voice(1, 0, 0, 2_400, last=True), 0)
    seen = play(timeline, 0, RATE)
    assert only(Sound, seen)
    assert min(now for now, effect in seen if isinstance(effect, Sound)) == GRACE
    timeline = Timeline(lead=LEAD, ahead=AHEAD)
    timeline.voice(voice(1, 0, 0, 24_000, last=True), 0)
    play(timeline, 0, GRACE)
    assert timeline.motion(frames(1, 0, 0))
    assert only(Pose, play(timeline, GRACE + 1, GRACE + 10))


def test_a_chunk_that_comes_late_moves_the_rest_instead_of_cutting_it() -> None:
    timeline = Timeline(lead=LEAD, ahead=AHEAD)
    give(timeline, voice(1, 0, 0, 2_400), 0)
    play(timeline, 0, RATE)
    give(timeline, voice(1, 1, 2_400, 2_400), RATE)
    give(timeline, voice(1, 2, 4_800, 2_400, last=True), RATE)
    seen = play(timeline, RATE, 2 * RATE)
    sounds = only(Sound, seen)
    assert timeline.underruns == 1
    assert sounds[0].start >= RATE + LEAD
    assert sounds[1].start == sounds[0].start + 2_400
    assert only(Report, seen)[-1].state == Performed.STATE_FINISHED


def test_a_turn_whose_voice_never_goes_on_ends_by_itself() -> None:
    timeline = Timeline(lead=LEAD, ahead=AHEAD)
    give(timeline, voice(1, 0, 0, 2_400), 0)
    reports = only(Report, play(timeline, 0, 10 * RATE))
    assert (reports[-1].state, reports[-1].reason) == (Performed.STATE_STOPPED, "no voice")


def test_chunks_may_come_twice_and_in_any_order() -> None:
    timeline = Timeline(lead=LEAD, ahead=AHEAD)
    chunks = [voice(1, k, 2_400 * k, 2_400, segment=k, last=k == 9) for k in range(10)]
    shuffled = chunks * 2
    random.Random(1).shuffle(shuffled)
    for chunk in shuffled:
        timeline.voice(chunk, 0)
        timeline.motion(frames(1, chunk.sequence, chunk.start_sample))
    seen = play(timeline, 0, 5 * RATE)
    assert b"".join(s.pcm for s in only(Sound, seen)) == b"".join(c.pcm_s16le for c in chunks)
    assert only(Report, seen)[-1].heard_segments == 10


def test_after_a_crash_what_was_heard_is_not_repeated() -> None:
    timeline = Timeline(lead=LEAD, ahead=AHEAD, resume=("turn1", 2))
    for k in range(4):
        give(timeline, voice(1, k, 2_400 * k, 2_400, segment=k, last=k == 3), 0)
    seen = play(timeline, 0, 2 * RATE)
    assert sum(len(s.pcm) // 2 for s in only(Sound, seen)) == 4_800
    assert only(Sound, seen)[0].start == only(Began, seen)[0].start
    assert [words.segment for words in only(Words, seen)] == [2, 3]
    assert only(Report, seen)[-1].heard_segments == 4


def test_a_thousand_random_interruptions_leave_nothing_of_an_old_epoch() -> None:
    chance = random.Random(7)
    timeline = Timeline(lead=LEAD, ahead=AHEAD)
    now, epoch, dead = 0, 1, 0
    for _ in range(1_000):
        for k in range(chance.randrange(1, 4)):
            timeline.voice(voice(epoch, k, 4_800 * k, 4_800), now)
            timeline.motion(frames(epoch, k, 4_800 * k))
        for _, effect in play(timeline, now, now + chance.randrange(RATE)):
            assert not isinstance(effect, Sound) or effect.epoch > dead
        now += RATE
        if chance.random() < 0.5:
            effects = timeline.interrupt(epoch + 1, now, reason="panic")
            assert all(not isinstance(e, Sound) for e in effects)
            dead = epoch
        epoch += 1
    assert STARVED > 0


def test_frames_of_a_rung_that_listens_ahead_have_their_own_place() -> None:
    """They may begin before their chunk's voice; those that come after it was placed do so too."""
    timeline = Timeline(lead=LEAD, ahead=AHEAD)
    late = 5 * FRAME
    for sequence, start in ((0, 0), (1, 2_400)):
        assert timeline.voice(voice(1, sequence, start, 2_400, last=sequence == 1), 0)
    assert timeline.motion(MotionChunk(turn_id="turn1", epoch=1, sequence=0, frame_count=1))
    seen = timeline.advance(0)
    (began,) = (effect.start for effect in seen if isinstance(effect, Began))
    seen += timeline.advance(GRACE)
    answer = MotionChunk(turn_id="turn1", epoch=1, sequence=1, frame_count=11, start_sample=2_400 - late)
    assert timeline.motion(answer)
    seen += timeline.advance(GRACE + 1)
    assert [pose.start for pose in seen if isinstance(pose, Pose)] == [began, began + 2_400 - late]
