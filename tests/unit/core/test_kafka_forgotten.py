"""A client of librdkafka that knows no broker any more is told from one whose brokers are only away."""

from __future__ import annotations

import json

import pytest

from services.core.bus.confluent import forgotten

COORDINATOR = ("GroupCoordinator", "logical", "TRY_CONNECT", 4_182)


def statistics(*brokers: tuple[str, str, str, int]) -> str:
    """As librdkafka 2.16 gives them, with each broker's name, source, state and how long it has been in it (ms)."""
    told = {
        name: {"name": name, "source": source, "state": state, "stateage": ms * 1000}
        for name, source, state, ms in brokers
    }
    return json.dumps({"type": "consumer", "brokers": told})


@pytest.mark.parametrize(
    "brokers",
    [
        pytest.param([], id="they are gone"),
        pytest.param([(":0/internal", "internal", "INIT", 60_000)], id="only what it made itself is left"),
        pytest.param([("127.0.0.1:9092/1", "learned", "INIT", 4_180)], id="what it gave up is held by something"),
    ],
)
def test_a_client_that_asks_nobody_has_forgotten_its_brokers(brokers: list[tuple[str, str, str, int]]) -> None:
    assert forgotten(statistics(*brokers, COORDINATOR))


@pytest.mark.parametrize(
    "brokers",
    [
        pytest.param([("127.0.0.1:9092/1", "learned", "UP", 600_000)], id="connected"),
        pytest.param([("127.0.0.1:9092/bootstrap", "configured", "INIT", 24)], id="killed, and tried again"),
        pytest.param([("127.0.0.1:9092/bootstrap", "configured", "CONNECT", 25_000)], id="it does not answer"),
        pytest.param(
            [("a:9092/bootstrap", "configured", "INIT", 600_000), ("b:9092/2", "learned", "UP", 500)],
            id="one of two is not needed",
        ),
    ],
)
def test_brokers_that_are_there_or_only_away_are_not_forgotten(brokers: list[tuple[str, str, str, int]]) -> None:
    assert not forgotten(statistics(*brokers, COORDINATOR))
