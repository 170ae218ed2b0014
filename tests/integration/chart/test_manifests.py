"""What the chart renders is what the servers take, what the policies want, and what the code needs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.chart.policies import breaches, pods, reaches
from deploy.chart.render import CHART, ENVIRONMENTS, RELEASE, Manifest, helm, parsed, render
from deploy.chart.validation import CRDS_VARIABLE, OPERATORS, NoDefinitions, Schemas
from deploy.release.performing import KAFKA, VALUES
from services.building import chat, motion, speech
from services.core import topics
from services.core.inference.triton_repository import models
from services.core.settings import BadSettings, Settings, load
from services.names import NAMES
from services.places import ROOT

Rendered = Mapping[str, Sequence[Manifest]]

EVERY = ("", *ENVIRONMENTS)
VARIANTS = {
    "an ingress": ("ingress.enabled=true,ingress.host=lydia.example,ingress.tlsSecret=tls,networkPolicy.entrance=in",),
    "another ingress controller": ("ingress.enabled=true,ingress.className=other,networkPolicy.entrance=in",),
    "Kafka elsewhere": (
        "kafka.mode=external,kafka.external.bootstrapServers=one:9093\\,two:9094,kafka.external.password.name=kafka",
        "kafka.external.ca.name=kafka-ca",
    ),
    "whole GPUs": ("triton.device.kind=gpu,triton.device.count=2",),
    "a language model elsewhere": ("settings.chat.base_url=http://llm.models:8000/v1,settings.chat.model=m",),
    "the platform": ("settings.douyin.app_id=tt1,secrets.douyinAppSecret.name=douyin",),
    "a collector, figures and no policies": (
        "telemetry.mode=collector,monitoring.enabled=true,networkPolicy.enabled=false",
    ),
}


def named(manifests: Sequence[Manifest], kind: str, name: str) -> Any:
    [found] = [each for each in manifests if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


@pytest.mark.parametrize("environment", EVERY)
def test_servers_take_what_is_rendered_for_an_environment(
    rendered: Rendered, schemas: Schemas, environment: str
) -> None:
    assert [told for each in rendered[environment] for told in schemas.problems(each)] == []


@pytest.mark.parametrize("environment", EVERY)
def test_an_environment_keeps_to_every_policy(rendered: Rendered, environment: str) -> None:
    assert breaches(rendered[environment]) == []


def test_what_the_release_check_installs_on_a_real_node_is_as_good(schemas: Schemas) -> None:
    chart, broker = render(VALUES), list(yaml.safe_load_all(KAFKA.read_text("utf-8")))
    assert [told for each in (*chart, *broker) for told in schemas.problems(each)] == []
    assert breaches(chart) == []


@pytest.mark.parametrize("sets", VARIANTS.values(), ids=VARIANTS)
def test_a_variant_is_as_good(schemas: Schemas, sets: Sequence[str]) -> None:
    manifests = render(sets=sets)
    assert [told for each in manifests for told in schemas.problems(each)] == []
    told = breaches(manifests)
    assert [
        each for each in told if "networkPolicy.enabled=false" not in sets[0] or not each.startswith("closed")
    ] == []


def test_without_the_operators_definitions_the_check_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CRDS_VARIABLE, str(tmp_path))
    schemas = Schemas()
    with pytest.raises(NoDefinitions, match=r"Mend: put the published ones there, or name their folder in LYDIA_CRDS"):
        schemas.complete()
    assert schemas.missing == OPERATORS.keys()


def test_without_an_operators_definitions_all_other_objects_are_checked(rendered: Rendered, tmp_path: Path) -> None:
    schemas = Schemas(tmp_path)
    for manifest in rendered["staging"]:
        theirs = manifest["apiVersion"].partition("/")[0] in OPERATORS
        assert schemas.problems(manifest) == []
        assert bool(schemas.problems(manifest | {"unknown": 1})) is not theirs, manifest["kind"]
    assert schemas.problems({"apiVersion": "apps/v2", "kind": "Deployment"}) != []


def test_whose_objects_there_are_is_known(rendered: Rendered) -> None:
    """Else an object of an operator that is not in the list would be told as wrong, or not at all."""
    groups = {each["apiVersion"].rpartition("/")[0] for manifests in rendered.values() for each in manifests}
    own = {group for group in groups if group.endswith(".k8s.io") or "." not in group}
    assert groups - own == OPERATORS.keys()


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "replica"), 1),
        ("Deployment", ("spec", "template", "spec", "containers", 0, "livenesProbe"), {}),
        ("RayService", ("spec", "rayClusterConfig", "enableInTreeAutoscalng"), True),
        ("RayService", ("spec", "rayClusterConfig", "workerGroupSpecs", 0, "minReplicas"), "two"),
        ("Kafka", ("spec", "kafka", "authorization", "type"), "none"),
        ("KafkaTopic", ("spec", "partition"), 1),
        ("KafkaUser", ("spec", "authorization", "acls", 0, "operations"), ["Reed"]),
        ("ScaledObject", ("spec", "minReplicaCount"), "1"),
        ("ServiceMonitor", ("spec", "endpoints", 0, "honourLabels"), True),
        ("OpenTelemetryCollector", ("spec", "mode"), "pod"),
        ("HTTPRoute", ("spec", "rules", 0, "backendRefs", 0, "port"), "http"),
    ],
)
def test_the_check_sees_a_wrong_field(
    rendered: Rendered, schemas: Schemas, kind: str, path: tuple[Any, ...], value: Any
) -> None:
    good = next(each for each in rendered["staging"] if each["kind"] == kind)
    broken = yaml.safe_load(yaml.safe_dump(good))
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert schemas.problems(good) == []
    known = good["apiVersion"].partition("/")[0] not in schemas.missing
    assert len(schemas.problems(broken)) == known


# what the code needs


@pytest.mark.parametrize("environment", EVERY)
def test_every_service_starts_with_the_settings_it_is_given(
    rendered: Rendered, environment: str, tmp_path: Path
) -> None:
    manifests = rendered[environment]
    file = tmp_path / "lydia.yaml"
    file.write_text(named(manifests, "ConfigMap", "lydia-settings")["data"]["lydia.yaml"])
    (tmp_path / "secret").write_text("hush")
    (tmp_path / "secrets").write_text("{live_gift: hush}")
    for pod in pods(manifests):
        for container in pod.containers:
            given = {
                variable["name"]: variable["value"]
                for variable in container.get("env", ())
                if variable["name"].startswith("LYDIA_")
            }
            if not given:
                continue
            if "LYDIA_CONFIG" in given:
                given["LYDIA_CONFIG"] = str(file)
            for name, value in given.items():
                if value.startswith("/run/secrets/"):
                    given[name] = str(tmp_path / ("secrets" if "SECRETS" in name else "secret"))
            try:
                settings = load(given)
            except BadSettings as error:
                pytest.fail(f"{pod.name}: {error}")
            if pod.lasts and "triton" not in pod.name:
                assert settings.redis.url
                assert settings.bus == "redis" or settings.kafka.bootstrap_servers
                assert settings.bus == "redis" or settings.kafka.security_protocol == "SASL_SSL"


def test_the_settings_of_the_values_reach_the_services(tmp_path: Path) -> None:
    file = tmp_path / "lydia.yaml"
    sets = ("settings.audience.seed=1234567,settings.stage.lead_ms=90,settings.stage.ahead_ms=3000000",)
    manifests = render(sets=sets)
    file.write_text(named(manifests, "ConfigMap", "lydia-settings")["data"]["lydia.yaml"])
    settings = load({"LYDIA_CONFIG": str(file)})
    assert (settings.audience.seed, settings.stage.lead_ms, settings.stage.ahead_ms) == (1_234_567, 90, 3_000_000)
    before = named(render(), "Deployment", "lydia-stage")["spec"]["template"]["metadata"]["annotations"]
    after = named(manifests, "Deployment", "lydia-stage")["spec"]["template"]["metadata"]["annotations"]
    assert before["checksum/settings"] != after["checksum/settings"], "pods go on with the old settings"


@pytest.mark.parametrize(
    "sets",
    ["", "settings.speech.own_voice=fast", "settings.chat.network=true", "settings.speech.base_url=http://voice:80/v1"],
)
def test_triton_loads_the_models_that_services_ask_for(sets: str, tmp_path: Path) -> None:
    manifests = render(sets=(sets,) if sets else ())
    file = tmp_path / "lydia.yaml"
    file.write_text(named(manifests, "ConfigMap", "lydia-settings")["data"]["lydia.yaml"])
    settings = load({"LYDIA_CONFIG": str(file)})
    [container] = named(manifests, "StatefulSet", "lydia-triton")["spec"]["template"]["spec"]["containers"]
    loaded = [each.removeprefix("--load-model=") for each in container["args"] if each.startswith("--load-model=")]
    asked = chat.asked(settings) | speech.asked(settings) | set(motion.asked(settings))
    assert sorted(loaded) == sorted(asked)
    assert asked <= models().keys()


def test_files_that_settings_name_are_there_where_they_are_read_and_nowhere_else(schemas: Schemas) -> None:
    manifests = render(sets=("files.words.configMap=ours,files.avatar.claim=bodies,files.avatar.path=vrm/mei.vrm",))
    assert [told for each in manifests for told in schemas.problems(each)] == []
    assert breaches(manifests) == []
    of: dict[str, tuple[str, set[str]]] = {
        "LYDIA_AUDIENCE__WORDS": ("words", set()),
        "LYDIA_STAGE__AVATAR": ("avatar", set()),
    }
    for pod in pods(manifests):
        for container in pod.containers:
            mounts = {each["name"]: each for each in container.get("volumeMounts", ())}
            variables = {each["name"]: each.get("value") for each in container.get("env", ())}
            for variable, (volume, found) in of.items():
                assert (variable in variables) == (volume in mounts), pod.name
                if variable in variables:
                    found.add(pod.name)
                    assert mounts[volume]["readOnly"]
                    assert Path(variables[variable]).is_relative_to(mounts[volume]["mountPath"])
    rooms = {pod.name for pod in pods(manifests) if "RayService" in pod.name}
    assert of["LYDIA_AUDIENCE__WORDS"][1] == {"Deployment lydia-audience", "Deployment lydia-chat", *rooms}
    assert rooms
    assert of["LYDIA_STAGE__AVATAR"][1] == {"Deployment lydia-stage"}
    spec = named(manifests, "Deployment", "lydia-stage")["spec"]["template"]["spec"]
    assert {"name": "avatar", "persistentVolumeClaim": {"claimName": "bodies", "readOnly": True}} in spec["volumes"]


def test_topics_and_rights_are_the_codes(rendered: Rendered) -> None:
    manifests = rendered["production"]
    made = {each["spec"]["topicName"]: each["spec"] for each in manifests if each["kind"] == "KafkaTopic"}
    assert made.keys() == {*topics.CARRIES, *map(topics.dead, topics.CARRIES)}
    for name, spec in made.items():
        layout = topics.layout(name)
        assert (spec["partitions"], spec["config"]) == (layout.partitions, layout.config())
    users = {each["metadata"]["name"]: each for each in manifests if each["kind"] == "KafkaUser"}
    assert users.keys() == {f"lydia-{name}" for name in NAMES}
    speech = {
        (right["resource"]["type"], right["resource"].get("name", "")): set(right["operations"])
        for right in users["lydia-speech"]["spec"]["authorization"]["acls"]
    }
    assert "Read" in speech["topic", topics.TEXT]
    assert "Write" not in speech["topic", topics.TEXT]
    assert "Write" in speech["topic", topics.dead(topics.TEXT)]
    assert speech["topic", topics.VOICE] == {"Write", "Describe"}
    assert speech["cluster", ""] == {"Describe"}
    assert ("topic", topics.FRAMES) not in speech
    assert ("topic", topics.TURNS) not in speech


def test_every_service_knows_every_triton_there_may_be(rendered: Rendered) -> None:
    manifests = rendered["production"]
    most = named(manifests, "ScaledObject", "lydia-triton")["spec"]["maxReplicaCount"]
    [motion] = [pod for pod in pods(manifests) if pod.name == "Deployment lydia-motion"]
    variables = {each["name"]: each.get("value") for each in motion.containers[0]["env"]}
    servers = yaml.safe_load(variables["LYDIA_TRITON__SERVERS"])
    assert servers[0] == "lydia-triton-0.lydia-triton.show.svc:8001"
    assert len(set(servers)) == most


def test_the_stage_is_one_and_has_no_second_beside_it(rendered: Rendered) -> None:
    for manifests in rendered.values():
        spec = named(manifests, "Deployment", "lydia-stage")["spec"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def rewritten(group: Any) -> list[str]:
    """What KubeRay writes otherwise of a group of workers when it writes its RayService back; the whole list would be
    its own from then on, and `helm upgrade` would be refused.
    """
    found = [] if group.get("scaleStrategy") == {} else ["scaleStrategy"]
    for container in group["template"]["spec"]["containers"]:
        for amounts in container["resources"].values():
            found += [str(amount) for amount in amounts.values() if not as_written_back(str(amount))]
    return found


def as_written_back(amount: str) -> bool:
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity: the largest suffix that fits."""
    if (parts := re.fullmatch(r"([1-9]\d*)(m|Ki|Mi|Gi)?", amount)) is None:
        return False
    number, suffix = int(parts[1]), parts[2]
    return suffix is None or number % (1000 if suffix == "m" else 1024) != 0


