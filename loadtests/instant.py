"""`lydia` whose models answer at once, so that what is left is the platform. The services know nothing of this."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from google.protobuf.message import Message

from services import cli
from services.building import chat, motion, speech
from services.core.events import ChatRequest, MotionChunk, Phoneme, TextSegment, VoiceChunk
from services.core.inference import InProcess
from services.motion.frames import CHANNELS, FRAME_SAMPLES
from services.motion.model.turns import motion_chunk
from services.speech.sound import SAMPLE_RATE, silence, to_s16le

RUNG = "instant"
SOUND_S = 0.3
"""Of each answer."""


async def words(request: ChatRequest) -> AsyncIterator[TextSegment]:
    """A few, always the same."""
    turn = request.turn
    yield TextSegment(
        room_id=turn.room_id,
        turn_id=turn.turn_id,
        epoch=turn.epoch,
        text="好呀。",
        last=True,
        lane=turn.lane,
        rung=RUNG,
    )


async def voice(_request: TextSegment) -> AsyncIterator[VoiceChunk]:
    """Silence that counts as voice."""
    samples = round(SOUND_S * SAMPLE_RATE)
    yield VoiceChunk(
        sample_rate=SAMPLE_RATE,
        pcm_s16le=to_s16le(silence(SOUND_S)),
        phonemes=[Phoneme(ipa="ɑ", start_sample=0, end_sample=samples)],
        rung=RUNG,
    )


async def frames(request: VoiceChunk) -> AsyncIterator[MotionChunk]:
    """A body at rest."""
    count = max(-(-len(request.pcm_s16le) // 2 // FRAME_SAMPLES), 1)
    yield motion_chunk(request, np.zeros((count, CHANNELS)), start_sample=request.start_sample, rung=RUNG)


class Instant(InProcess):
    """Every model, in this process."""

    def stream(self, model: str, request: Message, *, request_id: str) -> AsyncIterator[Any]:  # noqa: ARG002
        answers: dict[str, Any] = {"chat": words, "speech": voice, "motion": frames}
        stream: AsyncIterator[Any] = answers[model.partition(".")[0]](request)
        return stream

    async def ready(self, model: str) -> bool:  # noqa: ARG002
        return True


if __name__ == "__main__":
    for service in (chat, speech, motion):
        vars(service)["InProcess"] = Instant
    sys.exit(cli.main(sys.argv[1:]))
