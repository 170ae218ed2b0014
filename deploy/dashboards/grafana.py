"""A dashboard as Grafana's JSON.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/ describes it. Grafana
brings older schema versions up to its own when it reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.dashboards.panel import Dashboard, Panel, Source, Unit

SCHEMA = 39
"""Of Grafana 11, which later ones read."""
COLUMNS = 24
WIDE, STAT_WIDE, HIGH = 12, 6, 8
PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
UNITS: Mapping[Unit, str] = {"yuan": "currencyCNY"}
"""Where Grafana has another name."""
FROM: Mapping[Source, str] = {
    "ray": "Ray Serve, and the bridge to it",
    "triton": "Triton",
}


def grafana(dashboard: Dashboard) -> dict[str, Any]:
    """The whole JSON model."""
    return {
        "uid": f"lydia-{dashboard.name}",
        "title": f"Lydia · {dashboard.title.en} {dashboard.title.zh}",
        "description": f"{dashboard.reader.en}\n{dashboard.reader.zh}",
        "tags": ["lydia"],
        "schemaVersion": SCHEMA,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "annotations": {"list": []},
        "links": [{"type": "dashboards", "tags": ["lydia"], "title": "Lydia", "asDropdown": True}],
        "panels": _placed(dashboard),
    }


def _placed(dashboard: Dashboard) -> list[dict[str, Any]]:
    """The panels in their order, row by row."""
    placed, x, y = [], 0, 0
    for number, panel in enumerate(dashboard.panels, 1):
        width = STAT_WIDE if panel.kind == "stat" else WIDE
        if x + width > COLUMNS:
            x, y = 0, y + HIGH
        placed.append({"id": number, "gridPos": {"x": x, "y": y, "w": width, "h": HIGH}, **_panel(panel)})
        x += width
    return placed


def _panel(panel: Panel) -> dict[str, Any]:
    told = [panel.bad.en, panel.bad.zh]
    if panel.source in FROM:
        told.append(f"Source 来源: {FROM[panel.source]}.")
    return {
        "type": panel.kind,
        "title": f"{panel.title.en} · {panel.title.zh}",
        "description": "\n\n".join(told),
        "datasource": PROMETHEUS,
        "fieldConfig": {
            "defaults": {"unit": UNITS.get(panel.unit, panel.unit), "min": 0, "noValue": "–"},
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}} if panel.kind == "timeseries" else {},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": PROMETHEUS,
                "expr": query.expr,
                "legendFormat": query.legend,
            }
            for number, query in enumerate(panel.queries)
        ],
    }
