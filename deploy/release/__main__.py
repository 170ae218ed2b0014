"""`python -m deploy.release [PART …]`: the chart on a real Kubernetes, from its first install to its last object."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import httpx

from deploy.chart.render import NAMESPACE, RELEASE, Refused
from deploy.chart.validation import CRDS_VARIABLE, WHERE
from deploy.local.process import ServerFailed
from deploy.release import composing, images, installing, network, performing
from deploy.release.binaries import KUBERNETES, CannotBuild, Programs
from deploy.release.cluster import WAIT
from deploy.release.control_plane import ControlPlane, control_plane
from deploy.release.declared import declared_nodes
from deploy.release.node import node, working_set_mb
from deploy.release.steps import NotProven, Report
from services.places import ROOT
from services.probe import Failed

BUILD = (ROOT / "build" / "release").resolve()
NO_DEFINITIONS = (
    "because the operators' definitions are missing. Mend: put them into ../shared/crds, or name their folder in "
    f"{CRDS_VARIABLE}: {WHERE}"
)


def main() -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; by default all")
    given = parser.parse_args().parts or list(PARTS)
    if unknown := set(given) - PARTS.keys():
        parser.error(f"no part {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    report = Report(BUILD / "report.txt")
    try:
        asyncio.run(_prove(given, report))
    except subprocess.CalledProcessError as error:
        report.say(f"NOT PROVEN: {error}\n{error.stderr or ''}")
    except (
        CannotBuild,
        ServerFailed,
        NotProven,
        Refused,
        Failed,
        OSError,
        httpx.HTTPError,
        subprocess.SubprocessError,
    ) as error:
        report.say(f"NOT PROVEN: {error}")
    except KeyboardInterrupt:
        report.say("stopped")
    else:
        return 0
    return 1


async def _prove(parts: Sequence[str], report: Report) -> None:
    programs = Programs(report.say)
    for part in parts:
        await PARTS[part](programs, report)


async def _on_declared_nodes(programs: Programs, report: Report) -> None:
    begun = time.monotonic()
    async with control_plane(programs, BUILD / "declared") as made:
        with declared_nodes(made):
            took = time.monotonic() - begun
            report.say(f"Kubernetes {KUBERNETES} and {len(made.cluster.get('nodes'))} declared nodes ({took:.0f} s)")
            known = installing.definitions(made.cluster, programs, report)
            # Development alone needs no operator.
            for case in [case for case in installing.CASES if known or case.name == "development"]:
                installing.proof(made.cluster, case, report)
            memory = made.memory_mb()
    report.say(f"memory: {_told(memory)}")
    if not known:
        raise NotProven(f"all but development, {NO_DEFINITIONS}")
    report.say("proven: the chart is installed, upgraded, rolled back and uninstalled by a real API server")


async def _images_twice(_: Programs, report: Report) -> None:
    await images.twice(BUILD / "images", report)
    report.say("proven: two builds of an image have the same layers")


async def _on_a_real_node(programs: Programs, report: Report) -> None:
    saved = await images.archive(programs, BUILD / "images", report)
    begun = time.monotonic()
    async with (
        control_plane(programs, BUILD / "real") as made,
        node(programs, made, BUILD / "node") as here,
        network.enforcing(programs, made),
    ):
        report.say(f"Kubernetes {KUBERNETES} and a real node ({time.monotonic() - begun:.0f} s)")
        with report.step("the images are on the node"):
            here.bring(saved)
        saved.unlink()
        if not installing.definitions(made.cluster, programs, report):
            raise NotProven(f"the audience on Ray, {NO_DEFINITIONS}")
        for shown in (partial(performing.proof, programs), performing.development):
            with _uninstalled(made, report):
                await shown(made.cluster, here, report)
        memory = made.memory_mb()
    report.say(f"memory of the programs: {_told(memory)}")
    report.say(
        "proven: on a real node, which enforces the network policies, a signed push is answered with voice and frames, "
        "and no gift is lost, whether pods are killed, upgraded or rolled back"
    )


async def _composed(programs: Programs, report: Report) -> None:
    await composing.proof(programs, BUILD / "images", report)
    report.say(
        "proven: deploy/compose.yaml brings her up; a message is answered with voice and frames, and no gift is lost, "
        "whether containers are killed or made anew"
    )


@contextmanager
def _uninstalled(made: ControlPlane, report: Report) -> Iterator[None]:
    """Afterwards nothing is left of the release; where something failed, what its pods said is kept."""
    try:
        yield
        report.say(f"memory of the pods, without pages that could be given back: {_told(working_set_mb(made))}")
    except Exception as error:
        report.say(f"FAILED: {error}")  # before what follows fails for the same reason
        performing.keep(made.cluster, BUILD / "pods")
        report.say(f"what the pods said is in {BUILD / 'pods'}")
        raise
    finally:
        with report.step("uninstall"):
            made.cluster.helm("uninstall", RELEASE, "--ignore-not-found", *WAIT)
            made.cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s")


def _told(memory_mb: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {mb:.0f} MB" for name, mb in memory_mb.items())


PARTS: Mapping[str, Callable[[Programs, Report], Awaitable[None]]] = {
    "declared": _on_declared_nodes,
    "images": _images_twice,
    "real": _on_a_real_node,
    "compose": _composed,
}

if __name__ == "__main__":
    sys.exit(main())
