"""The simulation's queues against a plain loop and against queueing theory."""

from __future__ import annotations

import numpy as np
import pytest

from loadtests.capacity.queues import departures, poisson

JOBS = 400_000


def test_they_agree_with_a_plain_loop() -> None:
    chance = np.random.default_rng(1)
    arrivals, service = chance.uniform(-5, 50, 500), chance.exponential(0.4, 500)
    server = chance.integers(0, 7, 500)
    free: dict[int, float] = {}
    expected = np.empty(500)
    for place in np.argsort(arrivals, kind="stable"):
        whose = int(server[place])
        free[whose] = max(arrivals[place], free.get(whose, -np.inf)) + service[place]
        expected[place] = free[whose]
    np.testing.assert_allclose(departures(arrivals, service, server), expected)


def test_nothing_in_nothing_out() -> None:
    assert len(departures(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))) == 0


def test_whoever_comes_at_the_same_moment_is_served_in_order() -> None:
    left = departures(np.zeros(3), np.array([1.0, 2.0, 3.0]), np.zeros(3, dtype=np.int64))
    assert left.tolist() == [1, 3, 6]


@pytest.mark.parametrize("use", [0.3, 0.7])
def test_random_service_waits_as_long_as_the_theory_of_m_m_1_says(use: float) -> None:
    """The mean time in the system is 1 / (μ - λ)."""
    chance = np.random.default_rng(2)
    arrivals = np.cumsum(chance.exponential(1 / use, JOBS))
    left = departures(arrivals, chance.exponential(1.0, JOBS), np.zeros(JOBS, dtype=np.int64))
    assert (left - arrivals).mean() == pytest.approx(1 / (1 - use), rel=0.03)


@pytest.mark.parametrize("use", [0.3, 0.7])
def test_even_service_waits_half_as_long(use: float) -> None:
    """M/D/1: the mean wait is ρ / (2 μ (1 - ρ)), Pollaczek and Khinchine."""
    chance = np.random.default_rng(3)
    arrivals = np.cumsum(chance.exponential(1 / use, JOBS))
    left = departures(arrivals, np.ones(JOBS), np.zeros(JOBS, dtype=np.int64))
    assert (left - arrivals - 1).mean() == pytest.approx(use / (2 * (1 - use)), rel=0.03)


def test_streams_have_their_rates() -> None:
    rates = np.array([0.5, 20.0, 200.0])
    times, whose = poisson(np.random.default_rng(4), rates, 1000.0)
    assert times.min() >= 0 and times.max() <= 1000
    np.testing.assert_allclose(np.bincount(whose) / 1000, rates, rtol=0.1)
