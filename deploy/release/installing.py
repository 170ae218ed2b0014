"""The chart on a real API server: what its server takes and refuses, and where pods are put."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.chart.render import CHART, ENVIRONMENTS, NAMESPACE, RELEASE, Manifest, Refused, render
from deploy.chart.validation import CRDS, CRDS_VARIABLE
from deploy.release.binaries import Programs
from deploy.release.cluster import WAIT, Cluster
from deploy.release.nodes import component, misplaced, zones
from deploy.release.ray import as_pods
from deploy.release.steps import NotProven, Report, expect

SETTINGS = "checksum/settings"
"""Of a pod: which settings it was started with."""
CHANGED = "settings.audience.quiet_s=31"
FURTHER = "further"
"""A second namespace."""
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
"""The server itself refuses pods that may do more."""
KEPT = ("KafkaTopic", "PersistentVolumeClaim")
"""Kinds that outlast a release: what is owed to viewers is in there."""
SETTLE_S = 60.0


@dataclass(frozen=True)
class Case:
    """One environment's values, and what is to be seen of them."""

    name: str
    device: str = ""
    """The name under which nodes offer what Triton runs on; "" for processors."""
    upgrade: Sequence[str] = (CHANGED,)
    device_then: str = ""
    """The same, after the upgrade."""
    unchangeable: str = ""
    """A value that the schema takes and the server never changes."""
    wrong: Mapping[str, str] | None = None
    """Wrong values, and what the server says of each where the chart's schema is not asked."""

    @property
    def values(self) -> Path:
        """The file."""
        return ENVIRONMENTS.get(self.name, CHART / "values.yaml")


CASES = (
    Case(
        "the chart's own values",
        wrong={"services.stage.resources.limits.memory=much": "quantities must match"},
    ),
    Case(
        "development",
        unchangeable="redis.development.storage.size=3Gi",
        wrong={
            "image.pullPolicy=Sometimes": "imagePullPolicy",
            "services.gateway.resources.limits.memory=much": "quantities must match",
            "services.gateway.replicas=-1": "must be greater than or equal to 0",
        },
    ),
    Case(
        "staging",
        device="nvidia.com/gpu.shared",
        device_then="nvidia.com/gpu.shared",
        wrong={"telemetry.collector.replicas=two": "spec.replicas", "kafka.strimzi.replication=none": "spec.replicas"},
    ),
    Case(
        "production",
        device="nvidia.com/mig-1g.10gb",
        # Whole ones instead of slices, too, and another priority, which the server never changes of a class.
        upgrade=(CHANGED, "triton.device.kind=gpu", "triton.device.resource=", "priority.onAir=99999"),
        device_then="nvidia.com/gpu",
        wrong={
            "scaling.pollSeconds=often": "pollingInterval",
            "monitoring.interval=sometimes": "interval",
            "ray.autoscaler.upscaling=Sometimes": "upscalingMode",
            "route.parents[0].sectionName=Https": "sectionName",
        },
    ),
)


def definitions(cluster: Cluster, programs: Programs, report: Report) -> bool:
    """Gives the server the operators' definitions, where they are. Returns whether they were."""
    folder = Path(os.environ.get(CRDS_VARIABLE) or CRDS)
    files = sorted(folder.glob("*.yaml"))
    if not files:
        report.say(
            f"{folder} holds no definitions of operators: only what needs none can be shown. See {CRDS_VARIABLE}"
        )
    with report.step(f"{len(files)} files of operators' definitions, and the Gateway API's, are known to the server"):
        for path in (*files, *sorted(programs.gateway_api.glob("*.yaml"))):
            cluster.kubectl("apply", "--server-side", "--filename", path)
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    return bool(files)


