"""Douyin's items as audience events, in the spellings of both official transports.

The webhook names the type in a header and sends an array of items; the live companion's plugin names it in each item.
Fields are those of the live data documentation (developer.open-douyin.com, live-room-scope); enter events have no
published table, so both known spellings are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.core.events import (
    LANE_AMBIENT,
    LANE_CHAT,
    AudienceEvent,
    Chat,
    Enter,
    FansClub,
    Follow,
    Gift,
    Like,
    Viewer,
)
from services.core.settings import KnownGift
from services.gateway import fields as read
from services.gateway.fields import BadField, Fields
from services.gateway.platform import BadItem, Incoming, Parsed, Unreadable, event_id

PLATFORM = "douyin"
COMMENT, GIFT, LIKE, FANS_CLUB = "live_comment", "live_gift", "live_like", "live_fansclub"
FOLLOW, ENTER = "live_follow", "live_enter"
DOCUMENTED = (COMMENT, GIFT, LIKE, FANS_CLUB)
ALIASES = {"live_user_enter_leave": ENTER, "live_enter_room": ENTER}
"""Sources disagree on what entering is called."""
KNOWN = frozenset({*DOCUMENTED, FOLLOW, ENTER, *ALIASES})

CROWD = {COMMENT: LANE_CHAT, LIKE: LANE_AMBIENT, FOLLOW: LANE_AMBIENT, ENTER: LANE_AMBIENT}
"""Types whose items nobody pays for. Items do not say whether who wrote is of the room's staff."""

TYPE_OF_KIND = {"chat": COMMENT, "gift": GIFT, "like": LIKE, "fans_club": FANS_CLUB, "follow": FOLLOW, "enter": ENTER}
"""Douyin's name for each kind of audience event."""

_FANS_REASONS = {1: FansClub.REASON_LEVEL_UP, 2: FansClub.REASON_JOINED, 16: FansClub.REASON_LEFT}
_FOLLOW_ACTIONS = {1: Follow.ACTION_FOLLOWED, 2: Follow.ACTION_UNFOLLOWED, 3: Follow.ACTION_FOLLOWED_BACK}
_LEFT_THE_ROOM = 2
_UNLISTED = KnownGift(name="")


class Items:
    """Makes events of items; `gifts` is the console's gift table by `sec_gift_id`."""

    def __init__(self, gifts: Mapping[str, KnownGift]) -> None:
        self._gifts = gifts

    def parse(self, typed: Iterable[tuple[str, object]], incoming: Incoming, *, transport: str) -> Parsed:
        """Events of (message type, item) pairs; a bad item costs only itself, an unknown type is counted."""
        events: list[AudienceEvent] = []
        bad: list[BadItem] = []
        unknown = 0
        for message_type, item in typed:
            try:
                fields = read.fields_of(item)
                if message_type in KNOWN:
                    events.append(self._event(message_type, fields, incoming, transport))
                else:
                    unknown += 1
            except BadField as error:
                bad.append(BadItem(read.encode(item), f"{message_type}: {error}"))
        return Parsed(tuple(events), tuple(bad), unknown)

    def _event(self, message_type: str, fields: Fields, incoming: Incoming, transport: str) -> AudienceEvent:
        message_id = read.identifier(fields, "msg_id")
        return AudienceEvent(
            event_id=event_id(PLATFORM, incoming.room_id, message_id),
            room_id=incoming.room_id,
            platform=PLATFORM,
            transport=transport,
            message_id=message_id,
            occurred_at_ms=read.time_ms(read.value(fields, "timestamp"), incoming.received_at_ms),
            received_at_ms=incoming.received_at_ms,
            viewer=Viewer(
                id=read.identifier(fields, "sec_openid"),
                name=read.text(fields, "nickname", limit=read.NAME_CHARS) or "",
                avatar_url=read.url(fields, "avatar_url"),
                level=read.level(fields, "user_privilege_level"),
                fans_club_level=read.level(fields, "fansclub_level"),
            ),
            test=read.flag(fields, "test"),
            **self._kind(ALIASES.get(message_type, message_type), fields),
        )

    def _kind(self, message_type: str, fields: Fields) -> dict[str, Any]:
        match message_type:
            case "live_comment":
                content = read.text(fields, "content", limit=read.TEXT_CHARS)
                if content is None:
                    raise BadField("content must be a text")
                return {"chat": Chat(text=content)}
            case "live_gift":
                return {"gift": self._gift(fields)}
            case "live_like":
                return {"like": Like(count=read.required_count(fields, "like_num"))}
            case "live_fansclub":
                reason = _FANS_REASONS.get(read.level(fields, "fansclub_reason_type"), FansClub.REASON_UNSPECIFIED)
                return {"fans_club": FansClub(reason=reason, level=read.level(fields, "fansclub_level"))}
            case "live_follow":
                # One official page spells it without the r.
                action = read.level(fields, "user_follow_action") or read.level(fields, "use_follow_action")
                return {"follow": Follow(action=_FOLLOW_ACTIONS.get(action, Follow.ACTION_UNSPECIFIED))}
            case _:
                return {"enter": Enter(left=read.level(fields, "enter_room_type") == _LEFT_THE_ROOM)}

    def _gift(self, fields: Fields) -> Gift:
        """`gift_value` is the value of the whole message; the plugin does not send it, so the table's price counts."""
        gift_id = read.identifier(fields, "sec_gift_id")
        known = self._gifts.get(gift_id, _UNLISTED)
        count = read.required_count(fields, "gift_num")
        value_fen = read.money_fen(fields, "gift_value")
        return Gift(
            gift_id=gift_id,
            name=known.name or read.text(fields, "gift_name", limit=read.NAME_CHARS) or "",
            count=count,
            value_fen=min(known.price_fen * count, read.MAX_INT64) if value_fen is None else value_fen,
            receiver_id=read.text(fields, "audience_sec_open_id", limit=read.ID_CHARS) or "",
        )


