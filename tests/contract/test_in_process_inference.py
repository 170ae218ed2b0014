"""Models in the own process keep the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.core.inference import Inference, InProcess
from tests.contract.inference_contract import PUPPET, InferenceContract
from tests.contract.puppet import Puppet


class TestInProcess(InferenceContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path

    @pytest.fixture
    async def inference(self, folder: Path) -> Inference:
        return InProcess({PUPPET: Puppet(folder)})
