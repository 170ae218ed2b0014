"""Nodes that are only declared, as deploy/environments/production asks for them, and where pods ended up on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from deploy.chart.policies import COMPONENT
from deploy.chart.render import Manifest

ZONES = ("a", "b", "c")
POOL, ZONE = "lydia/pool", "topology.kubernetes.io/zone"
SIZE = {"cpu": "32", "memory": "128Gi", "ephemeral-storage": "500Gi", "pods": "110"}
OFFERED = {"nvidia.com/gpu": "2", "nvidia.com/gpu.shared": "8", "nvidia.com/mig-1g.10gb": "7"}
"""What a node with GPUs has of each kind."""


def nodes() -> list[Manifest]:
    """In each zone one for the services and one with GPUs, which only lets on it what tolerates its taint."""
    return [_node(pool, zone) for pool in ("services", "gpu") for zone in ZONES]


def _node(pool: str, zone: str) -> Manifest:
    gpu = pool == "gpu"
    has = SIZE | (OFFERED if gpu else {})
    labels = {"kubernetes.io/hostname": f"{pool}-{zone}", ZONE: zone, POOL: pool}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"{pool}-{zone}",
            "labels": labels | ({"nvidia.com/gpu.present": "true"} if gpu else {}),
        },
        "spec": {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]} if gpu else {},
        "status": {
            "capacity": has,
            "allocatable": has,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Declared"}],
        },
    }


def component(pod: Manifest) -> str:
    """Which part of Lydia a pod is."""
    return str(pod["metadata"]["labels"].get(COMPONENT, ""))


def misplaced(pods: Iterable[Manifest], there: Iterable[Manifest], device: str) -> list[str]:
    """What is wrong with where pods are. Triton's belong on nodes with GPUs where it asks for `device`, no others do.

    `device` is the name under which nodes offer it, "" for processors.
    """
    pools: Mapping[str, str] = {node["metadata"]["name"]: node["metadata"]["labels"][POOL] for node in there}
    wrong = []
    for pod in pods:
        name, place = pod["metadata"]["name"], pod["spec"].get("nodeName", "")
        wants_gpu = bool(device) and component(pod) == "triton"
        asked = {
            resource
            for container in pod["spec"]["containers"]
            for resource in container["resources"]["limits"]
            if resource.startswith("nvidia.com/")
        }
        if pools.get(place) != ("gpu" if wants_gpu else "services"):
            wrong.append(f"{name} is on {place or 'no node'}")
        if asked != ({device} if wants_gpu else set()):
            wrong.append(f"{name} asks for {', '.join(sorted(asked)) or 'no GPU'}")
    return wrong


def zones(pods: Iterable[Manifest], there: Iterable[Manifest]) -> set[str]:
    """The zones in which pods are."""
    by_node = {node["metadata"]["name"]: str(node["metadata"]["labels"][ZONE]) for node in there}
    return {by_node[pod["spec"]["nodeName"]] for pod in pods}
