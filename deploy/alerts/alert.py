"""What an alert is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deploy.dashboards.panel import Source, Words

Severity = Literal["page", "ticket"]
"""page: somebody is to act now, at night too. ticket: on the next working day."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that asks for a person. `deploy/runbooks/NAME.md` says what to do."""

    name: str
    expr: str
    wait: str
    """How long it must hold before anybody is called."""
    severity: Severity
    summary: Words
    source: Source = "lydia"
    """Whose metrics it looks at."""
