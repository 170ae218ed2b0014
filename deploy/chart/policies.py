"""What every manifest of the chart keeps to, whatever the values: one function each, which tells the breaches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.chart.render import Manifest

Policy = Callable[[Sequence[Manifest]], Iterator[str]]

COMPONENT = "app.kubernetes.io/component"
INSTANCE = "app.kubernetes.io/instance"
LEAVING_S = 18
"""Connections and the place in a group take so long after the drain."""
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
SECRET_NAME = re.compile(r"(TOKEN|PASSWORD|SECRET|API_KEY|PRIVATE)", re.IGNORECASE)
LOGIN = re.compile(r"[a-z+]+://[^/\s@]*:[^/\s@]+@")


@dataclass(frozen=True, slots=True)
class Pods:
    """Pods that a manifest describes."""

    name: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]
    lasts: bool
    """Whether they are meant to run for ever."""
    single: bool = False
    asks_api: bool = False
    """Whether they belong to Ray's head with the autoscaler, which asks the cluster's API."""
    operated: bool = False
    """Whether an operator makes them, from its own image."""

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        """All of them."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]


def pods(manifests: Sequence[Manifest]) -> Iterator[Pods]:
    """Every description of pods."""
    for each in manifests:
        name = f"{each['kind']} {each['metadata']['name']}"
        match each["kind"]:
            case "Deployment" | "StatefulSet":
                template = each["spec"]["template"]
                labels = template["metadata"]["labels"]
                yield Pods(name, labels, template["spec"], lasts=True, single=each["spec"].get("replicas") == 1)
            case "Pod":
                yield Pods(name, each["metadata"].get("labels", {}), each["spec"], lasts=False)
            case "RayService":
                cluster = each["spec"]["rayClusterConfig"]
                for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
                    head = group is cluster["headGroupSpec"]
                    template = group["template"]
                    yield Pods(
                        f"{name} {group.get('groupName', 'head')}",
                        template["metadata"]["labels"],
                        template["spec"],
                        lasts=True,
                        single=head,
                        asks_api=head and bool(cluster.get("enableInTreeAutoscaling")),
                    )


def operated(manifests: Sequence[Manifest]) -> Iterator[Pods]:
    """Pods that operators make, as far as the manifests say how."""
    for each in manifests:
        name, spec = f"{each['kind']} {each['metadata']['name']}", each.get("spec", {})
        match each["kind"]:
            case "OpenTelemetryCollector":
                yield _collector(name, spec)
            case "KafkaNodePool":
                yield _of_strimzi(name, spec, {"kafkaContainer": spec, "initContainer": spec})
            case "Kafka":
                operator = spec["entityOperator"]
                parts = {f"{part}Container": operator[part] for part in ("topicOperator", "userOperator")}
                yield _of_strimzi(f"{name} entityOperator", operator, parts)


def _collector(name: str, spec: Mapping[str, Any]) -> Pods:
    # Its operator makes probes where there is the extension that answers them.
    answered = "health_check" in spec["config"]["service"].get("extensions", ())
    container = {
        "name": "collector",
        "securityContext": spec.get("securityContext", {}),
        "resources": spec.get("resources", {}),
        **{probe: spec[probe] for probe in PROBES if answered and probe in spec},
    }
    pod = {"securityContext": spec.get("podSecurityContext", {}), "containers": [container]}
    return Pods(name, {}, pod, lasts=True, operated=True)


