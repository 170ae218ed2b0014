"""The chart, rendered once for every environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import pytest

from deploy.chart.render import ENVIRONMENTS, Manifest, render
from deploy.chart.validation import Schemas


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    """What the servers take. Of operators whose definitions are not there, tests/conftest.py says at the end of the run
    that their objects were not checked; where CI is set, that fails.
    """
    schemas = Schemas()
    if os.environ.get("CI"):
        schemas.complete()
    return schemas


@pytest.fixture(scope="session")
def rendered() -> Mapping[str, Sequence[Manifest]]:
    """By environment; "" is the chart's own values."""
    return {"": render()} | {name: render(values) for name, values in ENVIRONMENTS.items()}