def proof(cluster: Cluster, case: Case, report: Report) -> None:
    """Everything that is to be shown of one environment. Leaves nothing. Raises NotProven, Refused."""
    say, step = report.say, report.step
    say(f"--- {case.name}")
    untouched = cluster.all_there_is()
    with step("what the values ask for is there before: namespace, Secrets, a runtime class"):
        cluster.apply(*_before(NAMESPACE))
    before = cluster.all_there_is()
    for value, told in (case.wrong or {}).items():
        with step(f"{value} is refused by the schema, and without it by the server, and leaves nothing"):
            _refused(cluster, case, value, told, before)
    # Not before: a volume whose claim was deleted is not given to the next one of the same name.
    cluster.apply(volume := _volume(NAMESPACE))
    before |= {f"PersistentVolume /{volume['metadata']['name']}"}
    with step("install"):
        cluster.install(case.values)
    _ready(cluster, case.device)
    with step("every field of every manifest is known to the server, and it warns of nothing"):
        _nothing_unknown(cluster, case)
    first = _settings(cluster)
    say(f"pods: {_told(cluster)}")
    if case.device:
        with step("the autoscaler's part played: its objects' least number of pods each"):
            _scale(cluster)
        _ready(cluster, case.device)
        say(f"pods: {_told(cluster)}")
    counted = _replicas(cluster)
    with step(f"upgrade with {', '.join(case.upgrade)}"):
        cluster.upgrade(case.values, sets=case.upgrade)
    _ready(cluster, case.device_then)
    second = _settings(cluster)
    expect(not first & second, "pods still have the settings of before the upgrade")
    expect(_replicas(cluster) == counted, f"the upgrade changed how many there are: {counted} → {_replicas(cluster)}")
    if case.unchangeable:
        with step(f"upgrade with {case.unchangeable}, which the server never changes, is refused and taken back"):
            _taken_back(cluster, case)
        _ready(cluster, case.device_then)
        expect(_settings(cluster) == second, "the refused upgrade left other settings")
    with step("rollback to the first"):
        cluster.helm("rollback", RELEASE, "1", *WAIT)
    _ready(cluster, case.device)
    expect(_settings(cluster) == first, "after the rollback pods have other settings than at first")
    expect(_replicas(cluster) == counted, f"the rollback changed how many there are: {_replicas(cluster)}")
    if case.device:
        with step("a node of each kind is emptied, one pod of a kind at a time, and all is ready elsewhere"):
            _drain(cluster, case)
        with step("a further release of the same name in another namespace"):
            _further(cluster, case)
    with step("uninstall"):
        cluster.helm("uninstall", RELEASE, *WAIT)
    kept = _kept(cluster, before)
    say(f"left is what is meant to outlast it: {_summed(kept)}")
    if kept:
        with step("install once more, on what was left"):
            cluster.install(case.values)
        _ready(cluster, case.device)
        cluster.helm("uninstall", RELEASE, *WAIT)
    with step("all of it is gone"):
        cluster.kubectl(
            "delete", "--wait", "--ignore-not-found", "--filename=-", given=_list([*_before(NAMESPACE), volume])
        )
        _settled(lambda: cluster.all_there_is() - untouched)


def _before(namespace: str) -> list[Manifest]:
    """What the environments' pages ask for."""

    def of(kind: str, name: str, **more: object) -> Manifest:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **more}

    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": RESTRICTED}},
        of("Secret", "lydia", stringData={"operator-token": "please", "message-token": "please"}),
        of("Secret", "lydia-redis", stringData={"password": "please", "ca.crt": "none"}),
        of("Secret", "registry", stringData={"any": "thing"}),
        {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": "nvidia"},
            "handler": "nvidia",
        },
    ]


