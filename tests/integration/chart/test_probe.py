"""What `helm test` runs says the truth: whether a message comes out as her voice and her moving mouth."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from deploy.local.process import free_port
from deploy.release.performing import push
from loadtests.process import Process, lydia
from services.probe import Failed, answer, main, probe

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN, SECRET = "message-token", "comment-secret"
SETTINGS = {
    "LYDIA_SPEECH__OWN_VOICE": "fast",
    "LYDIA_AUTH__MESSAGE_TOKEN": TOKEN,
    "LYDIA_DOUYIN__PUSH_SECRETS": json.dumps({"live_comment": SECRET}),
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    async with lydia(tmp_path_factory.mktemp("probe") / "data", SETTINGS) as process:
        yield process


async def tried(process: Process, *, room: str = "probe", token: str = TOKEN, within_s: float = 40) -> str:
    url = f"http://{process.address}"
    return await probe(url, url, room, "你是谁？", token=token, within_s=within_s)


async def test_it_tells_when_her_voice_and_her_frames_came(process: Process) -> None:
    told = await tried(process)
    assert told.startswith("she answered: voice after ")
    assert float(told.split()[-6]) > 0.5, told


async def test_it_tells_the_same_of_a_signed_push(process: Process) -> None:
    pushed = partial(push, process.address, "pushed", SECRET)
    told = await answer(f"http://{process.address}", "pushed", pushed, within_s=40)
    assert told.startswith("she answered: voice after ")


async def test_a_push_with_another_secret_is_not_taken(process: Process) -> None:
    pushed = partial(push, process.address, "pushed", "another")
    with pytest.raises(Failed, match=r"the gateway: HTTPStatusError.*401"):
        await answer(f"http://{process.address}", "pushed", pushed, within_s=2)


async def test_a_silent_stage_fails_it(process: Process) -> None:
    async with process.client() as client:
        answer = await client.post("/rooms/silent/control", json={"action": "panic"})
        assert answer.status_code == 202
    with pytest.raises(Failed, match=r"no turn on the stage answers it|and no voice"):
        await tried(process, room="silent", within_s=4)


async def test_a_wrong_token_fails_it_at_once_and_is_told(process: Process) -> None:
    with pytest.raises(Failed, match="LYDIA_AUTH__MESSAGE_TOKEN"):
        await tried(process, token="another")


async def test_nobody_there_fails_it_with_what_was_tried() -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Failed, match=r"not within 1\.5 s: the stage: ConnectionRefusedError"):
        await probe(nobody, nobody, "probe", "你是谁？", token=None, within_s=1.5)


async def test_the_command_fails_with_a_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LYDIA_AUTH__MESSAGE_TOKEN", TOKEN)
    nobody = f"http://127.0.0.1:{free_port()}"
    assert await asyncio.to_thread(main, [f"--gateway={nobody}", f"--stage={nobody}", "--within=0.5"]) == 1
    assert "not within 0.5 s" in capsys.readouterr().err
