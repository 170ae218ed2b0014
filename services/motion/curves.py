"""The curves by which everything moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def ease(x: Array) -> Array:
    """Minimum-jerk step: 0 up to x = 0, 1 from x = 1, at rest at both ends (Flash and Hogan 1985)."""
    x = np.minimum(np.maximum(x, 0.0), 1.0)
    step: Array = x * x * x * (10.0 + x * (6.0 * x - 15.0))
    return step


def soft_limit(x: Array, limit: float) -> Array:
    """Keeps x within ±limit, without a corner: nearly x for small x."""
    limited: Array = limit * np.tanh(x / limit)
    return limited
