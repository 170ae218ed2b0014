"""The audience service: what she answers, and when."""

from __future__ import annotations

from services.audience.service import Audience
from services.building.part import Part, Ports, Shared
from services.core.settings import Settings


def build(settings: Settings, ports: Ports, shared: Shared) -> Part:
    """Decides in this process. Raises CannotStart."""
    audience = Audience(
        ports.bus,
        ports.state,
        ports.clock,
        ports.telemetry,
        settings.audience,
        moderator=shared.moderator,
        record_dir=settings.record_dir,
        max_rooms=settings.stage.max_rooms,
    )
    return Part({"audience": audience}, drain=audience.drain)
