"""The release check sees what is wrong, and builds what it says it builds."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from deploy.chart.render import CHART, Manifest
from deploy.release import binaries, composing
from deploy.release.binaries import CannotBuild, Programs, go, staging
from deploy.release.certificates import Authority
from deploy.release.cluster import named
from deploy.release.declared import look
from deploy.release.images import OURS
from deploy.release.network import MAY, PORTS, amiss
from deploy.release.node import KERNEL, kernel
from deploy.release.nodes import misplaced, nodes, zones
from deploy.release.performing import ASKED, counted
from deploy.release.ray import as_pods
from deploy.release.steps import NotProven, Report, expect
from loadtests.faults.room import People

MIG = "nvidia.com/mig-1g.10gb"


def pod(part: str, node: str, *asks: str) -> Manifest:
    """A pod of a part of Lydia's, on a node, with what it asks for beside memory."""
    limits = dict.fromkeys(asks, 1) | {"memory": "1Gi"}
    return {
        "metadata": {"name": f"lydia-{part}-0", "labels": {"app.kubernetes.io/component": part}},
        "spec": {"nodeName": node, "containers": [{"resources": {"limits": limits}}]},
    }


def test_pods_where_they_belong_are_no_reason_to_complain() -> None:
    pods = [pod("triton", "gpu-b", MIG), pod("chat", "services-a")]
    assert misplaced(pods, nodes(), MIG) == []
    assert zones(pods, nodes()) == {"a", "b"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (pod("triton", "services-a", MIG), "lydia-triton-0 is on services-a"),
        (pod("chat", "gpu-a"), "lydia-chat-0 is on gpu-a"),
        (pod("chat", ""), "lydia-chat-0 is on no node"),
        (pod("triton", "gpu-a"), "lydia-triton-0 asks for no GPU"),
        (pod("triton", "gpu-a", "nvidia.com/gpu"), "lydia-triton-0 asks for nvidia.com/gpu"),
        (pod("speech", "services-a", MIG), f"lydia-speech-0 asks for {MIG}"),
    ],
)
def test_a_pod_that_is_elsewhere_or_asks_for_something_else_is_told(wrong: Manifest, told: str) -> None:
    assert misplaced([wrong], nodes(), MIG) == [told]


def test_without_a_device_triton_belongs_beside_the_services() -> None:
    assert misplaced([pod("triton", "services-c")], nodes(), "") == []
    assert misplaced([pod("triton", "gpu-c")], nodes(), "") == ["lydia-triton-0 is on gpu-c"]


def test_objects_are_known_by_kind_namespace_and_name() -> None:
    assert list(named("Pod    show     a\nNode   <none>   b\n\n")) == ["Pod show/a", "Node /b"]


def test_what_kubernetes_keeps_in_folders_of_its_own_is_found_and_nothing_else() -> None:
    known = {
        "Replace": [
            {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
            {"Old": {"Path": "example.com/other"}, "New": {"Path": "example.com/fork", "Version": "v1.0.0"}},
        ]
    }
    assert staging(known) == ["k8s.io/api"]
    assert staging({"Replace": None}) == []


def test_what_was_built_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = tmp_path / "kubernetes-1.36.3" / "kube-apiserver"
    built.parent.mkdir()
    built.touch()
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("built"))
    assert Programs(pytest.fail, tmp_path).kubernetes(["kube-apiserver"]) == [built]


def test_of_coredns_only_what_is_asked_for_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched, built = tmp_path / "module", dict[str, str]()
    (fetched / "core" / "plugin").mkdir(parents=True)
    (fetched / "core" / "plugin" / "zplugin.go").write_text("everything")
    fetched.joinpath("core", "plugin", "zplugin.go").chmod(0o444)

    def go_(*arguments: str, where: Path) -> str:
        built[arguments[0]] = (where / "core" / "plugin" / "zplugin.go").read_text()
        return ""

    monkeypatch.setattr(binaries, "go", lambda: None)
    monkeypatch.setattr(binaries, "module", lambda *_: fetched)
    monkeypatch.setattr(binaries, "_go", go_)
    program = Programs(lambda _: None, tmp_path / "bin").coredns
    assert program.parent.parent == tmp_path / "bin"
    assert built["build"].count("import _") == 4
    assert 'import _ "github.com/coredns/coredns/plugin/kubernetes"\n' in built["build"]
    assert (fetched / "core" / "plugin" / "zplugin.go").read_text() == "everything", "the module itself was changed"


