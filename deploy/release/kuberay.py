"""KubeRay's operator in the cluster: it makes pods of the chart's RayService, as it does in production."""

from __future__ import annotations

from typing import Any

import yaml

from deploy.chart.render import CHART, Manifest
from deploy.release.binaries import Programs
from deploy.release.cluster import Cluster

NAME = "kuberay-operator"
IMAGE = "lydia-proof/kuberay:1"
METRICS_PORT = 8080


def install(cluster: Cluster, programs: Programs) -> None:
    """The operator, in the namespace from which the chart lets it in, until it is ready. Raises Refused."""
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    namespace: str = values["ray"]["operatorNamespace"]
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, namespace=namespace)
    cluster.kubectl("apply", "--server-side", "--filename", programs.kuberay_role)
    cluster.apply(*_operator(namespace), namespace=namespace)
    cluster.kubectl("rollout", "status", f"deployment/{NAME}", f"--namespace={namespace}", "--timeout=120s")


def _operator(namespace: str) -> list[Manifest]:
    labels = {"app.kubernetes.io/name": "kuberay", "app.kubernetes.io/component": NAME}
    alone = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    pod: dict[str, Any] = {
        "serviceAccountName": NAME,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": NAME,
                "image": IMAGE,
                "imagePullPolicy": "Never",
                "args": ["--enable-leader-election=false"],
                "ports": [{"name": "http", "containerPort": METRICS_PORT}],
                "securityContext": alone,
                "readinessProbe": {"httpGet": {"path": "/metrics", "port": "http"}, "periodSeconds": 2},
            }
        ],
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAME},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": NAME},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
    ]
