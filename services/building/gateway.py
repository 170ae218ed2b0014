"""The gateway: where audience events enter."""

from __future__ import annotations

from services.building.part import Part, Ports, Shared
from services.core.settings import Settings
from services.gateway import http
from services.gateway.direct import Direct
from services.gateway.douyin_service import Douyin
from services.gateway.service import Gateway
from services.gateway.shedding import Shedding


def build(settings: Settings, ports: Ports, shared: Shared) -> Part:
    """Takes pushes and messages over HTTP, and keeps Douyin's own data coming."""
    shedding = Shedding(settings.gateway, ports.bus, ports.state, ports.clock, ports.telemetry.metrics)
    gateway = Gateway(
        ports.bus,
        ports.clock,
        ports.telemetry,
        shedding,
        max_rooms=settings.stage.max_rooms,
        named={settings.room, *settings.douyin.rooms},
    )
    douyin = Douyin(
        settings.douyin,
        gateway,
        ports.bus,
        ports.state,
        ports.clock,
        ports.telemetry,
        shared.http,
        room_id=settings.room,
    )
    token = settings.auth.message_token
    routes = http.router(
        gateway,
        Direct(ports.ids),
        ports.clock,
        ports.telemetry,
        douyin=douyin.receiver,
        message_token=token.get_secret_value() if token else None,
    )
    return Part({"douyin": douyin, "shedding": shedding}, (routes,))
