"""Each policy fails when a template is broken: otherwise it would guard nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.chart.policies import POLICIES
from deploy.chart.render import CHART, ENVIRONMENTS, render

BROKEN = {
    "root": ("unprivileged", "_pod.tpl", "runAsNonRoot: true", "runAsNonRoot: false", "may run as root"),
    "a root that can be written": (
        "unprivileged",
        "_pod.tpl",
        "readOnlyRootFilesystem: true",
        "readOnlyRootFilesystem: false",
        "can write on its root",
    ),
    "capabilities": ("unprivileged", "_pod.tpl", "drop: [ALL]", "drop: [NET_RAW]", "has capabilities"),
    "the node's folder": (
        "unprivileged",
        "_pod.tpl",
        "emptyDir: { sizeLimit: 256Mi }",
        "hostPath: { path: /tmp }",
        "mounts a folder of its node",
    ),
    "no limits": (
        "bounded",
        "services/deployments.yaml",
        "resources: {{- toYaml $values.resources | nindent 12 }}",
        "",
        "has no limits.memory",
    ),
    "a disk without an end": ("bounded", "_pod.tpl", "emptyDir: { sizeLimit: 256Mi }", "emptyDir: {}", "has no limit"),
    "an operator's root": (
        "unprivileged",
        "kafka/_pod.tpl",
        "runAsNonRoot: true",
        "x: 1",
        "Kafka lydia entityOperator may",
    ),
    "a broker that gains rights": (
        "unprivileged",
        "kafka/cluster.yaml",
        'kafkaContainer:\n      securityContext: {{- include "lydia.containerSecurity" $ | nindent 8 }}',
        "kafkaContainer: {}",
        "KafkaNodePool lydia-broker, kafkaContainer may gain rights",
    ),
    "a collector with capabilities": (
        "unprivileged",
        "telemetry/collector.yaml",
        'securityContext: {{- include "lydia.containerSecurity" . | nindent 4 }}',
        "",
        "OpenTelemetryCollector lydia, collector has capabilities",
    ),
    "an operator without limits": (
        "bounded",
        "kafka/cluster.yaml",
        "userOperator:\n      resources: {{- toYaml $values.operators.resources | nindent 8 }}",
        "userOperator: {}",
        "Kafka lydia entityOperator, userOperatorContainer has no limits.memory",
    ),
    "a collector that nobody asks": (
        "watched",
        "telemetry/collector.yaml",
        "extensions: [health_check]",
        "",
        "OpenTelemetryCollector lydia, collector has no livenessProbe",
    ),
    "a collector with a token": (
        "tokenless",
        "telemetry/collector.yaml",
        'serviceAccount: {{ include "lydia.fullname" . }}',
        "",
        "OpenTelemetryCollector lydia gets a token",
    ),
    "no probe": ("watched", "triton/statefulset.yaml", "livenessProbe:", "x:", "has no livenessProbe"),
    "an open network": (
        "closed",
        "network/policies.yaml",
        "policyTypes: [Ingress, Egress]\n---",
        "policyTypes: [Ingress]\n---",
        "is not closed by default",
    ),
    "anybody may come": (
        "closed",
        "network/policies.yaml",
        "- from: # KubeRay hands over the application and looks after it\n        - namespaceSelector:\n"
        "            matchLabels: { kubernetes.io/metadata.name: {{ $.Values.ray.operatorNamespace }} }",
        "- from: []",
        "lets anybody in",
    ),
    "a secret in the environment": (
        "no_secrets",
        "_pod.tpl",
        "value: /run/secrets/lydia/{{ index . 1 }}",
        "value: hush",
        "in its environment",
    ),
    "a secret of the chart's": (
        "no_secrets",
        "services/accounts.yaml",
        "kind: ServiceAccount",
        "kind: Secret",
        "is made by the chart",
    ),
    "a login in an address": (
        "no_secrets",
        "_names.tpl",
        "redis://{{ include",
        "redis://lydia:hush@{{ include",
        "an address with a login",
    ),
    "a token of the API": (
        "tokenless",
        "services/deployments.yaml",
        "automountServiceAccountToken: false",
        "",
        "gets a token",
    ),
    "service links": ("tokenless", "triton/statefulset.yaml", "enableServiceLinks: false", "", "variables of other"),
    "too little time": (
        "graceful",
        "services/deployments.yaml",
        "{{ add $before $.Values.drainSeconds 20 }}",
        "30",
        "may need",
    ),
    "a moving tag": ("pinned", "_names.tpl", "{{ default .Chart.AppVersion .Values.image.tag }}", "latest", "tomorrow"),
    "no budget": ("kept_up", "services/disruption.yaml", '"chat" ', "", "has 0 disruption budgets"),
    "a mount of nothing": ("whole", "_pod.tpl", "- name: tmp\n", "- name: other\n", "is no volume"),
    "a service of nobody": ("whole", "redis/redis.yaml", "targetPort: redis", "targetPort: other", "which no pod has"),
    "two that scale": (
        "whole",
        "services/deployments.yaml",
        "{{- if not $.Values.scaling.enabled }}",
        "{{- if true }}",
        "replicas are set as well",
    ),
}


@pytest.mark.parametrize(("policy", "file", "old", "new", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_template_is_seen(tmp_path: Path, policy: str, file: str, old: str, new: str, told: str) -> None:
    chart = tmp_path / "lydia"
    shutil.copytree(CHART, chart)
    path = chart / "templates" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    environment = "staging" if file.startswith("telemetry") else "production"  # where there is a collector
    values = [] if "redis" in new or "redis" in file else [ENVIRONMENTS[environment]]
    found = list(POLICIES[policy](render(*values, chart=chart)))
    assert any(told in each for each in found), found


def test_every_policy_has_a_break_that_it_sees() -> None:
    assert {policy for policy, *_ in BROKEN.values()} == POLICIES.keys()
