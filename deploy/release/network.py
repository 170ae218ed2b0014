"""The chart's network policies, enforced by kube-router, and tried: who reaches whom, and who reaches nobody."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from deploy.chart.policies import COMPONENT
from deploy.chart.render import NAMESPACE, RELEASE, Manifest
from deploy.local.process import free_port
from deploy.release.binaries import Programs
from deploy.release.cluster import Cluster
from deploy.release.control_plane import SERVICES, ControlPlane
from deploy.release.node import GATEWAY, NAME, SANDBOX
from deploy.release.steps import Report, expect

STRANGER = "stranger"
"""A pod of somebody else's in the same namespace."""
PORTS: Mapping[str, int] = {
    **dict.fromkeys(("gateway", "audience", "chat", "speech", "motion", "stage"), 8080),
    "redis": 6379,
    "kafka": 9092,
    "ray-head": 8265,
    "ray-worker": 8000,
}
"""Each part, and a port on which it listens."""
ON_THE_BUS = frozenset(("gateway", "audience", "chat", "speech", "motion", "stage", "ray-head", "ray-worker"))
MAY: Mapping[str, frozenset[str]] = {
    "redis": ON_THE_BUS,
    "kafka": ON_THE_BUS | {STRANGER},  # the check's own, which no policy of the chart's guards
    "ray-worker": frozenset(("audience", "ray-head", "ray-worker")),
    "ray-head": frozenset(("ray-head", "ray-worker")),
}
"""Who reaches a part. Whoever comes from outside of the cluster comes through its entrance to gateway and stage."""
TRY = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def reached(place):
    try:
        socket.create_connection(place, timeout=5).close()
    except OSError:
        return False
    return True

places = json.loads(sys.argv[1])
with ThreadPoolExecutor(len(places)) as each:
    print(json.dumps(dict(zip(places, each.map(lambda name: reached(tuple(places[name])), places)))))
"""


@asynccontextmanager
async def enforcing(programs: Programs, made: ControlPlane) -> AsyncIterator[None]:
    """Meanwhile the node lets through only what policies allow. Raises CannotBuild, ServerFailed."""
    async with AsyncExitStack() as stack:
        # fmt: off
        await made.start("kube-router", [
            programs.kube_router, "--run-firewall=true", "--run-router=false", "--run-service-proxy=false",
            f"--kubeconfig={made.cluster.kubeconfig}", f"--hostname-override={NAME}", "--metrics-port=0",
            f"--service-cluster-ip-range={SERVICES}", f"--health-port={(health := free_port())}",
        ], f"http://127.0.0.1:{health}/healthz", stack)
        # fmt: on
        yield


def names_from_the_node() -> Manifest:
    """Lets the release's pods ask the node for names: here its DNS is no pod."""
    asks = {
        "to": [{"ipBlock": {"cidr": f"{GATEWAY}/32"}}],
        "ports": [{"protocol": each, "port": 53} for each in ("UDP", "TCP")],
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "names-from-the-node"},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/instance": RELEASE}},
            "policyTypes": ["Egress"],
            "egress": [asks],
        },
    }


def proof(cluster: Cluster, report: Report) -> None:
    """Everybody tries to reach everybody. Raises NotProven, Refused."""
    whose = f"--namespace={NAMESPACE}"
    with report.step("a stranger's pod"):
        cluster.apply(_stranger())
        cluster.kubectl("wait", "--for=condition=Ready", f"pod/{STRANGER}", whose, "--timeout=120s")
    pods = {_part(each): each for each in cluster.get("pods")}
    places = {part: (pods[part]["status"]["podIP"], port) for part, port in PORTS.items()}
    wrong: list[str] = []
    counted = {True: 0, False: 0}
    with report.step("everybody tries to reach everybody"):
        for source in sorted({*ON_THE_BUS, STRANGER}):
            pod = pods[source]
            whole = (pod["metadata"]["name"], whose, f"--container={_container(pod)}")
            others = {part: place for part, place in places.items() if part != source}  # a pod always reaches itself
            told = json.loads(cluster.kubectl("exec", *whole, "--", "python3", "-c", TRY, json.dumps(others)))
            wrong += amiss(source, told)
            for reached in told.values():
                counted[reached] += 1
    cluster.kubectl("delete", "pod", STRANGER, whose, "--grace-period=0", "--force")
    expect(not wrong, f"policies: {'; '.join(wrong)}")
    report.say(f"policies enforced: {counted[True]} ways are open, {counted[False]} closed, each as it should be")


def amiss(source: str, told: Mapping[str, bool]) -> list[str]:
    """What is not as it should be of the parts that `source` reaches, or does not."""
    return [
        f"{source} {'reaches' if reached else 'does not reach'} {part}"
        for part, reached in told.items()
        if reached != (source in MAY.get(part, ()))
    ]


def _part(pod: Manifest) -> str:
    labels = pod["metadata"].get("labels", {})
    return str(labels.get(COMPONENT) or labels.get("app") or pod["metadata"]["name"])


def _container(pod: Manifest) -> str:
    return str(pod["spec"]["containers"][0]["name"])


def _stranger() -> Manifest:
    alone = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": STRANGER},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": STRANGER,
                    "image": SANDBOX,
                    "imagePullPolicy": "Never",
                    "command": ["/bin/sleep", "infinity"],
                    "securityContext": alone,
                }
            ],
        },
    }
