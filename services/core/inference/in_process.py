"""Models in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from google.protobuf.message import Message

from services.core.inference.port import Model, ModelFailed


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
