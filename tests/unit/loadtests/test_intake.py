"""The intake's judge and its pushes."""

from __future__ import annotations

import random
from collections import Counter

from loadtests.intake import Found, account, growth, verdict
from loadtests.pushing import ITEMS, KINDS, PUSHES_PER_S, Sent, push
from services.gateway.douyin_items import TYPE_OF_KIND
from services.gateway.platform import event_id


def test_one_seed_gives_one_second_of_pushes_with_every_kind_in_its_share() -> None:
    first, again = (
        [push(number, chance) for number in range(PUSHES_PER_S)] for chance in (random.Random(1), random.Random(1))
    )
    assert first == again
    types = Counter(message_type for _, message_type, _, _ in first)
    assert types == {TYPE_OF_KIND[kind]: KINDS.count(kind) for kind in set(KINDS)}
    gifts = [ids for _, _, _, ids in first if ids]
    assert all(len(ids) == len(set(ids)) == ITEMS for ids in gifts)
    assert len({gift for ids in gifts for gift in ids}) == len(gifts) * ITEMS
    room_id, _, items, ids = next(made for made in first if made[3])
    assert ids[0] == event_id("douyin", room_id, str(items[0]["msg_id"]))


def test_memory_is_judged_from_the_half_of_the_run_on() -> None:
    assert growth([100, 200, 300, 300, 300, 300]) == 0
    assert round(growth([100, 100, 100, 110]), 3) == 0.1
    assert growth([]) == 0


def test_a_gift_that_waits_is_not_lost_though_its_topic_was_trimmed() -> None:
    found = Found()
    account(Sent(gifts={"thanked", "waits"}), found, {"thanked": 1}, {"waits"}, unread=())
    assert (found.thanked, found.waiting, found.lost, found.doubled) == (1, 1, 0, 0)


def test_a_gift_that_was_read_and_neither_waits_nor_was_thanked_is_lost() -> None:
    found = Found()
    account(Sent(gifts={"gone", "to be read"}), found, {"twice": 2}, set(), unread={"to be read"})
    assert (found.thanked, found.waiting, found.lost, found.doubled) == (0, 0, 1, 1)


def test_what_is_not_as_promised_is_told() -> None:
    well = Sent(latencies_ms=[5.0] * 100)
    assert list(verdict(well, Found())) == []
    slow = Sent(latencies_ms=[5.0] * 98 + [501.0] * 2)
    slow.refused["503 unavailable"] = 1
    bad = Found(lost=2, doubled=1, unread=3, memory_mb={"gateway": [100, 100, 120, 150]})
    assert len(list(verdict(slow, bad))) == 6
