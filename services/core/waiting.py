"""What waits for one room: in order, save that what is urgent overtakes what is not."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence, Set

from services.core.bus.port import Delivery


class Waiting:
    """Bounded by the bus, which delivers no more while too many records are unfinished.

    `urgent`: topics whose records go before all others, in their own order. A report of what was heard, or what an
    operator orders, must not stand in the queue of everything that a crowd writes.
    """

    def __init__(self, urgent: Set[str]) -> None:
        self._urgent = urgent
        self._first: deque[Delivery] = deque()
        self._others: deque[Delivery] = deque()

    def __len__(self) -> int:
        return len(self._first) + len(self._others)

    def put(self, delivery: Delivery) -> None:
        """It came last."""
        self._queue(delivery).append(delivery)

    def put_back(self, deliveries: Sequence[Delivery]) -> None:
        """These were taken last, and are to be taken again, in the same order."""
        for delivery in reversed(deliveries):
            self._queue(delivery).appendleft(delivery)

    def take(self, most: int, *, most_bytes: int | None = None) -> list[Delivery]:
        """Takes the next `most` out at most, of so many bytes together, but at least one if any waits."""
        taken: list[Delivery] = []
        size = 0
        for queue in (self._first, self._others):
            while queue and len(taken) < most:
                size += len(queue[0].record.value)
                if taken and most_bytes is not None and size > most_bytes:
                    return taken
                taken.append(queue.popleft())
        return taken

    def _queue(self, delivery: Delivery) -> deque[Delivery]:
        return self._first if delivery.record.topic in self._urgent else self._others