def test_kuberay_writes_workers_back_as_they_are(rendered: Rendered) -> None:
    groups = [
        group
        for manifests in rendered.values()
        for each in manifests
        if each["kind"] == "RayService"
        for group in each["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    ]
    assert len(groups) > 1
    assert [rewritten(group) for group in groups] == [[]] * len(groups)
    (group,) = named(
        render(VALUES, sets=("ray.workers.resources.limits.memory=1024Mi",)), "RayService", "lydia-audience"
    )["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    assert rewritten(group) == ["1024Mi"]


def test_a_long_name_is_cut_to_what_servers_take() -> None:
    manifests = render(ENVIRONMENTS["production"], sets=(f"nameOverride={'a-long-name' * 3}",))
    assert max(len(each["metadata"]["name"]) for each in manifests) <= 63
    assert [len(each["metadata"]["name"]) for each in manifests if each["kind"] == "RayService"] == [41]
    assert breaches(manifests) == []


def test_releases_of_one_name_in_two_namespaces_share_no_object_of_the_whole_cluster() -> None:
    def classes(namespace: str) -> set[str]:
        made = parsed(helm("template", RELEASE, CHART, "--namespace", namespace))
        found = {each["metadata"]["name"] for each in made if each["kind"] == "PriorityClass"}
        assert {pod.spec["priorityClassName"] for pod in pods(made) if pod.lasts} == found
        return found

    assert classes("show").isdisjoint(classes("further")), "helm would refuse the second"


def test_another_priority_is_another_class_because_a_server_never_changes_one() -> None:
    def classes(*sets: str) -> dict[int, str]:
        return {
            each["value"]: each["metadata"]["name"] for each in render(sets=sets) if each["kind"] == "PriorityClass"
        }

    before, after = classes(), classes("priority.onAir=99999")
    assert before[50_000] == after[50_000]
    assert before[100_000] != after[99_999]


def test_grace_follows_from_the_drain() -> None:
    for drain_s in (10, 90):
        manifests = render(sets=(f"drainSeconds={drain_s}",))
        for name in NAMES:
            spec = named(manifests, "Deployment", f"lydia-{name}")["spec"]["template"]["spec"]
            assert spec["terminationGracePeriodSeconds"] - drain_s in (20, 25)


@pytest.mark.parametrize(
    ("kind", "sets", "resource", "count"),
    [
        ("cpu", "", "", 0),
        ("gpu", "triton.device.count=4", "nvidia.com/gpu", 4),
        ("mig", "triton.device.resource=nvidia.com/mig-2g.20gb", "nvidia.com/mig-2g.20gb", 1),
        ("shared", "", "nvidia.com/gpu.shared", 1),
    ],
)
def test_triton_asks_for_what_it_runs_on(kind: str, sets: str, resource: str, count: int) -> None:
    given = [f"triton.device.kind={kind}", *([sets] if sets else [])]
    spec = named(render(sets=given), "StatefulSet", "lydia-triton")["spec"]["template"]["spec"]
    limits = spec["containers"][0]["resources"]["limits"]
    assert {key: value for key, value in limits.items() if "/" in key} == ({resource: count} if resource else {})
    tolerated = {each["key"] for each in spec["tolerations"]}
    assert ("nvidia.com/gpu" in tolerated) is bool(resource)


def test_a_lost_node_is_waited_for_seconds_and_not_minutes() -> None:
    taints = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
    for sets, seconds in (((), 10), (("placement.awaySeconds=300",), 300)):
        for pod in pods(render(ENVIRONMENTS["production"], sets=sets)):
            waits = {each["key"]: each.get("tolerationSeconds") for each in pod.spec.get("tolerations", ())}
            if pod.lasts:
                assert [waits.get(taint) for taint in taints] == [seconds, seconds], pod.name


def test_ray_takes_its_serve_configuration_and_finds_the_application(rendered: Rendered) -> None:
    from ray.serve.schema import ServeDeploySchema  # takes seconds to load, and only this test needs it

    from services.audience import serve_app

    text = named(rendered["production"], "RayService", "lydia-audience")["spec"]["serveConfigV2"]
    [application] = ServeDeploySchema.model_validate(yaml.safe_load(text)).applications
    module, _, builder = application.import_path.partition(":")
    assert (module, builder) == (serve_app.__name__, serve_app.build.__name__)


def test_the_image_has_the_ray_that_the_chart_names() -> None:
    locked = re.search(r"^ray==(\S+)", (ROOT / "requirements-cluster.txt").read_text(), re.MULTILINE)
    assert locked is not None
    assert yaml.safe_load((CHART / "values.yaml").read_text())["ray"]["version"] == locked[1]


def test_scaling_goes_by_figures_that_exist(rendered: Rendered) -> None:
    declared = (ROOT / "services" / "core" / "metrics.py").read_text()
    used = {
        name.removesuffix("_count")
        for each in rendered["production"]
        if each["kind"] == "ScaledObject"
        for trigger in each["spec"]["triggers"]
        for name in re.findall(r"\b(?:lydia|nv)_\w+", trigger["metadata"]["query"])
    }
    assert len(used) >= 5
    for name in used:
        # https://github.com/triton-inference-server/server/blob/main/docs/user_guide/metrics.md
        triton = name in ("nv_inference_queue_duration_us", "nv_inference_request_success")
        assert triton or f'"{name}"' in declared, name


def test_without_figures_everything_stays_as_large_as_it_is_with_the_keda_that_is_asked_for(rendered: Rendered) -> None:
    """KEDA falls back for triggers of the type Value from 2.18 on, and never for processors and memory."""
    asked = re.search(r"\[KEDA\]\(https://keda\.sh\) (\d+)\.(\d+) or newer", (CHART / "README.md").read_text())
    assert asked is not None
    assert (int(asked[1]), int(asked[2])) >= (2, 18)
    scaled = [each["spec"] for each in rendered["production"] if each["kind"] == "ScaledObject"]
    assert {each["fallback"]["behavior"] for each in scaled} == {"currentReplicasIfHigher"}
    triggers = [trigger for each in scaled for trigger in each["triggers"]]
    assert {trigger["metricType"] for trigger in triggers} == {"Value", "AverageValue"}
    assert {trigger["type"] for trigger in triggers} == {"prometheus"}


def test_rules_and_dashboards_of_the_files_are_what_is_installed(rendered: Rendered) -> None:
    manifests = rendered["production"]
    rules = [each["spec"] for each in manifests if each["kind"] == "PrometheusRule"]
    assert rules == [yaml.safe_load(path.read_text()) for path in sorted(CHART.glob("files/rules/*.yaml"))]
    boards = {
        key: text for each in manifests if "dashboard" in each["metadata"]["name"] for key, text in each["data"].items()
    }
    assert boards == {path.name: path.read_text() for path in CHART.glob("files/dashboards/*.json")}


# the network

OPEN = {
    ("gateway", "redis", 6379),
    ("stage", "redis", 6379),
    ("ray-worker", "redis", 6379),
    ("chat", "triton", 8001),
    ("speech", "triton", 8001),
    ("motion", "triton", 8001),
    ("audience", "ray-worker", 8000),
    ("ray-head", "ray-worker", 10_002),
    ("ray-worker", "ray-head", 6379),
    ("probe", "gateway", 8080),
    ("probe", "stage", 8080),
}
SHUT = {
    ("gateway", "stage", 8080),
    ("stage", "gateway", 8080),
    ("chat", "speech", 8080),
    ("motion", "audience", 8080),
    ("triton", "redis", 6379),
    ("probe", "redis", 6379),
    ("gateway", "triton", 8001),
    ("gateway", "ray-worker", 8000),
    ("gateway", "ray-head", 8265),
    ("chat", "triton", 8000),
    ("redis", "gateway", 8080),
}


def test_only_those_speak_with_each_other_who_have_to(rendered: Rendered) -> None:
    manifests = rendered[""]
    assert {edge for edge in OPEN if not reaches(manifests, *edge)} == set()
    assert {edge for edge in SHUT if reaches(manifests, *edge)} == set()


def test_everything_of_lydias_that_a_service_is_told_of_it_reaches(rendered: Rendered) -> None:
    """Addresses in the environment are the edges that the policies have to leave open."""
    for manifests in rendered.values():
        services = {each["metadata"]["name"]: each["spec"] for each in manifests if each["kind"] == "Service"}
        for pod in pods(manifests):
            component = pod.labels["app.kubernetes.io/component"]
            for container in pod.containers:
                told = " ".join(each.get("value", "") for each in container.get("env", ()))
                told += " ".join(container.get("command", ()))
                for name, port in re.findall(r"(lydia-[a-z-]+?)(?:\.show\.svc)?:(\d+)", told):
                    if name in services:
                        target = services[name]["selector"]["app.kubernetes.io/component"]
                        assert reaches(manifests, component, target, int(port)), (component, name, port)


def test_only_what_people_and_platforms_need_is_to_be_had_from_outside(rendered: Rendered) -> None:
    rules = named(rendered["production"], "HTTPRoute", "lydia")["spec"]["rules"]
    gateway, stage = ([match["path"]["value"] for match in rule["matches"]] for rule in rules)
    messages = next(path for path in gateway if "messages" in path)
    assert re.fullmatch(messages, "/rooms/lydia/messages")
    assert not re.fullmatch(messages, "/rooms/lydia/stream")
    assert "/platforms" in gateway
    assert {"/", "/rooms", "/console"} <= set(stage)
    assert {"/metrics", "/healthz", "/readyz", "/openapi.json"}.isdisjoint({*gateway, *stage})


def test_nothing_comes_in_from_outside_but_to_gateway_and_stage(rendered: Rendered) -> None:
    entered = {
        each["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for each in rendered["production"]
        if each["kind"] == "NetworkPolicy"
        for rule in each["spec"].get("ingress") or ()
        for peer in rule["from"]
        if peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name") == "gateways"
    }
    assert entered == {"gateway", "stage"}


def test_defaults_are_lydias_own() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values["drainSeconds"] == Settings().drain_s
    assert values["settings"] == {}
