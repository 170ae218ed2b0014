"""What every adapter must keep to. Each adapter's tests inherit this and say how its deliveries look."""

from __future__ import annotations

import json
import random
from abc import ABC, abstractmethod
from typing import Any

import pytest

from services.core.events import AudienceEvent
from services.gateway.platform import Adapter, Incoming, Parsed, Unreadable, event_id

RECEIVED_MS = 1_767_225_600_000
NASTY = "\ud800a\x00b\u202ec\ufdd0\x1b[2J\u2028d\n\te\udfff"


class AdapterContract(ABC):
    """`one` builds the JSON of a chat message; `many` wraps several for a delivery."""

    message_type = ""
    batches = True

    @abstractmethod
    def adapter(self) -> Adapter: ...

    @abstractmethod
    def one(self, message_id: str, text: object, *, viewer: object = "u1", name: object = "Mei") -> dict[str, Any]: ...

    @abstractmethod
    def many(self, items: list[object]) -> object: ...

    def parse(self, *items: object) -> Parsed:
        return self.raw(json.dumps(self.many(list(items))).encode())

    def raw(self, body: bytes) -> Parsed:
        return self.adapter().parse(Incoming("room", body, RECEIVED_MS, self.message_type))

    def test_an_event_says_where_it_comes_from_and_carries_its_derived_id(self) -> None:
        (event,) = self.parse(self.one("m1", "hello")).events
        adapter = self.adapter()
        assert (event.platform, event.transport, event.room_id) == (adapter.platform, adapter.transport, "room")
        assert (event.message_id, event.event_id) == ("m1", event_id(adapter.platform, "room", "m1"))
        assert (event.viewer.id, event.viewer.name, event.chat.text) == ("u1", "Mei", "hello")
        assert event.received_at_ms == RECEIVED_MS

    def test_the_same_bytes_give_the_same_events(self) -> None:
        assert self.parse(self.one("m1", "hello")).events == self.parse(self.one("m1", "hello")).events

    def test_surrogates_and_control_characters_are_cleaned_away(self) -> None:
        (event,) = self.parse(self.one("m1", NASTY, name=NASTY)).events
        assert event.chat.text == event.viewer.name == "a bc [2J d e"
        assert AudienceEvent.FromString(event.SerializeToString()) == event

    def test_emoji_and_joined_emoji_stay(self) -> None:
        text = "👩‍🚀❤️ 🇨🇳 你好"
        assert self.parse(self.one("m1", text)).events[0].chat.text == text

    def test_a_text_is_cut_at_two_thousand_code_points(self) -> None:
        assert len(self.parse(self.one("m1", "字" * 5000)).events[0].chat.text) == 2000

    def test_fields_nobody_knows_are_ignored(self) -> None:
        assert len(self.parse(self.one("m1", "hello") | {"new": {"deep": [1]}}).events) == 1

    @pytest.mark.parametrize("viewer", [None, "", {}, [], True, "x" * 1000, 1.5])
    def test_a_viewer_without_an_id_makes_a_bad_item(self, viewer: object) -> None:
        parsed = self.parse(self.one("m1", "hello", viewer=viewer))
        assert (parsed.events, len(parsed.bad)) == ((), 1)

    @pytest.mark.parametrize("text", [{}, [], True])
    def test_a_text_that_is_none_makes_a_bad_item(self, text: object) -> None:
        parsed = self.parse(self.one("m1", text))
        assert (parsed.events, len(parsed.bad)) == ((), 1)
        assert json.loads(parsed.bad[0].raw)

    def test_a_bad_item_costs_its_neighbours_nothing(self) -> None:
        if not self.batches:
            pytest.skip("carries one item at a time")
        bad: list[object] = [None, 3, "x", [], {}, self.one("m", {}), self.one("m", "hi", viewer=None)]
        parsed = self.parse(self.one("m1", "a"), *bad, self.one("m2", "b"))
        assert [event.message_id for event in parsed.events] == ["m1", "m2"]
        assert len(parsed.bad) + parsed.unknown == len(bad)

    def test_a_reason_never_repeats_what_a_viewer_wrote(self) -> None:
        parsed = self.parse(self.one("m1", {"secret words": 1}, name="secret words"))
        assert "secret" not in parsed.bad[0].reason

    def test_broken_utf_8_costs_only_the_broken_character(self) -> None:
        body = json.dumps(self.many([self.one("m1", "hello", name="MARK")])).encode().replace(b"MARK", b"Me\xe5\xb0")
        (event,) = self.raw(body).events
        assert event.viewer.name.startswith("Me")
        assert event.chat.text == "hello"

    def test_noise_is_unreadable_and_nothing_worse(self) -> None:
        chance = random.Random(7)
        good = json.dumps(self.many([self.one("m1", "hello")])).encode()
        for _ in range(500):
            at = chance.randrange(len(good))
            body = good[:at] + chance.randbytes(chance.randrange(4)) + good[at + chance.randrange(6) :]
            try:
                parsed = self.raw(body)
            except Unreadable:
                continue
            assert isinstance(parsed, Parsed)
            for event in parsed.events:
                event.SerializeToString()
