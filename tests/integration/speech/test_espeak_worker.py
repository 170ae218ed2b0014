"""espeak-ng's process may die, hang or be missing: Lydia goes on, and no process outlives her."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.speech.espeak.client import WORKER, EspeakClient, EspeakFailed, espeak_client
from services.speech.espeak.protocol import LENGTH, MAX_REQUEST_BYTES, Hello, Line, pack_hello

HELLO = Line("Hello there.", "lydia-en", 170, 50, 50)
LONG = Line("people " * 60, "lydia-en", 80, 50, 50)


@pytest.fixture
async def client() -> AsyncIterator[EspeakClient]:
    async with espeak_client(timeout_s=10) as client:
        yield client


def state(pid: int) -> str:
    """A process's state as Linux writes it (R, S, T, Z …); empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def suspend(pid: int) -> None:
    """Stops a worker and the copy of itself that waits for the next request."""
    os.kill(pid, signal.SIGSTOP)
    while state(pid) not in ("T", "t"):  # a copy that is made until then has to be stopped too
        time.sleep(0.001)
    for copy in children(pid):
        os.kill(copy, signal.SIGSTOP)


async def until(condition: Callable[[], bool]) -> None:
    """Waits for other processes."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def gone(*pids: int) -> None:
    """Waits until the processes have ended."""
    await until(lambda: all(state(pid) in ("", "Z") for pid in pids))


async def test_the_same_request_gives_the_same_samples_whatever_was_said_before() -> None:
    sounds = []
    for before in ([], [LONG], [HELLO, HELLO]):
        async with espeak_client(timeout_s=10) as client:
            for line in before:
                await client.speak([line])
            sounds.append(await client.speak([HELLO]))
    assert sounds[0] == sounds[1] == sounds[2]
    assert len(sounds[0][0][0].pcm_s16le) > 20_000


async def test_each_line_has_a_sound_of_its_own(client: EspeakClient) -> None:
    sounds, rate = await client.speak([HELLO, Line("ni3hao3", "lydia-zh", 190, 50, 60)])
    assert rate == 22_050
    assert [any(name in ("X", "h") for name, _ in sound.events) for sound in sounds] == [True, True]
    for sound in sounds:
        samples = [sample for _, sample in sound.events]
        assert samples == sorted(samples)
        assert samples[-1] <= len(sound.pcm_s16le) // 2


async def test_a_killed_worker_is_replaced(client: EspeakClient) -> None:
    await client.speak([HELLO])
    (pid,) = client.pids()
    os.kill(pid, signal.SIGKILL)
    await gone(pid)
    sounds, _ = await client.speak([HELLO])
    assert sounds
    assert client.pids() != [pid]


async def test_a_request_whose_worker_is_killed_is_answered_by_another_one(client: EspeakClient) -> None:
    expected = await client.speak([HELLO])
    (pid,) = client.pids()
    suspend(pid)
    request = asyncio.create_task(client.speak([HELLO]))
    await asyncio.sleep(0.05)
    os.killpg(pid, signal.SIGKILL)
    assert await request == expected
    assert client.pids() != [pid]


async def test_a_request_that_kills_every_worker_fails(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(
        f"import os, sys; os.write(1, {pack_hello(Hello(22_050, ''))!r}); os.read(0, 1); os.kill(os.getpid(), 9)"
    )
    async with espeak_client(timeout_s=5, command=(sys.executable, str(script))) as client:
        with pytest.raises(EspeakFailed):
            await client.speak([HELLO])


async def test_a_worker_that_hangs_is_killed_and_replaced() -> None:
    async with espeak_client(timeout_s=1) as client:
        await until(lambda: client.ready)
        (pid,) = client.pids()
        family = [pid, *children(pid)]
        suspend(pid)
        with pytest.raises(EspeakFailed, match="no answer"):
            await client.speak([HELLO])
        await gone(*family)
        await until(lambda: client.ready and client.pids() != [pid])


async def test_a_cancelled_request_does_not_confuse_the_next_one(client: EspeakClient) -> None:
    expected = await client.speak([HELLO])
    for _ in range(5):
        request = asyncio.create_task(client.speak([LONG]))
        await asyncio.sleep(0.001)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    assert await client.speak([HELLO]) == expected


async def test_many_requests_at_once_each_get_their_own_answer() -> None:
    async with espeak_client(processes=2, timeout_s=20) as client:
        words = ["one", "two", "three", "banana", "extraordinary"] * 4
        alone = {word: await client.speak([Line(word, "lydia-en", 170, 50, 50)]) for word in set(words)}
        together = await asyncio.gather(*(client.speak([Line(word, "lydia-en", 170, 50, 50)]) for word in words))
    assert together == [alone[word] for word in words]


@pytest.mark.parametrize(
    "line",
    [
        Line("hello", "nobody", 170, 50, 50),
        Line("hello", "../worker.py", 170, 50, 50),
        Line("a\0b", "lydia-en", 170, 50, 50),
        Line("people " * 400, "lydia-en", 80, 50, 50),
        Line("x" * MAX_REQUEST_BYTES, "lydia-en", 170, 50, 50),
    ],
    ids=["unknown voice", "a path", "null character", "over a minute", "too large"],
)
async def test_what_cannot_be_spoken_is_refused_and_the_worker_lives_on(client: EspeakClient, line: Line) -> None:
    with pytest.raises(EspeakFailed):
        await client.speak([line])
    assert (await client.speak([HELLO]))[0]


@pytest.mark.parametrize(
    "text", ["", " ", "[[", "]]", "[[!!!]]", "<speak>", "&#0;", "\ufffd", "עברית", "\u202e", "'" * 1000, "[[_^_xx]]"]
)
async def test_odd_text_does_no_harm(client: EspeakClient, text: str) -> None:
    await client.speak([Line(text, "lydia-zh", 190, 50, 60), HELLO])


@pytest.mark.parametrize(
    "garbage",
    [
        LENGTH.pack(MAX_REQUEST_BYTES + 1),
        LENGTH.pack(3) + b"abc",
        LENGTH.pack(2) + b"[]",
        LENGTH.pack(13) + b'{"lines": []}',
        LENGTH.pack(100) + b"cut off",
    ],
    ids=["too large", "no JSON", "no object", "no request", "cut off"],
)
def test_a_worker_that_is_not_spoken_to_properly_leaves(garbage: bytes) -> None:
    done = subprocess.run(WORKER, input=garbage, capture_output=True, timeout=30, check=False)
    assert len(done.stdout) > LENGTH.size
    assert done.returncode == 1


async def test_no_process_is_left_when_the_client_is_closed() -> None:
    async with espeak_client(processes=2, timeout_s=10) as client:
        await client.speak([HELLO])
        pids = client.pids()
        family = [child for pid in pids for child in children(pid)]
        request = asyncio.create_task(client.speak([LONG]))
        await asyncio.sleep(0)
    request.cancel()
    await gone(*pids, *family)


PARENT = """
import asyncio
from services.speech.espeak.client import espeak_client
from services.speech.espeak.protocol import Line
async def main():
    async with espeak_client(timeout_s=60) as client:
        await client.speak([Line("hello", "lydia-en", 170, 50, 50)])
        print(*client.pids(), flush=True)
        while True:
            await client.speak([Line("people " * 60, "lydia-en", 80, 50, 50)])
