"""Derived ids repeat, seeded ids repeat with their seed, random ids do not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.ids import RandomIds, SeededIds, derived

ID = re.compile(r"[0-9a-f]{32}")
parts = st.lists(st.text() | st.integers(), max_size=4)


def test_a_derived_id_never_changes() -> None:
    """Ids are in people's logs and in stored rooms: another version must derive the same."""
    assert derived("douyin", "room1", 7) == "e9cef85106ed13ea4b4eb01dda0aa5dd"


@given(parts)
def test_the_same_parts_give_the_same_id(values: list[str | int]) -> None:
    assert derived(*values) == derived(*values)
    assert ID.fullmatch(derived(*values))


@given(parts, parts)
def test_different_parts_give_different_ids(one: list[str | int], other: list[str | int]) -> None:
    same = [str(part) for part in one] == [str(part) for part in other]
    assert (derived(*one) == derived(*other)) is same


@pytest.mark.parametrize("split", [("ab", "c"), ("a", "bc"), ("abc",), ("a", "b", "c"), ("abc", "")])
def test_where_parts_are_split_matters(split: tuple[str, ...]) -> None:
    others = {("ab", "c"), ("a", "bc"), ("abc",), ("a", "b", "c"), ("abc", "")} - {split}
    assert derived(*split) not in {derived(*other) for other in others}


def test_text_that_is_no_valid_unicode_has_an_id_too() -> None:
    assert derived("\ud83d") != derived("\ud83e")


def test_seeded_ids_repeat_with_their_seed() -> None:
    one, same, other = SeededIds(1), SeededIds(1), SeededIds(2)
    first = [one.new() for _ in range(100)]
    assert first == [same.new() for _ in range(100)]
    assert not set(first) & {other.new() for _ in range(100)}
    assert len(set(first)) == 100
    assert all(ID.fullmatch(each) for each in first)


def test_random_ids_do_not_repeat() -> None:
    assert len({RandomIds().new() for _ in range(100)}) == 100
    assert ID.fullmatch(RandomIds().new())
