"""The chart, rendered once for every environment."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence

import pytest

from deploy.chart.render import ENVIRONMENTS, Manifest, render
from deploy.chart.validation import NoDefinitions, Schemas


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    """What the servers take. Of operators whose definitions are not there, the end of the run says that their objects
    were not checked; where CI is set, that fails.
    """
    schemas = Schemas()
    try:
        schemas.complete()
    except NoDefinitions as missing:
        if os.environ.get("CI"):
            raise
        warnings.warn(str(missing), stacklevel=1)
    return schemas


@pytest.fixture(scope="session")
def rendered() -> Mapping[str, Sequence[Manifest]]:
    """By environment; "" is the chart's own values."""
    return {"": render()} | {name: render(values) for name, values in ENVIRONMENTS.items()}