def _of_strimzi(name: str, spec: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> Pods:
    """`parts`: what a container is given, by its name in the template."""
    template = spec.get("template", {})
    containers = [
        {
            "name": part,
            "securityContext": template.get(part, {}).get("securityContext", {}),
            "resources": given.get("resources", {}),
            **dict.fromkeys(PROBES, "Strimzi's own"),
        }
        for part, given in parts.items()
    ]
    return Pods(name, {}, template.get("pod", {}) | {"containers": containers}, lasts=True, operated=True)


def unprivileged(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Nothing is root, gains rights, or writes on its own root: Kubernetes' standard "restricted", and more."""
    for pod in (*pods(manifests), *operated(manifests)):
        security = pod.spec.get("securityContext", {})
        # An operator's image says itself which user it is, and a root is not started.
        if security.get("runAsNonRoot") is not True or not (security.get("runAsUser") or pod.operated):
            yield f"{pod.name} may run as root"
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{pod.name} has no seccomp profile"
        for shared in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.spec.get(shared):
                yield f"{pod.name} has {shared}"
        for volume in pod.spec.get("volumes", ()):
            if "hostPath" in volume:
                yield f"{pod.name} mounts a folder of its node"
        for container in pod.containers:
            rights = container.get("securityContext", {})
            where = f"{pod.name}, {container['name']}"
            if rights.get("allowPrivilegeEscalation") is not False or rights.get("privileged"):
                yield f"{where} may gain rights"
            if rights.get("capabilities", {}).get("drop") != ["ALL"] or rights.get("capabilities", {}).get("add"):
                yield f"{where} has capabilities"
            if rights.get("readOnlyRootFilesystem") is not True:
                yield f"{where} can write on its root"


def bounded(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Everything says what it needs and may not take a node's memory. Processors are asked for, not limited: a limit
    would stop a process in mid-sentence while the node idles.
    """
    for pod in (*pods(manifests), *operated(manifests)):
        for container in pod.containers:
            resources = container.get("resources", {})
            for of, what in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
                if what not in resources.get(of, {}):
                    yield f"{pod.name}, {container['name']} has no {of}.{what}"
        for volume in pod.spec.get("volumes", ()):
            if "emptyDir" in volume and not volume["emptyDir"].get("sizeLimit"):
                yield f"{pod.name}: the volume {volume['name']} has no limit"


def watched(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Whatever lasts is asked whether it has started, lives and can work."""
    for pod in (*pods(manifests), *operated(manifests)):
        for container in pod.spec["containers"] if pod.lasts else ():
            for probe in PROBES:
                if probe not in container:
                    yield f"{pod.name}, {container['name']} has no {probe}"


def closed(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Every pod is closed to the network but for what is named; nothing may come from just anywhere."""
    policies = [each for each in manifests if each["kind"] == "NetworkPolicy"]
    shut = [each["spec"] for each in policies if not each["spec"].get("ingress") and not each["spec"].get("egress")]
    for pod in pods(manifests):
        if not any(
            selects(spec["podSelector"], pod.labels) and set(spec["policyTypes"]) == {"Ingress", "Egress"}
            for spec in shut
        ):
            yield f"{pod.name} is not closed by default"
    for policy in policies:
        name = f"NetworkPolicy {policy['metadata']['name']}"
        for rule in policy["spec"].get("ingress") or ():
            if not rule or not rule.get("from") or {} in rule["from"]:
                yield f"{name} lets anybody in"
        for rule in policy["spec"].get("egress") or ():
            if not rule or (not rule.get("to") and not rule.get("ports")):
                yield f"{name} lets everything out"


def no_secrets(manifests: Sequence[Manifest]) -> Iterator[str]:
    """No manifest holds a secret: not as an object, a variable, a setting or an address with a login."""
    for each in manifests:
        name = f"{each['kind']} {each['metadata']['name']}"
        if each["kind"] == "Secret":
            yield f"{name} is made by the chart"
        for text in _texts(each):
            if LOGIN.search(text):
                yield f"{name} has an address with a login"
        if each["kind"] == "ConfigMap":
            for text in each.get("data", {}).values():
                if re.search(r'"[a-z_]*(token|password|secret|api_key)s?"\s*:\s*"[^"]', text):
                    yield f"{name} has a secret among its settings"
    for pod in pods(manifests):
        for container in pod.containers:
            for variable in container.get("env", ()):
                value = variable.get("value", "")
                if SECRET_NAME.search(variable["name"]) and value and not value.startswith("/run/secrets/"):
                    yield f"{pod.name} has the secret {variable['name']} in its environment"


def tokenless(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Nothing gets a token of the cluster's API, and nobody is given rights in it; but for Ray's autoscaler, and what
    Strimzi makes, which looks after topics and users there.
    """
    accounts = {each["metadata"]["name"] for each in manifests if each["kind"] == "ServiceAccount"}
    for each in manifests:
        if each["kind"] == "OpenTelemetryCollector" and each["spec"].get("serviceAccount") not in accounts:
            yield f"OpenTelemetryCollector {each['metadata']['name']} gets a token with its operator's account"
        if each["apiVersion"].startswith("rbac."):
            yield f"{each['kind']} {each['metadata']['name']} gives rights in the cluster"
        if each["kind"] == "ServiceAccount" and each.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount {each['metadata']['name']} hands out its token"
    for pod in pods(manifests):
        if pod.spec.get("automountServiceAccountToken") is not False and not pod.asks_api:
            yield f"{pod.name} gets a token of the cluster's API"
        if pod.spec.get("enableServiceLinks") is not False:
            yield f"{pod.name} gets variables of other services, which begin with LYDIA_ as settings do"


def graceful(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Whoever has begun a sentence may end it."""
    for pod in pods(manifests):
        within = pod.spec.get("terminationGracePeriodSeconds", 30)
        for container in pod.spec["containers"] if pod.lasts else ():
            waits = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            drain = next((float(v["value"]) for v in container.get("env", ()) if v["name"] == "LYDIA_DRAIN_S"), None)
            if (
                container.get("command", [""])[0] == "lydia"
                and drain is not None
                and within < waits + drain + LEAVING_S
            ):
                yield f"{pod.name} is killed {within} s after it was told to stop, and may need {waits + drain:g} s"
            for argument in container.get("args", ()):
                if argument.startswith("--exit-timeout-secs=") and within <= waits + int(argument.partition("=")[2]):
                    yield f"{pod.name} is killed before its server gives up"


def pinned(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Every image has a tag that stays what it is."""
    for pod in pods(manifests):
        for container in pod.containers:
            _, _, tag = container["image"].rpartition("/")[2].partition(":")
            if not tag or tag == "latest":
                yield f"{pod.name}: the image {container['image']} may be another one tomorrow"


def kept_up(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Of what there are several, an upgrade of the nodes takes one at a time."""
    budgets = [each["spec"] for each in manifests if each["kind"] == "PodDisruptionBudget"]
    for pod in pods(manifests):
        covered = [b for b in budgets if selects(b["selector"], pod.labels)]
        if pod.lasts and not pod.single and len(covered) != 1:
            yield f"{pod.name} has {len(covered)} disruption budgets"


def whole(manifests: Sequence[Manifest]) -> Iterator[str]:
    """What a manifest names is there: volumes, ports, pods, what is scaled."""
    described = list(pods(manifests))
    for pod in described:
        volumes = {volume["name"] for volume in pod.spec.get("volumes", ())}
        volumes |= {
            claim["metadata"]["name"]
            for each in manifests
            if f"{each['kind']} {each['metadata']['name']}" == pod.name
            for claim in each["spec"].get("volumeClaimTemplates", ())
        }
        for container in pod.containers:
            for mount in container.get("volumeMounts", ()):
                if mount["name"] not in volumes:
                    yield f"{pod.name} mounts {mount['name']}, which is no volume"
    for each in manifests:
        name = f"{each['kind']} {each['metadata']['name']}"
        if each["kind"] == "Service":
            targets = [pod for pod in described if _has(pod.labels, each["spec"]["selector"])]
            ports = {port["name"] for pod in targets for c in pod.containers for port in c.get("ports", ())}
            if not targets:
                yield f"{name} selects no pods"
            for port in each["spec"]["ports"]:
                if port["targetPort"] not in ports:
                    yield f"{name} leads to the port {port['targetPort']}, which no pod has"
        if each["kind"] == "ScaledObject":
            target = each["spec"]["scaleTargetRef"]
            found = [m for m in manifests if m["kind"] == target["kind"] and m["metadata"]["name"] == target["name"]]
            if not found:
                yield f"{name} scales {target['name']}, which is not there"
            if any("replicas" in one["spec"] for one in found):
                yield f"{name} scales {target['name']}, whose replicas are set as well"


POLICIES: Mapping[str, Policy] = {
    policy.__name__: policy
    for policy in (
        unprivileged,
        bounded,
        watched,
        closed,
        no_secrets,
        tokenless,
        graceful,
        pinned,
        kept_up,
        whole,
    )
}


def breaches(manifests: Sequence[Manifest]) -> list[str]:
    """Every breach of every policy."""
    return [f"{name}: {told}" for name, policy in POLICIES.items() for told in policy(manifests)]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a selector of Kubernetes takes these labels. https://kubernetes.io/docs/concepts/overview/working-with-objects/labels"""
    for expression in selector.get("matchExpressions", ()):
        value = labels.get(expression["key"])
        match expression["operator"]:
            case "Exists" if value is None:
                return False
            case "In" if value not in expression["values"]:
                return False
            case "Exists" | "In":
                pass
            case other:
                raise ValueError(f"the operator {other} is not known here")
    return _has(labels, selector.get("matchLabels", {}))


def reaches(manifests: Sequence[Manifest], source: str, target: str, port: int) -> bool:
    """Whether the policies let a component speak with another one on a port: out of the one, and into the other."""
    labels = {str(pod.labels.get(COMPONENT)): pod.labels for pod in pods(manifests)}
    policies = [each["spec"] for each in manifests if each["kind"] == "NetworkPolicy"]

    def allows(direction: str, at: str, other: str) -> bool:
        key = "from" if direction == "ingress" else "to"
        return any(
            (not rule.get("ports") or any(each["port"] == port for each in rule["ports"]))
            and any(
                "namespaceSelector" not in peer and selects(peer["podSelector"], labels[other])
                for peer in rule.get(key, ())
            )
            for spec in policies
            if selects(spec["podSelector"], labels[at])
            for rule in spec.get(direction) or ()
        )

    return allows("egress", source, target) and allows("ingress", target, source)


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in wanted.items())


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
