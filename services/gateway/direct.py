"""Messages without a platform: what a page, a script or a bridge of another platform sends over HTTP.

    {"id": "optional", "viewer": {"id": "u1", "name": "Mei"}, "text": "hello"}

Instead of `text` there may be one of `gift` {"name", "count", "value_fen"}, `like` {"count"}, `follow` {}, `enter` {}.
Nobody vouches for these, so their events are marked as a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
        viewer = read.value(fields, "viewer")
        if not isinstance(viewer, dict):
            raise BadField('viewer must be an object: {"id": …, "name": …}')
        viewer_fields = read.fields_of(viewer)
        with _within("viewer"):
            viewer_id = read.identifier(viewer_fields, "id")
        message_id = self._ids.new() if read.value(fields, "id") is None else read.identifier(fields, "id")
        kind = _kind(fields)
        return AudienceEvent(
            event_id=event_id(self.platform, incoming.room_id, message_id),
            room_id=incoming.room_id,
            platform=self.platform,
            transport=self.transport,
            message_id=message_id,
            occurred_at_ms=incoming.received_at_ms,
            received_at_ms=incoming.received_at_ms,
            viewer=Viewer(
                id=viewer_id,
                name=read.text(viewer_fields, "name", limit=read.NAME_CHARS) or "",
            ),
            test="chat" not in kind,
            **kind,
        )


def _kind(fields: read.Fields) -> dict[str, Any]:
    """The event's kind as the one field of its oneof. Raises BadField."""
    given = [name for name in ("text", *SIMULATED) if read.value(fields, name) is not None]
    if len(given) != 1:
        raise BadField(f"exactly one of text, {', '.join(SIMULATED)} is needed")
    name, details = given[0], read.value(fields, given[0])
    if name == "text":
        text = read.clean(details, read.TEXT_CHARS) if isinstance(details, str) else ""
        if not text:
            raise BadField("text must be a text that is not empty")
        return {"chat": Chat(text=text)}
    if not isinstance(details, dict):
        raise BadField(f"{name} must be an object")
    with _within(name):
        return _simulated(name, {"count": 1, **read.fields_of(details)})


def _simulated(name: str, inner: read.Fields) -> dict[str, Any]:
    match name:
        case "gift":
            label = read.text(inner, "name", limit=read.NAME_CHARS) or ""
            return {
                "gift": Gift(
                    gift_id=read.text(inner, "gift_id", limit=read.ID_CHARS) or label,
                    name=label,
                    count=read.required_count(inner, "count"),
                    value_fen=read.money_fen(inner, "value_fen") or 0,
                )
            }
        case "like":
            return {"like": Like(count=read.required_count(inner, "count"))}
        case "follow":
            return {"follow": Follow(action=Follow.ACTION_FOLLOWED)}
        case _:
            return {"enter": Enter()}


@contextmanager
def _within(name: str) -> Iterator[None]:
    """Names the object in which a field is bad."""
    try:
        yield
    except BadField as bad:
        raise BadField(f"{name}.{bad}") from None
