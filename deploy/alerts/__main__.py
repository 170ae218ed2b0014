"""Writes Prometheus' rules, where the chart takes them from.

python -m deploy.alerts            writes charts/lydia/files/rules anew
python -m deploy.alerts --check    says what is stale; exit code 1 when something is
"""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.alerts.rules import files
from deploy.generated import write
from services.places import ROOT

FOLDER = ROOT / "charts" / "lydia" / "files" / "rules"


def wanted() -> dict[Path, str]:
    """What belongs into the folder."""
    return {FOLDER / name: text for name, text in files().items()}


if __name__ == "__main__":
    sys.exit(write(wanted(), FOLDER.glob("*"), check="--check" in sys.argv, again="python -m deploy.alerts"))
