"""Dashboards show metrics that exist, say what to do in two languages, and are as their declarations say."""

from __future__ import annotations

import json
import re

from deploy.alerts.rules import ALERTS
from deploy.dashboards.__main__ import FOLDER, files
from deploy.dashboards.every import DASHBOARDS
from deploy.generated import stale
from services.core.metrics import Metrics
from tests.unit.deploy.promql import names

DECLARED = {metric.name: metric for metric in Metrics().declared}
QUERIES = [
    *((panel.title.en, query.expr) for board in DASHBOARDS for panel in board.panels for query in panel.queries),
    *((alert.name, alert.expr) for alert in ALERTS),
]
NOT_OURS = ("nv_", "ray_serve_", "process_", "up", "lydia:")


def test_the_seven_dashboards_are_there_and_not_stale() -> None:
    assert len(DASHBOARDS) == 7
    assert stale(files(), FOLDER.glob("*")) == [], "python -m deploy.dashboards writes them anew"


def test_every_query_asks_for_metrics_and_labels_that_are_declared() -> None:
    unknown = {}
    for where, expr in QUERIES:
        for name in names(expr):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            if name not in DECLARED and base not in DECLARED and not name.startswith(NOT_OURS):
                unknown[where] = name
        for name, matchers in re.findall(r"\b(lydia_\w+)\{([^}]*)\}", expr):
            metric = DECLARED.get(name) or DECLARED[re.sub(r"_(bucket|sum|count)$", "", name)]
            labels = set(re.findall(r"(\w+)\s*[=!]~?", matchers))
            if not labels <= {*metric.labels, "le"}:
                unknown[where] = f"{name} {labels}"
    assert unknown == {}


def test_the_names_in_a_query_are_found() -> None:
    expr = 'sum by (le, lane) (rate(lydia_a_bucket{lane="paid"}[$__rate_interval])) / on (x) max(b) > 1e6 offset 5m'
    assert names(expr) == {"lydia_a_bucket", "b"}


def test_panels_speak_two_languages_and_fit_side_by_side() -> None:
    chinese = re.compile("[\u4e00-\u9fff]")
    for path, text in files().items():
        board = json.loads(text)
        places = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            assert chinese.search(panel["title"]), (path, panel["title"])
            assert chinese.search(panel["description"])
            assert place["x"] + place["w"] <= 24
            places.add((place["x"], place["y"]))
            assert panel["targets"]
        assert len(places) == len(board["panels"])


def test_panels_name_only_alerts_that_there_are() -> None:
    known = {alert.name for alert in ALERTS}
    told = {name for text in files().values() for name in re.findall(r"\bLydia[A-Z]\w+", text)}
    assert told <= known
    assert len(told) > 20
