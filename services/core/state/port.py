"""The state port. Everything in it expires, so it cannot grow without bound.

Keys are written as `room:{room_id}:what`; who writes a key is the only one to write it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

DAY_S = 86_400
ROUNDED = 1e-6
"""What a share of one that is free may lack to count as one: fractions of seconds have no exact number."""


@dataclass(frozen=True, slots=True)
class Put:
    """Sets a value."""

    key: str
    value: bytes
    ttl_s: int = DAY_S


@dataclass(frozen=True, slots=True)
class PutNew:
    """Sets a value where there is none."""

    key: str
    value: bytes
    ttl_s: int = DAY_S


@dataclass(frozen=True, slots=True)
class CountTo:
    """Sets a counter to a number that it has not reached."""

    key: str
    number: int


@dataclass(frozen=True, slots=True)
class PutField:
    """Sets one field of a hash, and renews the whole hash's life."""

    key: str
    field: str
    value: bytes
    ttl_s: int = DAY_S


@dataclass(frozen=True, slots=True)
class DropField:
    """Removes one field of a hash, if it is there."""

    key: str
    field: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Removes a key, whatever it holds."""

    key: str


Change = Put | PutNew | CountTo | PutField | DropField | Drop


@dataclass(frozen=True, slots=True)
class Lease:
    """A process's right to change what belongs together, until another process takes it.

    `number` is what `increment(key, at_least=now_ms)` gave to the holder: whoever counts on has the lease from then on,
    at once and without asking, and what the former holder still wants to change is refused.
    """

    key: str
    number: int


@dataclass(frozen=True, slots=True)
class Health:
    """Of whoever keeps the state. None: that is not known, or does not apply."""

    memory_used: float | None = None
    """Share of the memory that it may use. What is full takes no change."""
    saving: bool | None = None
    """Whether what changes is written to a log from which a restart gets it back, and the last writing succeeded."""


class StateUnavailable(Exception):
    """The state did not answer in time."""


class LeaseLost(Exception):
    """Another process has taken the lease; nothing of the call has happened."""


class Overtaken(Exception):
    """There is something already that was to be new; nothing of the call has happened."""


def full_s(per_s: float, most: float) -> int:
    """Seconds after which everything that was taken is free again for certain, so that nothing need be remembered."""
    return int(most / per_s) + 2


class State(Protocol):
    """Every method raises StateUnavailable when the state does not answer within the implementation's time-out."""

    async def get(self, key: str) -> bytes | None:
        """A value, or None when it was never set or has expired."""

    async def known(self, *keys: str) -> frozenset[str]:
        """Those of the keys that hold a value."""

    async def fields(self, key: str) -> Mapping[str, bytes]:
        """All fields of a hash; empty when there is none."""

    async def apply(self, *changes: Change, held: Lease | None = None) -> None:
        """All changes or none, durable as the implementation makes it when this returns.

        With `held`, only if that lease is still the newest, which this renews; otherwise raises LeaseLost. Raises
        Overtaken where the key of a PutNew holds something, or a CountTo's counter is not below its number; one of a
        call that got no answer may be overtaken by itself.
        """

    async def increment(self, key: str, *, at_least: int = 0, held: Lease | None = None) -> int:
        """Sets a counter to max(its value, at_least) + 1 and returns that, atomically. `held` as in `apply`."""

    async def first_time(self, key: str, *, ttl_s: int) -> bool:
        """True once per key and life time: remembers that it was asked."""

    async def take(self, key: str, number: int, *, per_s: float, most: float) -> int:
        """How many of `number` are free, which are taken then, atomically, whoever asks.

        At first `most` are; of those taken `per_s` become free again in each second.
        """

    async def health(self) -> Health:
        """How it is."""