asyncio.run(main())
"""


async def test_no_process_is_left_when_lydia_is_killed_in_the_middle_of_a_word(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    family = [pid, *children(pid)]
    parent.kill()
    await parent.wait()
    await gone(*family)


@pytest.mark.parametrize(
    "command",
    [
        ("/no/such/program",),
        (sys.executable, "-c", "raise SystemExit(1)"),
        (sys.executable, "-c", "print('not the protocol at all')"),
        (sys.executable, "-c", f"import os; os.write(1, {pack_hello(Hello(0, 'no library'))!r})"),
    ],
    ids=["missing", "exits", "talks nonsense", "finds no library"],
)
async def test_without_espeak_lydia_starts_and_every_request_fails_at_once(command: tuple[str, ...]) -> None:
    async with espeak_client(timeout_s=20, command=command) as client:
        for _ in range(3):
            async with asyncio.timeout(15):
                with pytest.raises(EspeakFailed):
                    await client.speak([HELLO])
        assert not client.ready


async def test_who_is_in_a_hurry_to_end_leaves_no_worker_behind(tmp_path: Path) -> None:
    script = tmp_path / "deaf.py"
    script.write_text(f"import os, time; os.write(1, {pack_hello(Hello(22_050, ''))!r}); time.sleep(60)")
    client = EspeakClient(timeout_s=5)
    keeper = asyncio.create_task(client.keep((sys.executable, str(script))))
    await until(lambda: client.ready)
    (pid,) = client.pids()
    keeper.cancel()
    await asyncio.sleep(0.05)  # it waits for the worker to leave by itself
    keeper.cancel()
    await asyncio.wait({keeper}, timeout=5)
    assert keeper.cancelled()
    assert state(pid) == ""


async def test_a_worker_that_never_says_hello_is_not_waited_for() -> None:
    async with espeak_client(timeout_s=0.3, command=(sys.executable, "-c", "import time; time.sleep(60)")) as client:
        with pytest.raises(EspeakFailed, match="no worker is free"):
            await client.speak([HELLO])
