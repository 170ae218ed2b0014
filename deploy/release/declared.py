"""Answers for nodes that are only declared, in kubelet's place: what they are given counts as running at once."""

from __future__ import annotations

import datetime
import itertools
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from deploy.chart.render import Manifest
from deploy.release.control_plane import ControlPlane
from deploy.release.nodes import nodes

LOOK_S = 0.2


@contextmanager
def declared_nodes(made: ControlPlane) -> Iterator[None]:
    """Adds the nodes of nodes.py, which do not exist, and answers for them as long as the context lasts.

    Raises Refused, and httpx.HTTPError where the API server went away meanwhile.
    """
    # Nobody writes that they live: the controllers are told to believe it (see control_plane).
    made.cluster.kubectl("create", "--filename=-", given={"apiVersion": "v1", "kind": "List", "items": nodes()})
    made.cluster.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")
    certificate, key = made.authority.issue("declared-nodes", group="system:masters")
    trusted = ssl.create_default_context(cafile=str(made.authority.ca))
    trusted.load_cert_chain(certificate, key)
    enough, trouble = threading.Event(), list[Exception]()

    def answer() -> None:
        addresses = (f"10.244.{number // 250}.{number % 250 + 1}" for number in itertools.count())
        with httpx.Client(base_url=made.address, trust_env=False, verify=trusted) as api:
            while not enough.wait(LOOK_S):
                try:
                    look(api, addresses)
                except httpx.HTTPError as error:
                    trouble.append(error)
                    return

    # A thread: the checks wait for their commands, and the event loop with them.
    thread = threading.Thread(target=answer, name="declared nodes")
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
    if trouble:
        raise trouble[0]


def look(api: httpx.Client, addresses: Iterator[str]) -> None:
    """Does once what is to be done. Raises httpx.HTTPError."""
    answer = api.get("/api/v1/pods", params={"fieldSelector": "spec.nodeName!="})
    for pod in answer.raise_for_status().json()["items"]:
        metadata = pod["metadata"]
        url = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        if "deletionTimestamp" in metadata:
            # As kubelet does once the containers have ended. Of this very pod, not of one that has its name by now.
            body = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
            _took(api.request("DELETE", url, json=body))
        elif pod["status"].get("phase") != "Running":
            headers = {"content-type": "application/strategic-merge-patch+json"}
            _took(api.patch(f"{url}/status", json=_running(pod, next(addresses)), headers=headers))


def _took(answer: httpx.Response) -> None:
    """Raises httpx.HTTPStatusError, but not where the pod is gone or another by now."""
    if answer.status_code not in (httpx.codes.NOT_FOUND, httpx.codes.CONFLICT):
        answer.raise_for_status()


def _running(pod: Manifest, address: str) -> Manifest:
    """The change of a pod that is started and ready."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kinds = ("Initialized", "ContainersReady", "Ready")
    return {
        "status": {
            "phase": "Running",
            "startTime": now,
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": now}},
                }
                for container in pod["spec"]["containers"]
            ],
        }
    }
