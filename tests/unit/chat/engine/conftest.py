"""The engine needs torch, which comes with the extra `train`."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["test_engine.py"]
