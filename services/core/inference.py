"""The inference port: models by name, each turning one event into a stream of events.

`chat.*`: ChatRequest → TextSegments. `speech.*`: TextSegment → VoiceChunks. `motion.*`: VoiceChunk → one MotionChunk.
A model's class holds the whole of its work, so a model server's repository is a thin shell around the same class.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from google.protobuf.message import Message


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


class InProcess:
    """Models in this process."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = dict(models)

    def stream(self, model: str, request: Message, *, request_id: str) -> AsyncIterator[Any]:  # noqa: ARG002
        if model not in self._models:
            raise ModelFailed(f"no model {model!r}; there are: {', '.join(sorted(self._models)) or 'none'}")
        return self._models[model].stream(request)

    async def ready(self, model: str) -> bool:
        return model in self._models and await self._models[model].ready()
