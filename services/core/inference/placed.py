"""Some models in this process, the others on model servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any

from google.protobuf.message import Message

from services.core.inference.port import Inference


class Placed:
    """The models named `there` are asked on the servers, all others here."""

    def __init__(self, here: Inference, servers: Inference, there: Collection[str]) -> None:
        self._here = here
        self._servers = servers
        self._there = frozenset(there)

    def stream(self, model: str, request: Message, *, request_id: str) -> AsyncIterator[Any]:
        return self._of(model).stream(model, request, request_id=request_id)

    async def ready(self, model: str) -> bool:
        return await self._of(model).ready(model)

    def _of(self, model: str) -> Inference:
        return self._servers if model in self._there else self._here
