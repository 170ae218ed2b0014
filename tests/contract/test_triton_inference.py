"""Models behind Triton keep the contract, and what is said of servers that fail, on the real server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.triton import Triton, triton
from services.core.inference import Inference, ModelFailed
from services.core.inference.triton import TritonInference
from services.core.inference.triton_repository import lay_out
from services.core.settings import Triton as Settings
from tests.contract.inference_contract import PATIENCE_S, PUPPET, InferenceContract, answers, told, until_noted
from tests.contract.listening import until
from tests.contract.puppet import FOLDER

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIGURATION = Path(__file__).with_name("puppet_shell.pbtxt")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Triton]:
    root = tmp_path_factory.mktemp("triton")
    (root / "puppet").mkdir()
    lay_out(root / "repository", configurations=[CONFIGURATION])
    async with triton(root, root / "repository", environment={FOLDER: str(root / "puppet")}) as server:
        yield server


@pytest.fixture
def folder(server: Triton) -> Path:
    folder = server.server.log.parent / "puppet"
    for left in folder.iterdir():
        left.unlink()
    return folder


@pytest_asyncio.fixture(loop_scope="module")
async def inference(server: Triton) -> AsyncIterator[TritonInference]:
    async with TritonInference(Settings(servers=(server.grpc,), answer_s=PATIENCE_S)) as inference:
        yield inference


class TestTriton(InferenceContract):
    @pytest.fixture
    def inference(self, inference: TritonInference) -> Inference:
        return inference


async def test_a_model_that_breaks_says_only_of_what_kind(inference: Inference) -> None:
    with pytest.raises(ModelFailed, match="ValueError") as failure:
        await answers(inference, told(answers=1, breaks=0))
    assert "secret" not in str(failure.value)


async def test_a_request_that_is_cut_short_has_failed(server: Triton, inference: Inference, folder: Path) -> None:
    """`kill -9` in the middle of an answer; the same client is served again after the server's return."""
    asking = asyncio.create_task(answers(inference, told(answers=1000, pause_s=0.02)))
    await until_noted(folder / "note", "begun")
    await server.server.kill()
    with pytest.raises(ModelFailed):
        await asking
    with pytest.raises(ModelFailed):
        await answers(inference, told())
    assert not await inference.ready(PUPPET)
    await server.server.start()
    await until(lambda: inference.ready(PUPPET))
    assert len(await answers(inference, told(answers=3))) == 3


async def test_a_server_whose_model_dies_ends_and_is_not_ready_for_ever(
    server: Triton, inference: Inference, folder: Path
) -> None:
    asking = asyncio.create_task(answers(inference, told(answers=1000, pause_s=0.02)))
    await until_noted(folder / "note", "begun")
    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
    with pytest.raises(ModelFailed):
        await asking

    async def ended() -> bool:
        return not server.server.running

    await until(ended)
    await server.server.start()
    assert len(await answers(inference, told(answers=3))) == 3


async def test_a_server_that_hangs_has_failed_after_the_time_out(server: Triton, folder: Path) -> None:
    async with TritonInference(Settings(servers=(server.grpc,), answer_s=0.5)) as inference:
        asking = asyncio.create_task(answers(inference, told(answers=1000, pause_s=0.02)))
        await until_noted(folder / "note", "begun")
        server.server.suspend()
        try:
            with pytest.raises(ModelFailed, match=r"0\.5 s"):
                await asking
            with pytest.raises(ModelFailed, match=r"0\.5 s"):
                await answers(inference, told())
            assert not await inference.ready(PUPPET)
        finally:
            server.server.resume()
        await until(lambda: inference.ready(PUPPET))
        assert len(await answers(inference, told(answers=3))) == 3


async def test_a_server_that_stops_finishes_what_it_began_and_takes_no_more(
    server: Triton, inference: Inference, folder: Path
) -> None:
    asking = asyncio.create_task(answers(inference, told(answers=20, pause_s=0.1)))
    await until_noted(folder / "note", "begun")
    stopping = asyncio.create_task(server.server.stop())
    await asyncio.sleep(0.5)
    with pytest.raises(ModelFailed):
        await answers(inference, told())
    assert not await inference.ready(PUPPET)
    assert len(await asking) == 20
    await stopping
    await server.server.start()


async def test_without_a_server_models_have_failed_at_once() -> None:
    async with TritonInference(Settings(servers=("127.0.0.1:1",))) as inference:
        with pytest.raises(ModelFailed, match="UNAVAILABLE"):
            await answers(inference, told())
        assert not await inference.ready(PUPPET)


async def test_an_unnamed_server_is_asked_for() -> None:
    async with TritonInference(Settings()) as inference:
        with pytest.raises(ModelFailed, match="LYDIA_TRITON__SERVERS"):
            await answers(inference, told())


async def test_the_next_server_answers_for_one_that_is_away(server: Triton) -> None:
    async with TritonInference(Settings(servers=("127.0.0.1:1", server.grpc))) as inference:
        for number in range(10):  # of these rooms, each server is the first of some
            assert len(await answers(inference, told(f"room{number}", answers=3))) == 3
