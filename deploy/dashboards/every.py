"""All dashboards."""

from __future__ import annotations

from deploy.dashboards import audience, milliseconds, models, money, on_air, safety, servers

DASHBOARDS = tuple(module.DASHBOARD for module in (on_air, milliseconds, servers, models, audience, safety, money))
