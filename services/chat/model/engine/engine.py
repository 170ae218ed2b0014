"""Decoding for many rooms at once: a room joins between two steps, and leaves when it has spoken or its epoch is over.

The rooms that speak hold the first rows, so a step computes as many rows as there are rooms.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import torch

from services.chat.model.engine.decoder import Decoder
from services.chat.model.engine.sampling import sample
from services.chat.model.engine.stepper import Inputs, Stepper

Ended = Literal["end", "length", "stopped"]


class Full(Exception):
    """More texts wait than may."""


@dataclass(frozen=True, slots=True)
class Request:
    """A text to go on with."""

    room: str
    epoch: int
    tokens: tuple[int, ...]
    most: int
    """New tokens at most."""
    ends: frozenset[int]
    """Tokens that end it."""
    heat: float = 0.0
    """Temperature; 0 always takes the likeliest token."""
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a request in a step: a token, or how it ended."""

    request: Request
    token: int | None
    ended: Ended | None = None


@dataclass(slots=True)
class _Room:
    request: Request
    last: int
    position: int
    """Of the last token, which is not in the memory yet."""
    left: int


class Engine:
    """Not safe for threads: one caller adds, stops and steps."""

    def __init__(self, decoder: Decoder, *, waiting: int = 64, graphs: bool | None = None) -> None:
        """waiting: how many texts may wait for a row; the next is refused, so that its caller takes another rung."""
        self._decoder, self._stepper = decoder, Stepper(decoder, graphs=graphs)
        self._most_waiting = waiting
        self._waiting: deque[Request] = deque()
        self._rooms: list[_Room] = []
        """In the order of their rows."""
        self._stopped: list[Said] = []

    @property
    def idle(self) -> bool:
        """Whether a step would do nothing."""
        return not (self._waiting or self._rooms or self._stopped)

    def add(self, request: Request) -> None:
        """Raises Full, and ValueError for a text that is empty or leaves no place for the answer."""
        if not request.tokens or request.most < 1:
            raise ValueError("there is nothing to go on with. Mend: give at least one token, and ask for one")
        whole = len(request.tokens) + request.most
        if whole > self._decoder.length:
            raise ValueError(f"{whole} tokens are more than {self._decoder.length}. Mend: a shorter text")
        if len(self._waiting) >= self._most_waiting:
            raise Full(f"{self._most_waiting} texts wait already. Mend: more rows, or another server")
        self._waiting.append(request)

    def stop(self, room: str, epoch: int) -> None:
        """A room's epoch has begun: what belongs to older ones ends before the next token."""

        def over(request: Request) -> bool:
            return request.room == room and request.epoch < epoch

        for request in [request for request in self._waiting if over(request)]:
            self._waiting.remove(request)
            self._stopped.append(Said(request, None, "stopped"))
        for row in reversed(range(len(self._rooms))):
            if over(self._rooms[row].request):
                self._stopped.append(Said(self._rooms[row].request, None, "stopped"))
                self._leave(row)

    def step(self) -> list[Said]:
        """Lets waiting texts in, then says the next token of each room."""
        said, self._stopped = self._stopped, []
        with torch.inference_mode():
            if self._rooms:
                said += self._settled(self._next())
            while self._waiting and len(self._rooms) < self._decoder.rows:
                said += self._enter(self._waiting.popleft())
        return said

    def _next(self) -> list[int]:
        rooms = self._rooms
        given = Inputs(
            tokens=tuple(room.last for room in rooms),
            positions=tuple(room.position for room in rooms),
            heat=tuple(float(room.request.heat) for room in rooms),
            top_p=tuple(float(room.request.top_p) for room in rooms),
            seeds=tuple(room.request.seed for room in rooms),
        )
        return self._stepper(given, 1 + max(room.position for room in rooms))

    def _settled(self, tokens: list[int]) -> list[Said]:
        said = []
        for row in reversed(range(len(tokens))):
            room = self._rooms[row]
            room.last, room.position, room.left = tokens[row], room.position + 1, room.left - 1
            ended = _ended(room)
            said.append(Said(room.request, room.last, ended))
            if ended:
                self._leave(row)
        return said[::-1]

    def _enter(self, request: Request) -> list[Said]:
        """Reads a text into the next row, and says its first token."""
        device = self._decoder.device
        row, last = len(self._rooms), len(request.tokens) - 1
        logits = self._decoder.begin(row, torch.tensor(request.tokens, device=device))
        chances = (torch.tensor([value], dtype=torch.float32, device=device) for value in (request.heat, request.top_p))
        numbers = (torch.tensor([value], device=device) for value in (request.seed, last))
        token = int(sample(logits, *chances, *numbers).item())
        room = _Room(request, token, last + 1, request.most - 1)
        self._rooms.append(room)
        ended = _ended(room)
        if ended:
            self._leave(row)
        return [Said(request, token, ended)]

    def _leave(self, row: int) -> None:
        """The last row takes the place of one that is free."""
        last = self._rooms.pop()
        if row < len(self._rooms):
            self._decoder.move(len(self._rooms), row, last.position)
            self._rooms[row] = last


def _ended(room: _Room) -> Ended | None:
    if room.last in room.request.ends:
        return "end"
    return None if room.left else "length"
