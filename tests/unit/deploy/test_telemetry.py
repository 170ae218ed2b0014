"""Metrics are named as Prometheus and OpenTelemetry want it, bounded in number, and told of on a page that is true."""

from __future__ import annotations

import re

import pytest

from deploy import telemetry
from deploy.generated import stale
from services.core.metrics import LABELS, Declared, Metrics

DECLARED = Metrics().declared
NO_BASE_UNIT = re.compile(r"_(ms|millis\w*|us|micros\w*|ns|minutes?|hours?|days?|percent|fen|kb|mb|gb|factor|per)(_|$)")
"""Units that are not base units: seconds, bytes, ratios and yuan are."""
OF_HISTOGRAMS = ("_bucket", "_sum", "_count", "_info", "_created")
UNBOUNDED = re.compile(r"(^|_)(id|room|viewer|turn|epoch|text|name|url|path|address|instance|message)(_|$)")


def wrong(metric: Declared) -> list[str]:
    """What is wrong with a metric's name and labels."""
    name, found = metric.name, []
    if not re.fullmatch(r"lydia(_[a-z][a-z0-9]*)+", name):
        found.append("is no snake case below lydia_")
    if NO_BASE_UNIT.search(name):
        found.append("has a unit that is no base unit")
    if name.endswith("_total") != (metric.kind == "counter"):
        found.append("ends in _total exactly if it is a counter")
    if name.endswith(OF_HISTOGRAMS):
        found.append("has a suffix that belongs to histograms")
    if metric.kind == "histogram" and telemetry.unit(metric) == "1":
        found.append("does not say its unit")
    for label in metric.labels:
        if label not in LABELS:
            found.append(f"has the label {label}, which LABELS does not explain")
        if UNBOUNDED.search(label):
            found.append(f"has the label {label}, whose values have no bound")
    if not metric.meaning.strip() or metric.meaning.endswith("."):
        found.append("has no meaning, or one that ends in a full stop")
    return found


def test_every_metric_keeps_to_the_conventions() -> None:
    assert {metric.name: found for metric in DECLARED if (found := wrong(metric))} == {}
    assert len({metric.name for metric in DECLARED}) == len(DECLARED) > 40


@pytest.mark.parametrize(
    "bad",
    [
        Declared("each", "gauge", "lydia_wait_ms", (), "m"),
        Declared("each", "counter", "lydia_turns", (), "m"),
        Declared("each", "gauge", "lydia_rooms_total", (), "m"),
        Declared("each", "histogram", "lydia_wait", (), "m"),
        Declared("each", "gauge", "lydiaWaiting", (), "m"),
        Declared("each", "gauge", "lydia_waiting_events", ("room_id",), "m"),
        Declared("each", "gauge", "lydia_waiting_events", ("colour",), "m"),
        Declared("each", "gauge", "lydia_waiting_events", (), ""),
    ],
)
def test_what_breaks_a_convention_is_found(bad: Declared) -> None:
    assert wrong(bad)


def test_the_declarations_are_what_the_registry_exports() -> None:
    metrics = Metrics()
    exported = {f"{family.name}{'_total' if family.type == 'counter' else ''}" for family in metrics.registry.collect()}
    assert exported == {metric.name for metric in metrics.declared}


def test_no_label_is_explained_that_no_metric_has() -> None:
    assert set(LABELS) == {label for metric in DECLARED for label in metric.labels}


def test_the_page_is_what_the_declarations_say() -> None:
    assert stale({telemetry.PAGE: telemetry.page()}, ()) == [], "python -m deploy.telemetry writes it anew"
    assert all(f"| `{metric.name}` |" in telemetry.page() for metric in DECLARED)
