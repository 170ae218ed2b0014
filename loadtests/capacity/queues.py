"""Queues of the simulation, many at once: first come, first served, one server each.

One server, because a service of Lydia's is one event loop on one core. A job leaves at
D(n) = max(A(n), D(n-1)) + S(n), which is C(n) + max over k ≤ n of (A(k) - C(k-1)) with C the sum of service times: a
running maximum, so that millions of jobs take a moment (D. Lindley, 1952, written out).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def departures(arrivals: Floats, service: Floats, server: Ints) -> Floats:
    """When each job leaves. Seconds; arrays of one length, in any order.

    `server` says whose queue a job joins. Jobs that arrive at the same time are served in the order of the arrays.
    """
    if not len(arrivals):
        return arrivals.copy()
    order = np.lexsort((arrivals, server))
    arrived, needed, whose = arrivals[order], service[order], server[order]
    # Each server gets a stretch of time of its own, so that one running maximum does for all.
    begin, end = float(arrived.min()), float(arrived.max())
    fresh = np.flatnonzero(np.diff(whose, prepend=whose[0] - 1))
    done = np.cumsum(needed)
    before = np.repeat(done[fresh] - needed[fresh], np.diff(np.append(fresh, len(whose))))
    done -= before  # within each server
    most = float(np.maximum.reduceat(done, fresh).max())
    shift = np.repeat(np.arange(len(fresh)) * (end - begin + most + 1.0), np.diff(np.append(fresh, len(whose))))
    leaving = np.maximum.accumulate(arrived - begin - (done - needed) + shift) - shift + done + begin
    left = np.empty_like(leaving)
    left[order] = leaving
    return left


def poisson(chance: np.random.Generator, per_s: Floats, seconds: float) -> tuple[Floats, Ints]:
    """Arrivals of several independent streams: times within the window, and whose they are."""
    counts = chance.poisson(per_s * seconds)
    whose = np.repeat(np.arange(len(per_s)), counts)
    return chance.uniform(0.0, seconds, len(whose)), whose