def _volume(namespace: str) -> Manifest:
    """For Redis, where the chart has one: nobody makes volumes here."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"redis-{namespace}"},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": "/nowhere"},
            "claimRef": {"namespace": namespace, "name": f"data-{RELEASE}-redis-0"},
        },
    }


def _nothing_unknown(cluster: Cluster, case: Case) -> None:
    manifests = render(case.values)
    for service in [each for each in manifests if each["kind"] == "RayService"]:
        manifests += as_pods(service)  # the operator that would make them is not here to be refused
    warnings = cluster.tried(manifests)
    expect(not warnings, f"the server warns: {'; '.join(warnings)}")


def _refused(cluster: Cluster, case: Case, value: str, told: str, before: set[str]) -> None:
    words = _refusal(lambda: cluster.install(case.values, sets=[value]))
    expect(
        "values don't meet the specifications" in words, f"{value} was refused otherwise than by the schema: {words}"
    )
    unchecked = ("--skip-schema-validation", "--rollback-on-failure")
    words = _refusal(lambda: cluster.install(case.values, *unchecked, sets=[value]))
    expect(told in words, f"{value} was refused otherwise than with {told!r}: {words}")
    if kept := _kept(cluster, before):
        cluster.kubectl("delete", *(f"--namespace={NAMESPACE}", *map(_argument, kept)))


def _refusal(asked: Callable[[], None]) -> str:
    try:
        asked()
    except Refused as refused:
        return str(refused)
    raise NotProven("it was taken")


def _ready(cluster: Cluster, device: str, *, without: Collection[str] = ()) -> None:
    """Waits until as many pods as are wanted are ready, each where it belongs, and none on the nodes `without`."""

    def trouble() -> list[str]:
        pods, there = _pods(cluster), cluster.get("nodes")
        wanted = sum(_replicas(cluster).values())
        wrong = [f"{pod['metadata']['name']} is not ready" for pod in pods if not is_ready(pod)]
        wrong += [f"{pod['metadata']['name']} stayed" for pod in pods if pod["spec"].get("nodeName") in without]
        wrong += [f"there are {len(pods)} pods instead of {wanted}"] if len(pods) != wanted else []
        return wrong + misplaced(pods, there, device)

    _settled(trouble)


def _settled(trouble: Callable[[], Collection[str]]) -> None:
    """Waits until there is none. Raises NotProven, with what there still is."""
    until = time.monotonic() + SETTLE_S
    while found := trouble():
        expect(time.monotonic() < until, f"after {SETTLE_S:g} s: {'; '.join(sorted(found)[:10])}")
        time.sleep(0.5)


def _pods(cluster: Cluster, namespace: str = NAMESPACE) -> list[Manifest]:
    return [pod for pod in cluster.get("pods", namespace=namespace) if "deletionTimestamp" not in pod["metadata"]]


def is_ready(pod: Manifest) -> bool:
    """Whether a pod says that it may be called."""
    conditions = {each["type"]: each["status"] for each in pod.get("status", {}).get("conditions", ())}
    return conditions.get("Ready") == "True"


def _settings(cluster: Cluster) -> set[str]:
    """What the settings of those pods are known by that have some."""
    pods = [pod for pod in _pods(cluster) if component(pod) != "redis"]
    return {pod["metadata"].get("annotations", {}).get(SETTINGS, "unknown") for pod in pods}


def _replicas(cluster: Cluster) -> Counter[str]:
    """How many of each there are to be."""
    found = cluster.get("deployments,statefulsets")
    return Counter({each["metadata"]["name"]: each["spec"]["replicas"] for each in found})


def _told(cluster: Cluster) -> str:
    placed = Counter((component(pod), pod["spec"]["nodeName"]) for pod in _pods(cluster))
    parts = sorted({part for part, _ in placed})
    return "; ".join(
        f"{part} on {', '.join(node for (of, node), n in sorted(placed.items()) for _ in range(n) if of == part)}"
        for part in parts
    )


def _scale(cluster: Cluster) -> None:
    """As the autoscaler would: it is not here, and its objects say what it would do at least."""
    for each in cluster.get("scaledobjects.keda.sh"):
        target, least = each["spec"]["scaleTargetRef"], each["spec"]["minReplicaCount"]
        whose = f"{target['kind'].lower()}/{target['name']}"
        cluster.kubectl("scale", whose, f"--replicas={least}", f"--namespace={NAMESPACE}")
        cluster.kubectl("rollout", "status", whose, f"--namespace={NAMESPACE}", "--timeout=60s")
        pods = [pod for pod in _pods(cluster) if f"{RELEASE}-{component(pod)}" == target["name"]]
        found = zones(pods, cluster.get("nodes"))
        expect(len(found) == min(least, 3), f"{len(pods)} of {whose} are in the zones {', '.join(sorted(found))} only")


def _taken_back(cluster: Cluster, case: Case) -> None:
    sets = (*case.upgrade, case.unchangeable)
    words = _refusal(lambda: cluster.upgrade(case.values, "--rollback-on-failure", sets=sets))
    expect("immutable" in words or "Forbidden" in words, f"refused otherwise than by the server: {words}")
    number, status = cluster.revision()
    expect(status == "deployed", f"revision {number} is {status}")


def _drain(cluster: Cluster, case: Case) -> None:
    emptied = ("services-a", "gpu-a")
    for node in emptied:
        cluster.kubectl("drain", node, "--delete-emptydir-data", "--timeout=120s")
    _ready(cluster, case.device, without=emptied)
    for node in emptied:
        cluster.kubectl("uncordon", node)


def _further(cluster: Cluster, case: Case) -> None:
    cluster.apply(*_before(FURTHER), namespace=FURTHER)
    cluster.install(case.values, namespace=FURTHER)
    wrong = misplaced(_pods(cluster, FURTHER), cluster.get("nodes"), case.device)
    expect(not wrong, "; ".join(wrong))
    cluster.helm("uninstall", RELEASE, *WAIT, namespace=FURTHER)
    cluster.kubectl("delete", "--wait", "namespace", FURTHER)


def _kept(cluster: Cluster, before: set[str]) -> set[str]:
    """What outlasts the release, once all else of it is gone."""
    _settled(lambda: {each for each in cluster.all_there_is() - before if each.split()[0] not in KEPT})
    return cluster.all_there_is() - before


def _summed(objects: Collection[str]) -> str:
    counted = Counter(each.split()[0] for each in objects)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counted.items())) or "nothing"


def _argument(named: str) -> str:
    """KIND NAMESPACE/NAME, as kubectl takes it."""
    kind, _, name = named.partition(" ")
    return f"{kind}/{name.partition('/')[2]}"


def _list(manifests: Sequence[Manifest]) -> Manifest:
    return {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
