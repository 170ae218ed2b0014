"""What TritonInference and the shell around a model agree on."""

from __future__ import annotations

import hashlib
from typing import Any

from services.core.events import ChatRequest

REQUEST, ANSWER = "request", "answer"
"""The tensors: UINT8 [1, n], a serialised event each."""
ASKS_READY = "ready"
"""A request with this parameter only asks whether the model is ready. One that is answers nothing; others fail."""
CALL = "call"
"""The parameter by which a request can be ended."""
ENDS = "ends"
"""A request with this parameter ends the one whose CALL it names. If there is none it fails, with NO_CALL."""
NO_CALL = "there is no such request"
SEQUENCE_STARTS = 1
"""TRITONSERVER_REQUEST_FLAG_SEQUENCE_START."""


def room_of(request: Any) -> str:
    """The room that a request belongs to."""
    return str((request.turn if isinstance(request, ChatRequest) else request).room_id)


def sequence_of(room_id: str) -> int:
    """Triton's name for a room's sequence: 1 to 2⁶³ - 1, for 0 means none and the wire has signed numbers."""
    return (int.from_bytes(hashlib.blake2b(room_id.encode(), digest_size=8).digest()) >> 1) or 1
