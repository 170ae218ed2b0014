"""Lets her speak one sentence through the whole chain, and says whether it came out: `python -m services.probe`.

One message goes in by the gateway; her voice, and frames in which her mouth moves, have to come out on the stage. It
needs no more than the two addresses, so it tries a cluster as well as one process.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import httpx
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from services.core.events import StageFrame
from services.core.settings import BadSettings, load

AGAIN_S = 1.0
"""Between attempts to reach what is only just starting."""
CALL_S = 5.0
OPEN = 0.05
"""How far the jaw is open when she speaks, at least, of 1."""
JAW = "JawOpen"


class Failed(Exception):
    """It did not come out. The text says how far it came."""


@dataclass
class _Seen:
    """What the stage showed of the answer to one event."""

    event_id: str = ""
    turn_id: str = ""
    epoch: int = 0
    jaw: int | None = None
    """Where the jaw is among the face's values."""
    values: int = 1
    rate: int = 24_000
    samples: int = 0
    ended: bool = False
    at: dict[str, float] = field(default_factory=dict)
    """When something was first seen: seconds after the message."""
    begun: float = 0.0

    def take(self, frame: StageFrame) -> None:
        """One message of the stage."""
        match frame.WhichOneof("content"):
            case "hello":
                names = [name.lower() for name in frame.hello.face_names]
                self.jaw = names.index(JAW.lower()) if JAW.lower() in names else None
                self.values, self.rate = max(len(names), 1), frame.hello.sample_rate or self.rate
            case "performing":
                turn = frame.performing.turn
                if self.event_id and self.event_id in {event.event_id for event in turn.audience.events}:
                    self.turn_id, self.epoch = turn.turn_id, turn.epoch
                    self.ended = self.ended or not frame.performing.speaking
                    self._note("turn")
            case "voice" if frame.voice.turn_id == self.turn_id:
                self.samples += len(frame.voice.pcm_s16le) // 2
                self._note("voice")
            case "motion" if self.epoch and frame.motion.epoch == self.epoch:
                face = np.frombuffer(frame.motion.face_f32le, "<f4")
                if self.jaw is not None and np.any(face[self.jaw :: self.values] > OPEN):
                    self._note("frames")

    def missing(self) -> str:
        """What has not come; "" when all has."""
        if not self.turn_id:
            return "the message was taken, and no turn on the stage answers it"
        if not self.samples:
            return "her turn is on the stage, and no voice"
        if "frames" not in self.at:
            return "her voice is on the stage, and her mouth does not move"
        return "" if self.ended else "she speaks, and does not come to an end"

    def told(self) -> str:
        """All of it, in one line."""
        return (
            f"she answered: voice after {self.at['voice']:.2f} s, frames after {self.at['frames']:.2f} s, "
            f"{self.samples / self.rate:.1f} s of voice in all"
        )

    def _note(self, what: str) -> None:
        self.at.setdefault(what, time.monotonic() - self.begun)


async def probe(gateway: str, stage: str, room_id: str, text: str, *, token: str | None, within_s: float) -> str:
    """Returns what was seen, in one line. Raises Failed, after `within_s` at the latest.

    `gateway` and `stage` are addresses without a path; `token` is asked of messages where one is set.
    """
    return await answer(stage, room_id, partial(_write, gateway, room_id, text, token), within_s=within_s)


async def answer(stage: str, room_id: str, write: Callable[[], Awaitable[str]], *, within_s: float) -> str:
    """The same for what `write` hands in: it returns the event's id, and may be called again where that failed."""
    seen, trouble = _Seen(), ""
    try:
        async with asyncio.timeout(within_s):
            while True:
                seen = _Seen()
                try:
                    async with connect(_stream(stage, room_id), max_size=None, compression=None, proxy=None) as socket:
                        seen.take(await _next(socket))
                        seen.begun = time.monotonic()
                        seen.event_id = await write()
                        trouble = ""
                        while seen.missing():
                            seen.take(await _next(socket))
                        return seen.told()
                except (OSError, WebSocketException, httpx.HTTPError) as error:
                    trouble = f"{'the gateway' if isinstance(error, httpx.HTTPError) else 'the stage'}: {error!r}"
                    await asyncio.sleep(AGAIN_S)
    except TimeoutError:
        raise Failed(f"not within {within_s:g} s: {trouble or seen.missing()}") from None


async def _next(socket: ClientConnection) -> StageFrame:
    while True:
        data = await socket.recv()
        if isinstance(data, bytes):
            return StageFrame.FromString(data)


async def _write(gateway: str, room_id: str, text: str, token: str | None) -> str:
    """The event's id. Raises Failed where the gateway will not take it, httpx.HTTPError where it cannot yet."""
    body = {"viewer": {"id": "probe", "name": "probe"}, "text": text}
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(base_url=gateway, trust_env=False, timeout=CALL_S) as http:
        answer = await http.post(f"/rooms/{room_id}/messages", json=body, headers=headers)
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise Failed("the gateway wants another token. Mend: set LYDIA_AUTH__MESSAGE_TOKEN to the one it has")
    if answer.is_client_error:
        raise Failed(f"the gateway refuses the message ({answer.status_code}): {answer.text[:200]}")
    answer.raise_for_status()
    return str(answer.json()["event_id"])


def _stream(stage: str, room_id: str) -> str:
    return f"{stage.rstrip('/').replace('http', 'ws', 1)}/rooms/{room_id}/stream"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.probe", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gateway", default="http://127.0.0.1:8080", metavar="URL")
    parser.add_argument("--stage", default="http://127.0.0.1:8080", metavar="URL")
    parser.add_argument("--room", default="probe", help="a room of its own, so that no show is disturbed")
    parser.add_argument("--text", default="你是谁？", help="what a viewer writes")
    parser.add_argument("--within", type=float, default=60.0, metavar="SECONDS")
    given = parser.parse_args(arguments)
    try:
        secret = load().auth.message_token
        token = secret.get_secret_value() if secret else None
        done = probe(given.gateway, given.stage, given.room, given.text, token=token, within_s=given.within)
        print(asyncio.run(done))
    except (BadSettings, Failed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
