"""The chart, rendered once for every environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from deploy.chart.render import ENVIRONMENTS, Manifest, render
from deploy.chart.validation import Schemas


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    return Schemas()


@pytest.fixture(scope="session")
def rendered() -> Mapping[str, Sequence[Manifest]]:
    """By environment; "" is the chart's own values."""
    return {"": render()} | {name: render(values) for name, values in ENVIRONMENTS.items()}
