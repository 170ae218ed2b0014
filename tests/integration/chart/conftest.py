"""The chart, rendered once for every environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import pytest

from deploy.chart.render import ENVIRONMENTS, Manifest, render
from deploy.chart.validation import NoDefinitions, Schemas


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    """What the operators' servers take. Where their definitions are not, the tests that need them say so and rest."""
    try:
        return Schemas()
    except NoDefinitions as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def rendered() -> Mapping[str, Sequence[Manifest]]:
    """By environment; "" is the chart's own values."""
    return {"": render()} | {name: render(values) for name, values in ENVIRONMENTS.items()}
