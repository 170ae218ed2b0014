"""The rung `motion.network`: the same frames however a voice is cut, at most 100 ms late, none missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from services.core.events import EMOTION_JOY, EMOTION_UNSPECIFIED, GESTURE_WAVE, Emotion, Gesture, VoiceChunk
from services.core.inference import ModelFailed
from services.motion import face
from services.motion.frames import FRAME_SAMPLES, SAMPLE_RATE, Frames, of_chunk
from services.motion.joints import LEFT_SHOULDER
from services.motion.model.network.rung import LATE, STATE, ByEar, Net
from services.speech.sound import Samples, to_s16le
from tests.unit.motion.network.speech import babble

USUAL = (2_400, 4_800, 9_600, 19_200, 24_000)


@pytest.fixture(scope="module")
def net() -> Net:
    return Net()


def cut(
    sound: Samples,
    sizes: Sequence[int] = USUAL,
    *,
    segments: Sequence[int] = (),
    emotion: Emotion = EMOTION_UNSPECIFIED,
    gesture: Gesture = 0,  # type: ignore[assignment]
    turn_id: str = "turn",
) -> list[VoiceChunk]:
    """A turn, cut to these sizes, the last one again and again. `segments`: samples at which further segments begin."""
    chunks: list[VoiceChunk] = []
    at = 0
    ends = [*segments, len(sound)]
    while at < len(sound):
        segment = sum(at >= begin for begin in segments)
        size = min(sizes[min(len(chunks), len(sizes) - 1)], ends[segment] - at)
        chunks.append(
            VoiceChunk(
                room_id="room",
                turn_id=turn_id,
                epoch=1,
                sequence=len(chunks),
                segment=segment,
                sample_rate=SAMPLE_RATE,
                start_sample=at,
                pcm_s16le=to_s16le(sound[at : at + size]),
                emotion=emotion,
                intensity=0.8,
                gesture=gesture,
                last_of_segment=at + size == ends[segment],
            )
        )
        at += size
    chunks[-1].last = True
    return chunks


def performed(net: Net, chunks: Sequence[VoiceChunk]) -> Frames:
    rung = ByEar(net)
    parts = [of_chunk(rung.answer(chunk)) for chunk in chunks]
    return Frames(np.concatenate([part.face for part in parts]), np.concatenate([part.joints for part in parts]))


def test_the_result_does_not_depend_on_how_the_voice_is_cut(net: Net) -> None:
    sound = babble(4)
    usual, small, whole = (performed(net, cut(sound, sizes)) for sizes in (USUAL, (400,), (len(sound),)))
    assert np.ptp(usual.face[:, face.JAW_OPEN]) > 0.1, "she speaks"
    for other in (small, whole):
        np.testing.assert_allclose(other.face, usual.face, atol=1e-4)
        # Arms beat where a chunk's sound tells it in time, so they may depend on the chunks.
        np.testing.assert_allclose(other.joints[:, :LEFT_SHOULDER], usual.joints[:, :LEFT_SHOULDER], atol=1e-4)


def test_frames_follow_each_other_and_come_at_most_100_ms_late(net: Net) -> None:
    chunks, rung = cut(babble(4), segments=(48_000,)), ByEar(net)
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
    frames = performed(net, cut(babble(2), emotion=EMOTION_JOY, gesture=GESTURE_WAVE))
    assert np.abs(frames.face[-1]).max() == 0
    assert np.abs(frames.joints[-1, :, :3]).max() == 0
    assert np.abs(frames.face[0]).max() == 0
    assert np.abs(frames.joints[0, :, :3]).max() < 0.001
    assert np.abs(np.diff(frames.joints, axis=0)).max() < 0.08
    assert frames.face[:, : face.SHAPES].min() >= 0
    assert frames.face[:, : face.SHAPES].max() <= 1


def test_silence_leaves_the_mouth_shut_and_still(net: Net) -> None:
    frames = performed(net, cut(np.zeros(3 * SAMPLE_RATE, np.float32)))
    assert frames.face[STATE:180, face.MOUTH].std(0).max() < 0.01, "when silence is all that it remembers"
    assert face.aperture(frames.face).max() < 0.1


def test_a_mood_shows_in_face_and_posture(net: Net) -> None:
    sound = babble(2)
    plain, glad = (performed(net, cut(sound, emotion=emotion)) for emotion in (EMOTION_UNSPECIFIED, EMOTION_JOY))
    smile = face.SMILE[0]
    assert glad.face[60, smile] > plain.face[60, smile] + 0.1
    assert np.abs(glad.joints[60, :4] - plain.joints[60, :4]).max() > 0.005


def test_a_chunk_that_comes_again_is_answered_the_same(net: Net) -> None:
    rung = ByEar(net)
    for chunk in cut(babble(2)):
        assert rung.answer(chunk) == rung.answer(chunk)


def test_after_chunks_that_another_rung_took_it_listens_anew(net: Net) -> None:
    chunks, rung = cut(babble(3)), ByEar(net)
    rung.answer(chunks[0])
    frames = rung.answer(chunks[2])
    assert frames.start_sample == chunks[2].start_sample


def test_it_refuses_what_is_not_as_agreed(net: Net) -> None:
    (chunk, *_) = cut(babble(1))
    chunk.sample_rate = 16_000
    with pytest.raises(ModelFailed, match="16000"):
        ByEar(net).answer(chunk)
