"""What waits for one room keeps its order, whatever is taken out and put back; what is urgent goes first."""

from __future__ import annotations

from services.core.bus import Delivery, Record
from services.core.waiting import Waiting


def delivery(topic: str, name: str, size: int = 1) -> Delivery:
    return Delivery(Record(topic, "room", b"x" * size, {"ce_id": name}), partition=0, offset=name, finish=lambda: None)


def waiting(*names: str, size: int = 1) -> Waiting:
    """Names in capitals are urgent."""
    made = Waiting(frozenset(("urgent",)))
    for name in names:
        made.put(delivery("urgent" if name.isupper() else "usual", name, size))
    return made


def names(deliveries: list[Delivery]) -> str:
    return "".join(delivery.offset for delivery in deliveries)


def test_what_is_urgent_is_taken_first_each_in_its_order() -> None:
    queue = waiting(*"abAcB")
    assert len(queue) == 5
    assert names(queue.take(3)) == "ABa"
    assert names(queue.take(9)) == "bc"
    assert not queue


def test_what_is_put_back_comes_again_before_its_like_and_after_what_is_urgent() -> None:
    queue = waiting(*"abcA")
    taken = queue.take(3)
    assert names(taken) == "Aab"
    queue.put(delivery("urgent", "B"))
    queue.put_back(taken[1:])
    assert names(queue.take(9)) == "Babc"


def test_so_many_bytes_at_most_are_taken_but_at_least_one() -> None:
    queue = waiting(*"Aab", size=10)
    assert names(queue.take(9, most_bytes=5)) == "A"
    assert names(queue.take(9, most_bytes=19)) == "a"
    assert names(queue.take(9, most_bytes=20)) == "b"
