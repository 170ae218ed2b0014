"""Checks manifests against the schemas of Kubernetes and of the operators, as strictly as their servers would.

Kubernetes' schemas come from the package kubernetes-validate. The operators' definitions are not part of this project:
LYDIA_CRDS names the folder with them, whose files are as the operators publish them. Of whom there is none, the objects
are checked as far as that goes without, and it is said whose they are.
"""

from __future__ import annotations

import json
import os
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from deploy.chart.render import KUBERNETES, Manifest
from services.places import ROOT

CRDS_VARIABLE = "LYDIA_CRDS"
CRDS = ROOT.parent / "shared" / "crds"
OPERATORS = {
    "keda.sh": "KEDA (config/crd/bases of github.com/kedacore/keda v2.21.0)",
    "monitoring.coreos.com": "Prometheus Operator (example/prometheus-operator-crd of v0.85.0)",
    "ray.io": "KubeRay (ray-operator/config/crd/bases of v1.6.2)",
    "kafka.strimzi.io": "Strimzi (install/cluster-operator/04* of 1.2.0)",
    "opentelemetry.io": "OpenTelemetry operator (config/crd/bases of v0.158.0)",
}
"""The groups of their objects, and where their definitions are published."""
WHERE = "; ".join(OPERATORS.values())
HTTP_ROUTE = Path(__file__).with_name("httproute.schema.yaml")


class NoDefinitions(Exception):
    """Operators' definitions are not there. The text says whose, and how to mend it."""


class Schemas:
    """Every kind that a manifest may be of. Reads each schema when it is first needed."""

    def __init__(self, crds: Path | None = None) -> None:
        """`crds`: the operators' definitions."""
        self._crds = crds or Path(os.environ.get(CRDS_VARIABLE) or CRDS)
        self._core = Path(kubernetes_validate.__file__).parent.joinpath(
            "kubernetes-json-schema", f"v{KUBERNETES}.0-local-strict"
        )
        self._validators: dict[tuple[str, str], Any] = {}

    @cached_property
    def missing(self) -> frozenset[str]:
        """The groups of those operators whose objects cannot be checked."""
        return frozenset(OPERATORS) - {version.partition("/")[0] for _, version in self._custom}

    def complete(self) -> None:
        """Raises NoDefinitions where an operator's objects cannot be checked."""
        if self.missing:
            raise NoDefinitions(
                f"NOT CHECKED: objects of {', '.join(sorted(self.missing))}, because {self._crds} does not hold their "
                f"definitions. Mend: put the published ones there, or name their folder in {CRDS_VARIABLE}: "
                f"{'; '.join(OPERATORS[group] for group in sorted(self.missing))}"
            )

    def problems(self, manifest: Manifest) -> list[str]:
        """What is wrong with a manifest: where, and what. Nothing is told of the objects of those that are missing."""
        kind, version = str(manifest.get("kind")), str(manifest.get("apiVersion"))
        name = f"{kind} {manifest.get('metadata', {}).get('name')}"
        validator = self._validators.get((kind, version))
        if validator is None:
            validator = self._validators[kind, version] = self._validator(kind, version)
        if validator is False:
            if version.partition("/")[0] in self.missing:
                return []
            return [f"{name}: there is no schema of {version} {kind}"]
        return [
            f"{name}: {'.'.join(map(str, error.absolute_path)) or 'as a whole'}: {error.message[:300]}"
            for error in validator.iter_errors(manifest)
        ]

    def _validator(self, kind: str, version: str) -> Any:
        if (kind, version) in self._custom:
            return jsonschema.Draft202012Validator(self._custom[kind, version])
        group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", version)
        path = self._core / f"{kind.lower()}-{group}.json"
        if not path.exists():
            return False
        return jsonschema.Draft202012Validator(json.loads(path.read_text("utf-8")), registry=self._definitions)

    @cached_property
    def _definitions(self) -> Registry[Any]:
        path = self._core / "_definitions.json"
        content = json.loads(path.read_text("utf-8"))
        resource = Resource.from_contents(content, default_specification=DRAFT202012)
        found: Registry[Any] = Registry().with_resource(content["$id"], resource).with_resource(path.name, resource)
        return found

    @cached_property
    def _custom(self) -> dict[tuple[str, str], Any]:
        # Where the folder does not have the Gateway API's own definition, what the chart uses of it is written down.
        route = yaml.safe_load(HTTP_ROUTE.read_text("utf-8"))
        found: dict[tuple[str, str], Any] = {("HTTPRoute", "gateway.networking.k8s.io/v1"): route}
        for path in sorted(self._crds.glob("*.yaml")):
            for definition in yaml.load_all(path.read_text("utf-8"), yaml.CSafeLoader):
                if not definition or definition.get("kind") != "CustomResourceDefinition":
                    continue
                spec = definition["spec"]
                for version in spec["versions"]:
                    schema = _closed(version["schema"]["openAPIV3Schema"])
                    found[spec["names"]["kind"], f"{spec['group']}/{version['name']}"] = schema
        return found


def _closed(schema: Any) -> Any:
    """The same, with unknown fields refused: a server would drop them without a word."""
    match schema:
        case dict():
            closed = {key: _closed(value) for key, value in schema.items()}
            whole = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
            if whole and not schema.get("x-kubernetes-preserve-unknown-fields"):
                closed.setdefault("additionalProperties", False)
            return closed
        case list():
            return [_closed(each) for each in schema]
        case _:
            return schema
