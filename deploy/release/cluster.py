"""A cluster, by the commands with which a person works on it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.chart.render import CHART, NAMESPACE, RELEASE, Manifest, Refused, helm
from services.places import ROOT

KUBECTL = ROOT / "build" / "kubernetes" / "kubectl"
COMMAND_S = 900.0
WAIT = ("--wait", "--timeout=180s")
OF_ITSELF = frozenset(
    {
        *("events", "events.events.k8s.io", "leases.coordination.k8s.io", "endpoints", "componentstatuses", "nodes"),
        "customresourcedefinitions.apiextensions.k8s.io",
    }
)
"""Kinds whose objects come and go without anybody's asking, and the operators' definitions, which are none of ours."""


@dataclass(frozen=True)
class Cluster:
    """Who may do everything in it. Everything raises Refused, with the words of the command."""

    kubeconfig: Path

    def kubectl(self, *arguments: str | Path, given: object = None) -> str:
        """What it prints. `given` are manifests, which it reads where a file is named `-`."""
        done = self._run(arguments, json.dumps(given) if given is not None else None)
        return done.stdout

    def apply(self, *manifests: Manifest, namespace: str = NAMESPACE) -> None:
        """Makes them, or makes them so."""
        everything = {"apiVersion": "v1", "kind": "List", "items": manifests}
        self.kubectl("apply", "--server-side", f"--namespace={namespace}", "--filename=-", given=everything)

    def tried(self, manifests: Sequence[Manifest], *, namespace: str = NAMESPACE) -> list[str]:
        """The server's warnings, were they made, or made so. Unknown fields are refused."""
        command = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
        everything = {"apiVersion": "v1", "kind": "List", "items": manifests}
        tried = self._run((*command, f"--namespace={namespace}", "--filename=-"), json.dumps(everything))
        return tried.stderr.splitlines()

    def get(self, *arguments: str, namespace: str = NAMESPACE) -> list[Manifest]:
        """The objects that `kubectl get` finds."""
        told = self.kubectl("get", *arguments, f"--namespace={namespace}", "--output=json")
        found: list[Manifest] = json.loads(told)["items"]
        return found

    def all_there_is(self) -> set[str]:
        """Every object of every kind, as KIND NAMESPACE/NAME, but those that come and go by themselves."""
        kinds = self.kubectl("api-resources", "--verbs=list", "--output=name").split()
        wanted = ",".join(kind for kind in kinds if kind not in OF_ITSELF)
        columns = "--output=custom-columns=:kind,:metadata.namespace,:metadata.name"
        return set(named(self.kubectl("get", wanted, "--all-namespaces", "--no-headers", columns)))

    def helm(self, *arguments: str | Path, namespace: str = NAMESPACE) -> str:
        """What it prints."""
        whose = ("--kubeconfig", self.kubeconfig, "--namespace", namespace)
        return helm(*arguments, *whose, timeout_s=COMMAND_S)

    def install(
        self,
        values: Path,
        *options: str,
        sets: Sequence[str] = (),
        namespace: str = NAMESPACE,
        until: Sequence[str] = WAIT,
    ) -> None:
        """The chart, until everything of it is ready. `sets` are as helm's --set takes them."""
        self.helm("install", RELEASE, CHART, *until, *options, *_given(values, sets), namespace=namespace)

    def upgrade(self, values: Path, *options: str, sets: Sequence[str] = ()) -> None:
        """The same, for a release that is there."""
        self.helm("upgrade", RELEASE, CHART, *WAIT, *options, *_given(values, sets))

    def revision(self) -> tuple[int, str]:
        """The release's number and how it is."""
        newest = json.loads(self.helm("history", RELEASE, "--output=json"))[-1]
        return int(newest["revision"]), str(newest["status"])

    def _run(self, arguments: Sequence[str | Path], given: str | None) -> subprocess.CompletedProcess[str]:
        if not KUBECTL.exists():
            raise FileNotFoundError(f"{KUBECTL} is missing. Mend: run deploy/kubernetes.sh")
        command = [KUBECTL, "--kubeconfig", self.kubeconfig, *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=COMMAND_S, check=False)
        if done.returncode != 0:
            raise Refused(f"kubectl {' '.join(map(str, arguments))}:\n{done.stderr}{done.stdout}")
        return done


def _given(values: Path, sets: Sequence[str]) -> list[str | Path]:
    return ["--values", values, *(part for one in sets for part in ("--set", one))]


def named(table: str) -> Iterator[str]:
    """Each line of KIND, NAMESPACE and NAME as KIND NAMESPACE/NAME."""
    for line in filter(str.strip, table.splitlines()):
        kind, namespace, name = line.split()
        yield f"{kind} {'' if namespace == '<none>' else namespace}/{name}"
