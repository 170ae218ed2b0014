"""The state: small facts of rooms that outlive a process."""

from services.core.state.memory import MemoryState
from services.core.state.port import (
    Change,
    CountTo,
    Drop,
    DropField,
    Health,
    Lease,
    LeaseLost,
    Overtaken,
    Put,
    PutField,
    PutNew,
    State,
    StateUnavailable,
)

__all__ = [
    "Change",
    "CountTo",
    "Drop",
    "DropField",
    "Health",
    "Lease",
    "LeaseLost",
    "MemoryState",
    "Overtaken",
    "Put",
    "PutField",
    "PutNew",
    "State",
    "StateUnavailable",
]
