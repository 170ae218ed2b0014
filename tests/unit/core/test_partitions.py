"""Progress in a partition: the lowest unfinished offset, whatever the order in which records are finished."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.core.bus.partitions import Progress, partition_of


def given_out(*offsets: int, start: int = 0) -> Progress:
    progress = Progress(start)
    for offset in offsets:
        progress.give(offset)
    return progress


def test_a_key_stays_in_its_partition() -> None:
    """Records are stored by it: another version must find the same."""
    assert [partition_of(key, 4) for key in ("a", "b", "room1", "直播间", "")] == [3, 1, 2, 0, 0]


def test_nothing_given_out_is_nothing_unfinished() -> None:
    progress = Progress(7)
    assert (progress.position, progress.committed, progress.unfinished) == (7, 7, 0)


def test_what_is_finished_out_of_order_waits_for_the_lowest() -> None:
    progress = given_out(0, 1, 2, 3)
    for offset, committed in ((2, 0), (1, 0), (0, 3), (3, 4)):
        progress.finish(offset)
        assert progress.committed == committed
    assert progress.unfinished == 0


def test_missing_offsets_are_skipped() -> None:
    progress = given_out(5, 9, start=1)
    assert progress.committed == 5
    progress.finish(5)
    assert progress.committed == 9
    progress.finish(9)
    assert (progress.committed, progress.position) == (10, 10)


@given(st.permutations(range(12)), st.integers(0, 12))
def test_the_committed_offset_is_the_lowest_unfinished_one(order: list[int], count: int) -> None:
    progress = given_out(*range(12))
    for offset in order[:count]:
        progress.finish(offset)
        progress.finish(offset)
    assert progress.committed == min(set(range(13)) - set(order[:count]))
    assert progress.position == 12
