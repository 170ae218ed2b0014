"""The natural voice's networks run where they are told to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest

from services.speech.natural.encoder import CUDA, session


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The providers of the sessions that were made."""
    found: list[Any] = []
    monkeypatch.setattr(ort, "InferenceSession", lambda _path, _options, *, providers: found.append(providers))
    return found


def test_a_network_runs_on_the_cpu_unless_it_is_told_otherwise(made: list[Any]) -> None:
    session(Path("any.onnx"))
    assert made == [["CPUExecutionProvider"]]


def test_a_network_runs_on_the_gpu_that_it_is_given(made: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, "CPUExecutionProvider"])
    session(Path("any.onnx"), gpu=3)
    assert made == [[(CUDA, {"device_id": 3}), "CPUExecutionProvider"]]


def test_a_network_that_is_given_a_gpu_does_not_run_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(RuntimeError, match="onnxruntime-gpu"):
        session(Path("any.onnx"), gpu=0)