class WebhookItems:
    """The body of a push, or the `payload` of an entry of the failed data: an array of items of one type.

    `transport` is "webhook" or "fail_data". The object form {"roomid", "msg_type", "payload"} is understood, too.
    """

    platform = PLATFORM

    def __init__(self, items: Items, *, transport: str = "webhook") -> None:
        self.transport = transport
        self._items = items

    def parse(self, incoming: Incoming) -> Parsed:
        return self.events(self.items(incoming), incoming)

    def items(self, incoming: Incoming) -> list[object]:
        """Raises Unreadable."""
        body = read.decode(incoming.body)
        if isinstance(body, dict) and "payload" in body:
            body = self._payload(body, incoming)
        if not isinstance(body, list):
            raise Unreadable("the body is no array of items")
        return body

    def events(self, items: Iterable[object], incoming: Incoming) -> Parsed:
        """The events of a delivery's items."""
        return self._items.parse(((incoming.message_type, item) for item in items), incoming, transport=self.transport)

    def _payload(self, body: Mapping[str, Any], incoming: Incoming) -> Any:
        """The array inside the object form, which must not contradict the signed headers."""
        for name, expected in (("roomid", incoming.room_id), ("msg_type", incoming.message_type)):
            if body.get(name) not in (None, "") and str(body[name]) != expected:
                raise Unreadable(f"{name} in the body differs from the header")
        payload = body["payload"]
        return read.decode(payload.encode("utf-8", "replace")) if isinstance(payload, str) else payload


class PipeItems:
    """One line of the live companion's plugin: {"type": "event", "eventName": "OPEN_LIVE_DATA", "params": …}."""

    platform = PLATFORM
    transport = "pipe"

    def __init__(self, items: Items) -> None:
        self._items = items

    def parse(self, incoming: Incoming) -> Parsed:
        line = read.decode(incoming.body)
        if not isinstance(line, dict):
            raise Unreadable("the line is no object")
        if line.get("type") != "event" or line.get("eventName") != "OPEN_LIVE_DATA":
            return Parsed(unknown=1)
        params = line.get("params")
        payload = params.get("payload") if isinstance(params, dict) else None
        if not isinstance(payload, list):
            raise Unreadable("params.payload is no array of items")
        return self._items.parse(((_type_of(item), item) for item in payload), incoming, transport=self.transport)


_PIPE_TYPES = {1: LIKE, 2: COMMENT, 3: GIFT, 4: FANS_CLUB, 5: FOLLOW, 7: ENTER}


def _type_of(item: object) -> str:
    """The type an item of the plugin names, by word or by number; "" when it names none."""
    if not isinstance(item, dict):
        return ""
    word = item.get("msg_type_str")
    if isinstance(word, str) and word in KNOWN:
        return word
    return _PIPE_TYPES.get(read.whole(item.get("msg_type")) or 0, "")
