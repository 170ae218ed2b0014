"""The audience service: what she answers, and when."""

from __future__ import annotations

from services.audience.service import Audience
from services.building.part import Part, Ports, Shared
from services.core.settings import Settings


def build(settings: Settings, ports: Ports, shared: Shared) -> Part:
    """Decides in this process, or feeds the application on Ray Serve where one is named. Raises CannotStart."""
    if settings.ray.url:
        from services.audience.bridge import Bridge
        from services.audience.remote import RemoteRooms

        rooms = RemoteRooms(settings.ray.url, shared.http())
        bridge = Bridge(ports.bus, ports.state, ports.telemetry, rooms, settings.ray)
        return Part({"audience": bridge}, drain=bridge.drain)
    audience = decider(settings, ports, shared, max_rooms=settings.stage.max_rooms)
    return Part({"audience": audience}, drain=audience.drain)


def decider(settings: Settings, ports: Ports, shared: Shared, *, max_rooms: int) -> Audience:
    """What decides, wherever its records come from. Raises CannotStart."""
    return Audience(
        ports.bus,
        ports.state,
        ports.clock,
        ports.telemetry,
        settings.audience,
        moderator=shared.moderator,
        record_dir=settings.record_dir,
        record_topic=settings.record_topic,
        max_rooms=max_rooms,
    )
