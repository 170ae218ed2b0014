"""Turns performed by rules: in step with the voice, from rest to rest, smooth whatever happens."""

from __future__ import annotations

import numpy as np
import pytest

from services.core import events
from services.core.events import MotionChunk, Phoneme, VoiceChunk
from services.core.inference import ModelFailed
from services.motion import face, joints
from services.motion.frames import FRAME_SAMPLES, of_chunk
from services.motion.model.rules import Rules
from services.motion.model.turns import MAX_TURNS
from tests.unit.motion.voices import frame, hum, performed, phonemes, voice

MOUTH = list(range(14, 41))


def sentence(start_ms: int = 0, repeat: int = 3) -> list[Phoneme]:
    """About a second for each repetition."""
    word = (("n", 80), ("i", 110, 2), ("x", 90), ("ɑu", 190, 2), ("m", 80), ("a", 180, 2), ("s", 90), ("u", 150, 1))
    return phonemes(*word * repeat, ("", 90), start_ms=start_ms)


def two_segments() -> list[list[Phoneme]]:
    first = sentence()
    return [first, sentence(start_ms=first[-1].end_sample // 24)]


def test_frames_answer_voice_chunk_for_chunk_and_sample_for_sample() -> None:
    rules = Rules()
    for chunk in voice(two_segments(), emotion=events.EMOTION_JOY, gestures=[events.GESTURE_WAVE]):
        answer = rules.answer(chunk)
        assert (answer.sequence, answer.segment, answer.last) == (chunk.sequence, chunk.segment, chunk.last)
        assert (answer.room_id, answer.turn_id, answer.epoch) == ("room", "turn", 1)
        assert (answer.emotion, answer.gesture) == (chunk.emotion, chunk.gesture)
        assert answer.start_sample == chunk.start_sample
        assert answer.rung == "rules"
        frames = len(chunk.pcm_s16le) // 2 / FRAME_SAMPLES
        if chunk.last:
            assert frames < answer.frame_count <= frames + 120, "she comes to rest within two seconds"
        else:
            assert answer.frame_count == frames
        of_chunk(answer)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("gesture", [events.GESTURE_NONE, events.GESTURE_WAVE, events.GESTURE_HEART])
def test_a_turn_begins_and_ends_at_rest(known: bool, gesture: events.Gesture) -> None:
    shown = performed(
        voice([sentence()], emotion=events.EMOTION_SURPRISED, intensity=1.0, gestures=[gesture], known=known)
    )
    assert np.abs(shown.face[0, face.HEAD]).max() < 0.001
    assert np.abs(shown.joints[0, :, :3]).max() < 0.001
    assert np.abs(shown.face[-1]).max() == 0
    assert np.abs(shown.joints[-1, :, :3]).max() == 0


def test_an_empty_last_chunk_still_brings_her_to_rest() -> None:
    chunks = voice([sentence()], emotion=events.EMOTION_JOY, intensity=1.0, gestures=[events.GESTURE_CLAP])
    chunks[-1].last = False
    end = chunks[-1].start_sample + len(chunks[-1].pcm_s16le) // 2
    closing = VoiceChunk(
        turn_id="turn", sequence=len(chunks), segment=0, sample_rate=24_000, start_sample=end, last=True
    )
    shown = performed([*chunks, closing])
    assert np.abs(shown.face[-1]).max() == 0
    assert np.abs(np.diff(shown.joints, axis=0)).max() < 0.08


def test_a_turn_that_says_nothing_is_a_short_rest() -> None:
    shown = performed([VoiceChunk(turn_id="turn", sample_rate=24_000, last=True)])
    assert 0 < len(shown.face) <= 60
    assert np.abs(shown.face[:, MOUTH]).max() == 0


def test_a_gesture_of_a_short_turn_is_still_seen() -> None:
    thanks = phonemes(("ɕ", 110), ("iɛ", 150, 2), ("ɕ", 110), ("iɛ", 150, 2))
    shown = performed(voice([thanks], gestures=[events.GESTURE_WAVE]))
    raised = joints.rotation_vector(shown.joints[:, joints.RIGHT_UPPER_ARM])
    assert np.linalg.norm(raised, axis=-1).max() > 0.9


def test_how_the_voice_is_cut_does_not_show() -> None:
    whole = performed(voice([sentence()], sizes=[24_000 * 60], gestures=[events.GESTURE_DANCE]))
    for sizes in ([2400, 4800, 9600], [400], [24_000]):
        cut = performed(voice([sentence()], sizes=sizes, gestures=[events.GESTURE_DANCE]))
        # Sounds more than half a second away are left out, so it is not to the last digit.
        assert np.allclose(cut.face, whole.face, atol=0.005)
        assert np.allclose(cut.joints, whole.joints, atol=1e-5)


@pytest.mark.parametrize("known", [True, False])
def test_nothing_jumps_at_the_seams_of_chunks_and_segments(known: bool) -> None:
    chunks = voice(
        two_segments(),
        emotion=events.EMOTION_PLAYFUL,
        intensity=1.0,
        gestures=[events.GESTURE_LAUGH, events.GESTURE_HEART],
        known=known,
    )
    shown = performed(chunks)
    steps = np.abs(np.diff(shown.face[:, : face.SHAPES], axis=0))
    assert steps.max() < 0.33
    assert np.abs(np.diff(shown.face[:, face.HEAD], axis=0)).max() < 0.03
    assert np.abs(np.diff(shown.joints, axis=0)).max() < 0.08
    assert shown.face[:, : face.SHAPES].min() >= 0
    assert shown.face[:, : face.SHAPES].max() <= 1
    assert np.allclose(np.linalg.norm(shown.joints, axis=-1), 1, atol=1e-5)


def test_moods_show_on_the_face_by_their_intensity() -> None:
    def smile(emotion: events.Emotion, intensity: float) -> float:
        shown = performed(voice([sentence()], emotion=emotion, intensity=intensity))
        return float(shown.face[frame(500) : frame(2500), face.SMILE[0]].mean())

    plain = smile(events.EMOTION_NEUTRAL, 1.0)
    assert smile(events.EMOTION_JOY, 1.0) > smile(events.EMOTION_JOY, 0.4) > plain + 0.08
    assert abs(smile(events.EMOTION_SERIOUS, 1.0) - plain) < 0.01


@pytest.mark.parametrize(
    ("emotion", "shape"),
    [
        (events.EMOTION_SAD, "MouthFrownLeft"),
        (events.EMOTION_SURPRISED, "EyeWideLeft"),
        (events.EMOTION_SERIOUS, "BrowDownRight"),
        (events.EMOTION_GRATEFUL, "BrowInnerUp"),
        (events.EMOTION_PLAYFUL, "BrowOuterUpLeft"),
        (events.EMOTION_SHY, "BrowInnerUp"),
        (events.EMOTION_THINKING, "BrowOuterUpRight"),
    ],
)
def test_each_mood_has_its_look(emotion: events.Emotion, shape: str) -> None:
    with_it = performed(voice([sentence()], emotion=emotion, intensity=1.0)).face[:, face.INDEX[shape]]
    without = performed(voice([sentence()])).face[:, face.INDEX[shape]]
    middle = slice(frame(600), frame(2400))
    assert with_it[middle].mean() > without[middle].mean() + 0.02


def test_a_change_of_mood_takes_a_moment() -> None:
    first, second = two_segments()
    chunks = voice([first, second], emotion=events.EMOTION_JOY, intensity=1.0)
    for chunk in chunks:
        if chunk.segment == 1:
            chunk.emotion = events.EMOTION_SAD
    frown = performed(chunks).face[:, face.INDEX["MouthFrownLeft"]]
    change = frame(first[-1].end_sample / 24)
    assert frown[change] < 0.02
    assert frown[change + 30] > 0.3


def test_smiling_keeps_no_bilabial_open() -> None:
    shown = performed(voice([sentence()], emotion=events.EMOTION_JOY, intensity=1.0))
    gap = face.aperture(shown.face)
    for phoneme in sentence():
        if phoneme.ipa == "m":
            first, last = frame(phoneme.start_sample / 24), frame(phoneme.end_sample / 24)
            assert gap[first:last].min() < 0.02


def test_she_nods_on_stressed_syllables() -> None:
    nods = []
    for number in range(20):
        sounds = phonemes(
            ("t", 80), *(("a", 150, 0), ("t", 80)) * 4, ("ɑu", 250, 2), ("t", 80), ("a", 150, 0), ("", 600)
        )
        pitch = performed(voice([sounds], turn_id=f"turn {number}")).face[:, face.HEAD.start + 1]
        fall = np.diff(pitch)
        if fall.min() < -0.006:
            nods.append(int(pitch[frame(900) : frame(1500)].argmin()) + frame(900))
    stressed = frame(1000 + 80)
    assert len(nods) > 8, "not always, but often"
    assert all(abs(nod - stressed) <= 8 for nod in nods)


@pytest.mark.parametrize("mark", ["?", "\N{FULLWIDTH QUESTION MARK}"])
def test_a_question_raises_the_brows_at_its_end(mark: str) -> None:
    asked = performed(voice([sentence()], text="你好吗" + mark)).face[:, face.INDEX["BrowInnerUp"]]
    said = performed(voice([sentence()], text="你好。")).face[:, face.INDEX["BrowInnerUp"]]
    end = frame(sentence()[-1].end_sample / 24)
    assert asked[end - 12 : end].mean() > said[end - 12 : end].mean() + 0.15


def test_a_voice_without_phonemes_moves_the_jaw_by_its_loudness() -> None:
    sounds = phonemes(("a", 600), ("", 600))
    chunks = voice([sounds], sizes=[24_000 * 2], known=False)
    loud, quiet = hum(14_400, hertz=700), bytes(2 * 14_400)
    chunks[0].pcm_s16le = loud + quiet
    jaw = performed(chunks).face[:, face.JAW_OPEN]
    assert jaw[frame(100) : frame(550)].min() > 0.15
    assert jaw[frame(750) : frame(1150)].max() < 0.05


def test_the_same_turn_is_performed_the_same_and_another_one_otherwise() -> None:
    first, again = performed(voice([sentence()])), performed(voice([sentence()]))
    other = performed(voice([sentence()], turn_id="another"))
    assert np.array_equal(first.face, again.face)
    assert np.abs(first.face[:60] - other.face[:60]).max() > 0.005


def test_a_repeated_chunk_gets_the_same_answer_and_the_turn_goes_on() -> None:
    chunks = voice(two_segments(), gestures=[events.GESTURE_POINT])
    plain, stuttering = Rules(), Rules()
    for chunk in chunks:
        once = plain.answer(chunk)
        assert stuttering.answer(chunk) == once
        assert stuttering.answer(chunk) == once


def test_a_turn_made_again_from_its_first_chunk_is_the_same() -> None:
    chunks = voice([sentence()])
    rules = Rules()
    first = [rules.answer(chunk) for chunk in chunks[:3]]
    again = [rules.answer(chunk) for chunk in chunks]
    assert first == again[:3]


def test_a_turn_met_in_its_middle_starts_from_rest() -> None:
    late = voice([sentence()])[3:]
    shown = performed(late)
    assert np.abs(np.diff(shown.face[:, MOUTH], axis=0)).max() < 0.33


def test_only_so_many_turns_are_remembered() -> None:
    rules = Rules()
    first = voice([sentence()], turn_id="first")
    answers = [rules.answer(first[0]), rules.answer(first[1])]
    for number in range(MAX_TURNS):
        rules.answer(voice([sentence()], turn_id=f"turn {number}")[0])
    assert isinstance(rules.answer(first[1]), MotionChunk)
    assert rules.answer(first[1]) != answers[1], "it began at rest"


@pytest.mark.parametrize(
    "chunk",
    [
        VoiceChunk(turn_id="turn", sample_rate=22_050, pcm_s16le=bytes(800)),
        VoiceChunk(turn_id="turn", sample_rate=24_000),
    ],
)
def test_a_chunk_against_the_contract_is_refused(chunk: VoiceChunk) -> None:
    with pytest.raises(ModelFailed):
        Rules().answer(chunk)


async def test_as_a_model_it_answers_each_chunk_once() -> None:
    rules = Rules()
    chunk = voice([sentence()])[0]
    assert await rules.ready()
    assert [answer async for answer in rules.stream(chunk)] == [rules.answer(chunk)]


def test_a_long_segment_may_learn_its_phonemes_bit_by_bit() -> None:
    first, second = two_segments()
    known = performed(voice([first + second]))
    chunks = voice([first + second])
    for chunk in chunks:
        del chunk.phonemes[:]
        chunk.phonemes.extend(first if chunk.start_sample < first[-1].end_sample - 24_000 else first + second)
    learnt = performed(chunks)
    until = len(known.face) - 120
    assert np.allclose(learnt.face[:until, MOUTH], known.face[:until, MOUTH], atol=0.08)
    assert np.abs(np.diff(learnt.face[:, MOUTH], axis=0)).max() < 0.33
