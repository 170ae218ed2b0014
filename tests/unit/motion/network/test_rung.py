"""The rung `motion.network`: the same frames however a voice is cut, at most 100 ms late, none missing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from services.core.events import (
    EMOTION_JOY,
    EMOTION_UNSPECIFIED,
    GESTURE_UNSPECIFIED,
    GESTURE_WAVE,
    Emotion,
    Gesture,
    VoiceChunk,
)
from services.core.inference import ModelFailed
from services.motion import face
from services.motion.frames import FRAME_SAMPLES, SAMPLE_RATE, Frames, of_chunk
from services.motion.joints import LEFT_SHOULDER
from services.motion.model.network.rung import LATE, STATE, ByEar, Net
from services.speech.sound import Samples, to_s16le
from tests.unit.motion.network.speech import babble
from tests.unit.motion.voices import SIZES, cut


@pytest.fixture(scope="module")
def net() -> Net:
    return Net()


def spoken(
    sound: Samples,
    sizes: Sequence[int] = SIZES,
    *,
    segments: Sequence[int] = (),
    emotion: Emotion = EMOTION_UNSPECIFIED,
    gesture: Gesture = GESTURE_UNSPECIFIED,
) -> list[VoiceChunk]:
    """A turn of this sound. `segments`: samples at which further segments begin."""
    return cut(
        lambda at, size: to_s16le(sound[at : at + size]),
        list(pairwise([0, *segments, len(sound)])),
        sizes=sizes,
        emotion=emotion,
        intensity=0.8,
        gestures=[gesture],
    )


def performed(net: Net, chunks: Sequence[VoiceChunk]) -> Frames:
    rung = ByEar(net)
    parts = [of_chunk(rung.answer(chunk)) for chunk in chunks]
    return Frames(np.concatenate([part.face for part in parts]), np.concatenate([part.joints for part in parts]))


def test_the_result_does_not_depend_on_how_the_voice_is_spoken(net: Net) -> None:
    sound = babble(4)
    usual, small, whole = (performed(net, spoken(sound, sizes)) for sizes in (SIZES, (400,), (len(sound),)))
    assert np.ptp(usual.face[:, face.JAW_OPEN]) > 0.1, "she speaks"
    for other in (small, whole):
        np.testing.assert_allclose(other.face, usual.face, atol=1e-4)
        # Arms beat where a chunk's sound tells it in time, so they may depend on the chunks.
        np.testing.assert_allclose(other.joints[:, :LEFT_SHOULDER], usual.joints[:, :LEFT_SHOULDER], atol=1e-4)


def test_frames_follow_each_other_and_come_at_most_100_ms_late(net: Net) -> None:
    chunks, rung = spoken(babble(4), segments=(48_000,)), ByEar(net)
    known = 0
    for chunk in chunks:
        frames = rung.answer(chunk)
        assert frames.start_sample == known * FRAME_SAMPLES
        assert frames.rung == "network"
        known += frames.frame_count
        missing = (chunk.start_sample + len(chunk.pcm_s16le) // 2) // FRAME_SAMPLES - known
        assert missing <= LATE
        assert LATE * FRAME_SAMPLES <= SAMPLE_RATE // 10
        if chunk.last_of_segment:
            assert missing <= 0, "a segment is complete"


def test_a_turn_begins_and_ends_at_rest(net: Net) -> None:
    frames = performed(net, spoken(babble(2), emotion=EMOTION_JOY, gesture=GESTURE_WAVE))
    assert np.abs(frames.face[-1]).max() == 0
    assert np.abs(frames.joints[-1, :, :3]).max() == 0
    assert np.abs(frames.face[0]).max() == 0
    assert np.abs(frames.joints[0, :, :3]).max() < 0.001
    assert np.abs(np.diff(frames.joints, axis=0)).max() < 0.08
    assert frames.face[:, : face.SHAPES].min() >= 0
    assert frames.face[:, : face.SHAPES].max() <= 1


def test_silence_leaves_the_mouth_shut_and_still(net: Net) -> None:
    frames = performed(net, spoken(np.zeros(3 * SAMPLE_RATE, np.float32)))
    assert frames.face[STATE:180, face.MOUTH].std(0).max() < 0.01, "when silence is all that it remembers"
    assert face.aperture(frames.face).max() < 0.1


def test_a_mood_shows_in_face_and_posture(net: Net) -> None:
    sound = babble(2)
    plain, glad = (performed(net, spoken(sound, emotion=emotion)) for emotion in (EMOTION_UNSPECIFIED, EMOTION_JOY))
    smile = face.SMILE[0]
    assert glad.face[60, smile] > plain.face[60, smile] + 0.1
    assert np.abs(glad.joints[60, :4] - plain.joints[60, :4]).max() > 0.005


def test_a_chunk_that_comes_again_is_answered_the_same(net: Net) -> None:
    rung = ByEar(net)
    for chunk in spoken(babble(2)):
        assert rung.answer(chunk) == rung.answer(chunk)


def test_after_chunks_that_another_rung_took_it_listens_anew(net: Net) -> None:
    chunks, rung = spoken(babble(3)), ByEar(net)
    rung.answer(chunks[0])
    frames = rung.answer(chunks[2])
    assert frames.start_sample == chunks[2].start_sample


def test_it_refuses_what_is_not_as_agreed(net: Net) -> None:
    (chunk, *_) = spoken(babble(1))
    chunk.sample_rate = 16_000
    with pytest.raises(ModelFailed, match="16000"):
        ByEar(net).answer(chunk)
