"""Writes the dashboards for Grafana, where the chart takes them from.

python -m deploy.dashboards            writes charts/lydia/files/dashboards anew
python -m deploy.dashboards --check    says what is stale; exit code 1 when something is
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from deploy.dashboards.every import DASHBOARDS
from deploy.dashboards.grafana import grafana
from deploy.generated import write
from services.places import ROOT

FOLDER = ROOT / "charts" / "lydia" / "files" / "dashboards"


def files() -> dict[Path, str]:
    """What belongs into the folder."""
    return {
        FOLDER / f"{dashboard.name}.json": json.dumps(grafana(dashboard), indent=1, ensure_ascii=False) + "\n"
        for dashboard in DASHBOARDS
    }


if __name__ == "__main__":
    sys.exit(write(files(), FOLDER.glob("*"), check="--check" in sys.argv, again="python -m deploy.dashboards"))
