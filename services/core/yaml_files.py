"""Reads the YAML files that come with her."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def read_yaml(path: Path) -> Any:
    """What the file holds. Raises OSError, UnicodeDecodeError, yaml.YAMLError."""
    # The C loader is ten times as fast, and as safe.
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
