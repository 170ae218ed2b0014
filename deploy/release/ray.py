"""KubeRay's part, where its operator is not: plain pods of a RayService's templates, and the services before them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.chart.render import Manifest

CLUSTER, SERVING = "ray.io/cluster", "ray.io/serve"
"""Labels of pods: whose they are, and whether they take the application's calls."""
GCS, METRICS = 6379, 8080
TOKEN_KEY = "auth_token"  # noqa: S105, the name of a key


def as_pods(service: Manifest) -> list[Manifest]:
    """Services, head and workers, as KubeRay would make them of the RayService `service`; workers, the least number.

    There is no autoscaler beside the head. The token that the nodes ask of each other is read from a Secret with the
    RayService's name.
    """
    name, spec = service["metadata"]["name"], service["spec"]["rayClusterConfig"]
    head = spec["headGroupSpec"]
    made = [
        _service(
            f"{name}-head-svc", {CLUSTER: name, "ray.io/node-type": "head"}, {"gcs-server": GCS, "dashboard": 8265}
        ),
        _service(f"{name}-serve-svc", {CLUSTER: name, SERVING: "true"}, {"serve": 8000}),
        _pod(name, f"{name}-head", "head", head, ["ray", "start", "--head", f"--port={GCS}"]),
    ]
    for group in spec["workerGroupSpecs"]:
        joining = ["ray", "start", f"--address={name}-head-svc:{GCS}"]
        made += [
            _pod(name, f"{name}-{group['groupName']}-{number}", "worker", group, joining)
            for number in range(group["minReplicas"])
        ]
    return made


def _service(name: str, selector: Mapping[str, str], ports: Mapping[str, int]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "clusterIP": "None",
            # Workers look for the head before it is ready.
            "publishNotReadyAddresses": name.endswith("-head-svc"),
            "selector": selector,
            "ports": [{"name": each, "port": port, "targetPort": each} for each, port in ports.items()],
        },
    }


def _pod(cluster: str, name: str, role: str, group: Mapping[str, Any], command: Sequence[str]) -> Manifest:
    template = copy.deepcopy(group["template"])
    options = [f"--{key}={value}" for key, value in group["rayStartParams"].items()]
    container = template["spec"]["containers"][0]
    container["command"] = [*command, *options, f"--metrics-export-port={METRICS}", "--block"]
    container["env"] = [
        *container["env"],
        {"name": "RAY_AUTH_MODE", "value": "token"},
        {"name": "RAY_AUTH_TOKEN", "valueFrom": {"secretKeyRef": {"name": cluster, "key": TOKEN_KEY}}},
    ]
    labels = {CLUSTER: cluster, "ray.io/node-type": role, SERVING: "true" if role == "worker" else "false"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": template["metadata"] | {"name": name, "labels": template["metadata"]["labels"] | labels},
        "spec": template["spec"],
    }
