"""Audience events as the two official transports spell them."""

from __future__ import annotations

from typing import Any

from services.core.events import AudienceEvent, FansClub
from services.gateway.douyin_items import COMMENT, ENTER, FANS_CLUB, FOLLOW, GIFT, LIKE, TYPE_OF_KIND

Item = dict[str, Any]

_REASONS = {FansClub.REASON_LEVEL_UP: 1, FansClub.REASON_JOINED: 2, FansClub.REASON_LEFT: 16}
_PIPE_NUMBERS = {LIKE: 1, COMMENT: 2, GIFT: 3, FANS_CLUB: 4, FOLLOW: 5, ENTER: 7}


def webhook_item(event: AudienceEvent, message_id: str, timestamp: int) -> tuple[str, Item]:
    """The message type, and the item of a push."""
    kind = event.WhichOneof("kind") or ""
    item: Item = {"msg_id": message_id, "sec_openid": event.viewer.id}
    match kind:
        case "chat":
            item["content"] = event.chat.text
        case "gift":
            gift = event.gift
            item |= {"sec_gift_id": gift.gift_id, "gift_num": gift.count, "gift_value": gift.value_fen}
        case "like":
            item["like_num"] = event.like.count
        case "follow":
            item["user_follow_action"] = event.follow.action
        case "enter":
            item["enter_room_type"] = 2 if event.enter.left else 1
    item |= {"avatar_url": event.viewer.avatar_url, "nickname": event.viewer.name, "timestamp": timestamp}
    if kind == "fans_club":
        item |= {"fansclub_reason_type": _REASONS[event.fans_club.reason], "fansclub_level": event.fans_club.level}
    return TYPE_OF_KIND[kind], item


def pipe_item(event: AudienceEvent, message_id: str, timestamp: int) -> Item:
    """An item of the live companion's plugin: the viewer's levels, but no gift value."""
    message_type, item = webhook_item(event, message_id, timestamp)
    item["sec_open_id"] = item.pop("sec_openid")
    item.pop("gift_value", None)
    item |= {"msg_type": _PIPE_NUMBERS[message_type], "msg_type_str": message_type}
    item["user_privilege_level"] = event.viewer.level
    item.setdefault("fansclub_level", event.viewer.fans_club_level)
    if message_type == ENTER:
        item["msg_type_str"] = "live_enter_room"
    return item


def pipe_line(items: list[Item]) -> Item:
    """The plugin's event that carries items."""
    return {"type": "event", "eventName": "OPEN_LIVE_DATA", "params": {"payload": items}}
