"""Messages without a platform: what a page, a script or a bridge of another platform sends over HTTP.

    {"id": "optional", "viewer": {"id": "u1", "name": "Mei"}, "text": "hello"}

Instead of `text` there may be one of `gift` {"name", "count", "value_fen"}, `like` {"count"}, `follow` {}, `enter` {}.
Nobody vouches for these, so their events are marked as a test.
"""

from __future__ import annotations

from typing import Any

from services.core.events import AudienceEvent, Chat, Enter, Follow, Gift, Like, Viewer
from services.core.ids import Ids
from services.gateway import fields as read
from services.gateway.fields import BadField
from services.gateway.platform import BadItem, Incoming, Parsed, event_id

SIMULATED = ("gift", "like", "follow", "enter")


class Direct:
    """See the module's text. A message without an id gets one from `ids`."""

    platform = "direct"
    transport = "http"

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    def parse(self, incoming: Incoming) -> Parsed:
        item = read.decode(incoming.body)
        try:
            return Parsed(events=(self._event(item, incoming),))
        except BadField as bad:
            return Parsed(bad=(BadItem(read.encode(item), str(bad)),))

    def _event(self, item: Any, incoming: Incoming) -> AudienceEvent:
        fields = read.fields_of(item)
        viewer = fields.get("viewer")
        if not isinstance(viewer, dict):
            raise BadField('viewer is missing: {"id": …, "name": …}')
        viewer_fields = read.fields_of(viewer)
        message_id = read.identifier(fields, "id") if fields.get("id") is not None else self._ids.new()
        return AudienceEvent(
            event_id=event_id(self.platform, incoming.room_id, message_id),
            room_id=incoming.room_id,
            platform=self.platform,
            transport=self.transport,
            message_id=message_id,
            occurred_at_ms=incoming.received_at_ms,
            received_at_ms=incoming.received_at_ms,
            viewer=Viewer(
                id=read.identifier(viewer_fields, "id"),
                name=read.text(viewer_fields, "name", limit=read.NAME_CHARS) or "",
            ),
            test="text" not in fields,
            **_kind(fields),
        )


def _kind(fields: read.Fields) -> dict[str, Any]:
    """The event's kind as the one field of its oneof. Raises BadField."""
    given = [name for name in ("text", *SIMULATED) if fields.get(name) is not None]
    if len(given) != 1:
        raise BadField(f"exactly one of text, {', '.join(SIMULATED)} is needed")
    name = given[0]
    if name == "text":
        if not isinstance(fields["text"], str):
            raise BadField("text is no text")
        text = read.clean(fields["text"], read.TEXT_CHARS)
        if not text:
            raise BadField("text is empty")
        return {"chat": Chat(text=text)}
    details = fields[name]
    if not isinstance(details, dict):
        raise BadField(f"{name} is no object")
    inner = {"count": 1, **read.fields_of(details)}
    match name:
        case "gift":
            label = read.text(inner, "name", limit=read.NAME_CHARS) or ""
            return {
                "gift": Gift(
                    gift_id=read.text(inner, "giftid", limit=read.ID_CHARS) or label,
                    name=label,
                    count=read.required_count(inner, "count"),
                    value_fen=read.money_fen(inner, "valuefen") or 0,
                )
            }
        case "like":
            return {"like": Like(count=read.required_count(inner, "count"))}
        case "follow":
            return {"follow": Follow(action=Follow.ACTION_FOLLOWED)}
        case _:
            return {"enter": Enter()}