@pytest.mark.parametrize("told", ["go1.19.8", ""])
def test_without_a_go_that_can_build_it_the_mend_is_told(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: told or None)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=told))
    with pytest.raises(CannotBuild, match=r"Mend: install Go 1\.26"):
        go()


def test_the_authority_vouches_for_a_server_at_its_addresses_and_a_user_of_a_group(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "certificates")
    root = x509.load_pem_x509_certificate(authority.ca.read_bytes())
    server, key = authority.issue("kube-apiserver", addresses=("127.0.0.1", "kubernetes"))
    user, _ = authority.issue("admin", group="system:masters")
    for path in (server, user):
        x509.load_pem_x509_certificate(path.read_bytes()).verify_directly_issued_by(root)
    names = x509.load_pem_x509_certificate(server.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["kubernetes"]
    assert [str(each) for each in names.value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    subject = x509.load_pem_x509_certificate(user.read_bytes()).subject
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:masters"
    assert key.stat().st_mode & 0o077 == 0, "others may read the key"


def test_nobody_else_may_read_the_account_of_who_may_do_everything(tmp_path: Path) -> None:
    account = Authority(tmp_path).kubeconfig("https://127.0.0.1:1", "admin")
    assert account.stat().st_mode & 0o077 == 0


def test_a_step_that_fails_is_named_and_not_called_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(tmp_path / "report.txt")
    with pytest.raises(NotProven, match="two pods"), report.step("one pod"):
        expect(False, "two pods")
    with report.step("another"):
        pass
    told = (tmp_path / "report.txt").read_text()
    assert told == capsys.readouterr().out
    assert "FAILED: one pod" in told
    assert "another (0.0 s)" in told


def test_ray_pods_are_made_of_the_templates_and_join_their_head() -> None:
    def group(role: str) -> Manifest:
        container = {"name": role, "env": [{"name": "A", "value": "1"}], "image": "lydia:0.1.0"}
        template = {"metadata": {"labels": {"role": role}}, "spec": {"containers": [container]}}
        return {"template": template, "rayStartParams": {"num-cpus": "0"}}

    service = {
        "metadata": {"name": "lydia-audience"},
        "spec": {
            "rayClusterConfig": {
                "headGroupSpec": group("head"),
                "workerGroupSpecs": [group("worker") | {"groupName": "rooms", "minReplicas": 2}],
            }
        },
    }
    made = {each["metadata"]["name"]: each for each in as_pods(service)}
    assert list(made) == [
        "lydia-audience-head-svc",
        "lydia-audience-serve-svc",
        "lydia-audience-head",
        "lydia-audience-rooms-0",
        "lydia-audience-rooms-1",
    ]
    worker = made["lydia-audience-rooms-1"]
    assert worker["spec"]["containers"][0]["command"][:3] == ["ray", "start", "--address=lydia-audience-head-svc:6379"]
    assert "--num-cpus=0" in worker["spec"]["containers"][0]["command"]
    assert {"name": "A", "value": "1"} in worker["spec"]["containers"][0]["env"]
    serving = made["lydia-audience-serve-svc"]["spec"]["selector"].items()
    assert serving <= worker["metadata"]["labels"].items()
    assert not serving <= made["lydia-audience-head"]["metadata"]["labels"].items(), "the head takes no calls"


def test_gifts_count_for_what_went_on_when_they_were_given() -> None:
    people = People("gateway:8080", random.Random(1))
    people.sent = {"gift1": "upgrade", "gift2": "upgrade", "gift3": "upgrade", "gift4": "rollback", "gift5": "rollback"}
    people.accepted = {"taken1": "upgrade", "taken2": "upgrade", "taken4": "rollback", "taken5": "rollback"}
    times = {"taken1": 1, "taken4": 1, "taken5": 2, "another": 3}
    assert counted(people, times) == {"upgrade": (3, 2, 0), "rollback": (2, 0, 1)}


def test_triton_tells_how_often_each_model_was_asked() -> None:
    told = """# TYPE nv_inference_request_success counter
nv_inference_request_success{model="speech.natural",version="1"} 12
nv_inference_request_success{model="chat.network",version="1"} 0
nv_inference_request_failure{model="speech.natural",version="1",reason="OTHER"} 3
"""
    assert ASKED.findall(told) == [("speech.natural", "12"), ("chat.network", "0")]


def test_the_kernel_is_afterwards_as_it_was_also_where_others_changed_it(tmp_path: Path) -> None:
    forwarding, panic = tmp_path / "net/ipv4/ip_forward", tmp_path / "kernel/panic"
    for path in (forwarding, panic):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("0\n")
    with pytest.raises(NotProven), kernel(tmp_path):
        assert forwarding.read_text() == KERNEL["net/ipv4/ip_forward"] == "1"
        panic.write_text("10\n")  # as kubelet does
        raise NotProven("something")
    assert forwarding.read_text() == panic.read_text() == "0\n"
    assert not (tmp_path / "vm").exists(), "a setting that this kernel does not have was made"


def test_declared_nodes_start_what_waits_end_what_is_told_to_and_leave_the_rest() -> None:
    def on_a_node(name: str, phase: str, **more: str) -> Manifest:
        metadata = {"namespace": "show", "name": name, "uid": f"uid-{name}"} | more
        return {
            "metadata": metadata,
            "spec": {"containers": [{"name": "c", "image": "i:1"}]},
            "status": {"phase": phase},
        }

    there = [
        on_a_node("new", "Pending"),
        on_a_node("old", "Running"),
        on_a_node("going", "Running", deletionTimestamp="2026-11-26T00:00:00Z"),
    ]
    asked = dict[str, Manifest]()

    def server(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"items": there})
        asked[f"{request.method} {request.url.path}"] = json.loads(request.content)
        return httpx.Response(404 if request.method == "DELETE" else 200)  # it may be gone by now

    with httpx.Client(base_url="http://api", transport=httpx.MockTransport(server)) as api:
        look(api, iter(["10.244.0.1"]))
    pods = "/api/v1/namespaces/show/pods"
    assert asked.keys() == {f"PATCH {pods}/new/status", f"DELETE {pods}/going"}
    assert asked[f"DELETE {pods}/going"]["preconditions"] == {"uid": "uid-going"}
    status = asked[f"PATCH {pods}/new/status"]["status"]
    assert status["podIP"] == "10.244.0.1"
    assert {"Ready"} <= {each["type"] for each in status["conditions"] if each["status"] == "True"}
    assert [each["ready"] for each in status["containerStatuses"]] == [True]


def test_declared_nodes_tell_when_the_server_refuses() -> None:
    refusing = httpx.MockTransport(lambda _: httpx.Response(500))
    with httpx.Client(base_url="http://api", transport=refusing) as api, pytest.raises(httpx.HTTPStatusError):
        look(api, iter(()))


def test_whatever_compose_takes_from_a_registry_is_made_here_for_its_check() -> None:
    made = re.findall(r"^FROM \S+ AS (\w+)$", composing.DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert sorted(composing.stand_ins(composing.COMPOSE.read_text("utf-8")).values()) == sorted(made)


def test_composes_check_kills_whatever_a_gift_goes_through() -> None:
    parts = yaml.safe_load(composing.COMPOSE.read_text("utf-8"))["services"].keys()
    assert set(composing.VICTIMS) == parts - {"prometheus"}


def test_compose_and_chart_have_the_same_images() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["appVersion"]
    assert [composing.whole(name) for name in OURS] == [f"{name}:{version}" for name in OURS]


def test_a_way_that_is_open_or_closed_and_should_not_be_is_told() -> None:
    as_meant = {part: "audience" in MAY.get(part, ()) for part in PORTS}
    assert amiss("audience", as_meant) == []
    assert amiss("audience", as_meant | {"ray-worker": False}) == ["audience does not reach ray-worker"]
    assert amiss("stranger", {"redis": True, "gateway": True}) == ["stranger reaches redis", "stranger reaches gateway"]
