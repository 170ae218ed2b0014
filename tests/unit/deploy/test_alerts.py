"""Each alert fires when it must, is silent on a healthy show, and names a page that says what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.alerts.__main__ import FOLDER, wanted
from deploy.alerts.rules import ALERTS, RUNBOOKS, told
from deploy.generated import stale
from services.places import ROOT
from tests.unit.deploy.alert_cases import FIRES, WELL
from tests.unit.deploy.promql import names

PAGES = ROOT / RUNBOOKS
NAMES = {alert.name for alert in ALERTS}
WELL_MINUTES = 130
SECTIONS = ("What viewers notice", "Look at", "Do", "观众看到什么", "先看", "处理")


RULES = [
    rule
    for path in sorted(FOLDER.glob("*"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
"""As they are in the repository."""


def promtool(folder: Path, tests: Sequence[dict[str, Any]], *, rules: Sequence[dict[str, Any]] = RULES) -> Path:
    """Writes a file of unit tests of these rules. Returns its path."""
    number = len(list(folder.iterdir()))
    (folder / f"rules{number}.yaml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": list(rules)}]}))
    path = folder / f"tests{number}.yaml"
    content = {"rule_files": [f"rules{number}.yaml"], "evaluation_interval": "1m", "tests": list(tests)}
    path.write_text(yaml.safe_dump(content))
    return path


def disagrees(*files: Path) -> str:
    """What promtool says of the files' tests; "" when all pass."""
    if shutil.which("promtool") is None:
        pytest.fail("promtool is missing. Mend: run deploy/prometheus.sh")
    done = subprocess.run(["promtool", "test", "rules", *files], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def of(name: str) -> list[dict[str, Any]]:
    """The rules of an alert, and what they have recorded: all others would only cost time."""
    alerts = [rule for rule in RULES if rule.get("alert") == name]
    used = {metric for rule in alerts for metric in names(rule["expr"])}
    return [rule for rule in RULES if rule.get("record") in used] + alerts


def expected(name: str, severities: tuple[str, ...], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"exp_labels": {"severity": alert.severity, **labels}, "exp_annotations": told(alert)}
        for alert in ALERTS
        if alert.name == name and (not severities or alert.severity in severities)
    ]


def world(series: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in series.items()]


def test_each_alert_fires_when_it_must(tmp_path: Path) -> None:
    files = []
    for name, of_alert in FIRES.items():
        tests = [
            {
                "interval": "1m",
                "name": name,
                "input_series": world(case.series),
                "alert_rule_test": [
                    {
                        "eval_time": f"{case.minutes}m",
                        "alertname": name,
                        "exp_alerts": expected(name, case.severities, case.labels),
                    }
                ],
            }
            for case in of_alert
        ]
        files.append(promtool(tmp_path, tests, rules=of(name)))
    assert disagrees(*files) == ""
    assert FIRES.keys() == NAMES


def test_no_alert_fires_on_a_healthy_show(tmp_path: Path) -> None:
    silent = [
        {"eval_time": f"{minutes}m", "alertname": name, "exp_alerts": []}
        for minutes in (20, 60, WELL_MINUTES)
        for name in sorted(NAMES)
    ]
    healthy = {"interval": "1m", "name": "healthy", "input_series": world(WELL), "alert_rule_test": silent}
    assert disagrees(promtool(tmp_path, [healthy])) == ""


def test_the_healthy_show_has_all_that_alerts_look_at() -> None:
    there = {re.split(r"[{ ]", series)[0] for series in WELL}
    wanted = {name for alert in ALERTS for name in names(alert.expr) if not name.startswith("lydia:")}
    assert wanted - there == set()


def test_a_silence_that_should_have_been_an_alarm_is_found(tmp_path: Path) -> None:
    """The tests themselves are tested: promtool must disagree when an alert does not fire."""
    quiet = {
        "interval": "1m",
        "name": "quiet",
        "input_series": world({"lydia_stage_unattended_rooms": "0x20"}),
        "alert_rule_test": [
            {"eval_time": "10m", "alertname": "LydiaNoOperator", "exp_alerts": expected("LydiaNoOperator", (), {})}
        ],
    }
    assert "LydiaNoOperator" in disagrees(promtool(tmp_path, [quiet], rules=of("LydiaNoOperator")))


def test_the_rules_are_what_the_declarations_say() -> None:
    assert stale(wanted(), FOLDER.glob("*")) == [], "python -m deploy.alerts writes them anew"


def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} - {"README"} == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_page_says_in_both_languages_what_to_do(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    for summary in {(alert.summary.en, alert.summary.zh) for alert in ALERTS if alert.name == name}:
        assert text.startswith(f"# {name}\n\n{summary[0]}.\n{summary[1]}。\n")
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert tuple(found) == SECTIONS
    for section in SECTIONS:
        assert len(text.split(f"## {section}\n")[1].split("## ")[0].strip()) > 3, f"{section} is empty"
    assert set(re.findall(r"\bLydia[A-Z]\w+", text)) <= NAMES
