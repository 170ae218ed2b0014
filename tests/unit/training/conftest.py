"""What trains needs torch, which comes with the extra `train`; the calculator does not."""

from __future__ import annotations

from importlib.util import find_spec

NEED_TORCH = ("test_export.py", "test_loop.py", "test_parallel.py", "test_precision.py")
collect_ignore = [] if find_spec("torch") else list(NEED_TORCH)
