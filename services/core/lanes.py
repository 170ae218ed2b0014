"""Which lane an audience event belongs to."""

from __future__ import annotations

from services.core.events import (
    LANE_AMBIENT,
    LANE_CHAT,
    LANE_PAID,
    AudienceEvent,
    FansClub,
    Follow,
    Lane,
)


def lane_of(event: AudienceEvent) -> Lane | None:
    """The lane of an event; None when there is nothing to say about it."""
    match event.WhichOneof("kind"):
        case "gift" | "super_chat":
            return LANE_PAID
        case "fans_club":
            thanked = event.fans_club.reason in (FansClub.REASON_JOINED, FansClub.REASON_LEVEL_UP)
            return LANE_PAID if thanked else None
        case "chat":
            return LANE_CHAT
        case "like" | "share":
            return LANE_AMBIENT
        case "follow":
            return None if event.follow.action == Follow.ACTION_UNFOLLOWED else LANE_AMBIENT
        case "enter":
            return None if event.enter.left else LANE_AMBIENT
        case _:
            return None


def value_fen(event: AudienceEvent) -> int:
    """What the viewer gave with it, in fen (0.01 CNY)."""
    match event.WhichOneof("kind"):
        case "gift":
            return max(event.gift.value_fen, 0)
        case "super_chat":
            return max(event.super_chat.value_fen, 0)
        case _:
            return 0


def given_fen(event: AudienceEvent) -> int:
    """What was really given, in fen: a platform's tests are thanked like gifts, and cost nobody anything."""
    return 0 if event.test else value_fen(event)
