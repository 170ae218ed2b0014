"""The state: small facts of rooms that outlive a process."""

from services.core.state.memory import MemoryState
from services.core.state.port import (
    Change,
    Drop,
    DropField,
    Health,
    Lease,
    LeaseLost,
    Put,
    PutField,
    State,
    StateUnavailable,
)

__all__ = [
    "Change",
    "Drop",
    "DropField",
    "Health",
    "Lease",
    "LeaseLost",
    "MemoryState",
    "Put",
    "PutField",
    "State",
    "StateUnavailable",
]
