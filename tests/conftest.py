"""What a run leaves out is said at its end, where nobody can miss it."""

from __future__ import annotations

import pytest

from deploy.chart.validation import NoDefinitions, Schemas

CHART = "tests/integration/chart/"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Whose objects the chart's tests could not check. They need definitions that are not part of this project."""
    reports = (report for reports in terminalreporter.stats.values() for report in reports)
    if not any(CHART in getattr(report, "nodeid", "") for report in reports):
        return
    try:
        Schemas().complete()
    except NoDefinitions as missing:
        terminalreporter.section("not checked", red=True)
        terminalreporter.write_line(str(missing))
