"""The chart as helm renders it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from services.places import ROOT

CHART = ROOT / "charts" / "lydia"
HELM = ROOT / "build" / "kubernetes" / "helm"
ENVIRONMENTS: Mapping[str, Path] = {
    name: ROOT / "deploy" / "environments" / name / "values.yaml" for name in ("development", "staging", "production")
}
KUBERNETES = "1.36"
RELEASE, NAMESPACE = "lydia", "show"
HELM_S = 60.0

Manifest = dict[str, Any]


class Refused(Exception):
    """Helm does not take the values or the templates. The text is its own."""


def render(*values: Path, chart: Path = CHART, sets: Sequence[str] = ()) -> list[Manifest]:
    """The manifests of a release. `sets` are as helm's --set takes them. Raises Refused."""
    return parsed(helm("template", RELEASE, chart, "--kube-version", f"{KUBERNETES}.0", *_given(values, sets)))


def lint(*values: Path, chart: Path = CHART) -> None:
    """Raises Refused where helm finds fault with the chart or the values."""
    helm("lint", chart, "--strict", "--quiet", *_given(values, ()))


def helm(*arguments: str | Path, timeout_s: float = HELM_S) -> str:
    """What helm prints. Raises Refused, and FileNotFoundError where there is no helm."""
    if not HELM.exists():
        raise FileNotFoundError(f"{HELM} is missing. Mend: run deploy/kubernetes.sh")
    done = subprocess.run([HELM, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode != 0:
        raise Refused(done.stderr + done.stdout)
    return done.stdout


def parsed(text: str) -> list[Manifest]:
    """The documents of a YAML stream."""
    return [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]


def _given(values: Sequence[Path], sets: Sequence[str]) -> list[str | Path]:
    given: list[str | Path] = ["--namespace", NAMESPACE]
    for path in values:
        given += ["--values", path]
    for one in sets:
        given += ["--set", one]
    return given
