"""The stage: where rooms are performed, watched and directed."""

from __future__ import annotations

from services.building.part import CannotStart, Part, Ports, Shared
from services.core.settings import Settings
from services.operators import operator_token
from services.places import BODY, PAGES
from services.stage import http
from services.stage.service import Stage
from services.stage.vrm_file import BadVrm
from services.stage.vrm_file import read as read_vrm


def build(settings: Settings, ports: Ports, shared: Shared) -> Part:
    """Performs rooms, and answers for their pages, their stream and the console. Raises CannotStart."""
    if settings.stage.avatar is not None:
        try:
            read_vrm(settings.stage.avatar)
        except BadVrm as error:
            found = f"stage.avatar (LYDIA_STAGE__AVATAR) = {str(settings.stage.avatar)!r}"
            raise CannotStart(f"{found}: {error}, or unset it to let her wear her own body.") from None
    stage = Stage(ports.bus, ports.state, ports.clock, ports.ids, ports.telemetry, shared.moderator, settings.stage)
    routes = http.router(
        stage,
        operator_token=operator_token(settings),
        web=PAGES,
        avatar=BODY,
        own=settings.stage.avatar,
        start_room=settings.room,
    )
    return Part({"stage": stage}, (routes,), listening=stage.listening, drain=stage.drain)
