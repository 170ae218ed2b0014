"""`python -m deploy.release`: the chart on a real Kubernetes, from the first install to the last object's going."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import httpx

from deploy.chart.render import Refused
from deploy.chart.validation import CRDS_VARIABLE, WHERE
from deploy.local.process import ServerFailed
from deploy.release import installing
from deploy.release.binaries import KUBERNETES, CannotBuild, Programs
from deploy.release.control_plane import control_plane
from deploy.release.declared import declared_nodes
from deploy.release.steps import NotProven, Report
from services.places import ROOT

BUILD = ROOT / "build" / "release"


def main() -> int:
    """The command. Returns the exit code."""
    report = Report(BUILD / "report.txt")
    try:
        return asyncio.run(_on_declared_nodes(report))
    except (
        CannotBuild,
        ServerFailed,
        NotProven,
        Refused,
        OSError,
        httpx.HTTPError,
        subprocess.SubprocessError,
    ) as error:
        report.say(f"NOT PROVEN: {error}")
    except KeyboardInterrupt:
        report.say("stopped")
    return 1


async def _on_declared_nodes(report: Report) -> int:
    """Returns the exit code."""
    programs = Programs(report.say)
    begun = time.monotonic()
    async with control_plane(programs, BUILD / "control-plane") as made:
        with declared_nodes(made):
            took = time.monotonic() - begun
            report.say(f"Kubernetes {KUBERNETES} and {len(made.cluster.get('nodes'))} declared nodes ({took:.0f} s)")
            known = installing.definitions(made.cluster, programs, report)
            # Of the three, development alone needs no operator.
            for case in [case for case in installing.CASES if known or case.name == "development"]:
                installing.proof(made.cluster, case, report)
            memory = made.memory_mb()
    report.say(f"memory: {', '.join(f'{name} {mb:.0f} MB' for name, mb in memory.items())}")
    if not known:
        report.say(
            "NOT PROVEN: staging and production, because the operators' definitions are missing. Mend: put them into "
            f"../shared/crds, or name their folder in {CRDS_VARIABLE}: {WHERE}"
        )
        return 1
    report.say("proven: the chart is installed, upgraded, rolled back and uninstalled by a real API server")
    return 0


if __name__ == "__main__":
    sys.exit(main())
