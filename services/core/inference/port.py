"""The inference port: models by name, each turning one event into a stream of events.

`chat.*`: ChatRequest → TextSegments. `speech.*`: TextSegment → VoiceChunks. `motion.*`: VoiceChunk → one MotionChunk.
A model's class holds the whole of its work, so a model server's repository is a thin shell around the same class.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from google.protobuf.message import Message

from services.core.events import ChatRequest, MotionChunk, TextSegment, VoiceChunk

KINDS: Mapping[str, tuple[type[Message], type[Message]]] = {
    "chat": (ChatRequest, TextSegment),
    "speech": (TextSegment, VoiceChunk),
    "motion": (VoiceChunk, MotionChunk),
}
"""By the first part of a model's name: what it is asked, and what it answers with."""


class ModelFailed(Exception):
    """A model could not answer; the ladder steps down."""


class ModelLoading(ModelFailed):
    """A model is not there yet: the ladder passes it by and asks it again next time."""


class Model(Protocol):
    """One rung. What it remembers between requests (the pose of a turn, say) it keeps per `turn_id` or room itself."""

    def stream(self, request: Any) -> AsyncIterator[Message]:
        """Answers piece by piece. Closing the iterator cancels the work. Raises ModelFailed."""

    async def ready(self) -> bool:
        """Whether a request would be served now."""


class Inference(Protocol):
    """Reaches models wherever they run."""

    def stream(self, model: str, request: Message, *, request_id: str) -> AsyncIterator[Any]:
        """Runs a model. Closing the iterator cancels it there too.

        Raises ModelFailed when it is unknown, not ready, or fails.
        """

    async def ready(self, model: str) -> bool:
        """Whether the model would serve a request now."""
