"""The services, by name."""

from __future__ import annotations

from typing import Literal, get_args

Name = Literal["gateway", "audience", "chat", "speech", "motion", "stage"]
NAMES: tuple[Name, ...] = get_args(Name)
"""In the order of the data's way, which is also the order in which they stop."""
