"""What helm prints after an install is true: what it names is there, and it says how to go on."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.chart.render import CHART, ENVIRONMENTS, NAMESPACE, RELEASE, helm, render


def notes(environment: str = "", *sets: str) -> str:
    """As they are printed where nothing of the release's namespace is there yet."""
    given: list[str | Path] = ["--values", ENVIRONMENTS[environment]] if environment else []
    given += [argument for one in sets for argument in ("--set", one)]
    printed = helm("install", RELEASE, CHART, "--dry-run=client", "--namespace", NAMESPACE, *given)
    return printed.partition("\nNOTES:\n")[2]


@pytest.mark.parametrize("environment", ["", *ENVIRONMENTS])
def test_it_asks_for_the_secret_first_and_for_a_test_then(environment: str) -> None:
    text = notes(environment)
    secret = f"kubectl -n {NAMESPACE} create secret generic lydia"
    assert text.index(secret) < text.index(f"helm -n {NAMESPACE} test {RELEASE}")
    assert "--from-literal=operator-token=" in text
    assert "{{" not in text
    assert "<no value>" not in text


@pytest.mark.parametrize(("sets", "ready"), [((), "lydia"), (("nameOverride=show",), "lydia-show")])
def test_without_a_way_in_it_opens_services_that_are_there(sets: Sequence[str], ready: str) -> None:
    text = notes("development", *sets)
    there = {
        (each["metadata"]["name"], port["port"])
        for each in render(ENVIRONMENTS["development"], sets=sets)
        if each["kind"] == "Service"
        for port in each["spec"]["ports"]
    }
    forwarded = re.findall(r"port-forward service/(\S+) (?:\d+:)?(\d+)", text)
    assert [name for name, _ in forwarded] == [f"{ready}-stage", f"{ready}-gateway"]
    assert {(name, int(port)) for name, port in forwarded} <= there
    assert json.loads(re.findall(r"-d '(.+?)'", text)[0])["text"]
    assert "lost with its volume" in text, "the chart's own Redis is for development"


def test_who_must_show_a_token_to_write_is_told_how() -> None:
    assert "Bearer" not in notes("development")
    text = notes("development", "secrets.messageToken.name=people")
    assert "get secret people -o jsonpath='{.data.message-token}'" in text.partition("Bearer")[2]


def test_who_opens_a_way_in_without_that_token_is_told_that_anybody_may_write() -> None:
    told = "secrets.messageToken.name"
    assert told in notes("staging")
    assert told not in notes("staging", "secrets.messageToken.name=people")
    assert told not in notes("development"), "nobody comes in from outside"


def test_the_room_is_the_one_that_the_settings_name() -> None:
    text = notes("development", "settings.room=mei")
    assert "/rooms/mei/messages" in text
    assert "/rooms/lydia" not in text


@pytest.mark.parametrize(
    ("environment", "sets", "address"),
    [
        ("production", (), "https://lydia.example/rooms/lydia"),
        (
            "development",
            ("ingress.enabled=true,ingress.host=here.example,networkPolicy.entrance=in",),
            "http://here.example/rooms/lydia",
        ),
        (
            "development",
            ("ingress.enabled=true,ingress.host=here.example,ingress.tlsSecret=tls,networkPolicy.entrance=in",),
            "https://here.example/rooms/lydia",
        ),
    ],
)
def test_with_a_way_in_it_names_its_address(environment: str, sets: Sequence[str], address: str) -> None:
    text = notes(environment, *sets)
    assert address in text
    assert "port-forward" not in text
