"""A small network with random weights and a small tokenizer, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.chat.model import vocabulary
from services.chat.model.tokenizer import Tokenizer

TEXTS = ["你好呀，欢迎来到直播间", "今天想聊点什么", "hello there, welcome to the room", "what is your name"] * 4


@pytest.fixture(scope="session")
def tokenizer_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    vocabulary.write(path, vocabulary.learn(TEXTS, 120))
    return path


@pytest.fixture(scope="session")
def tokenizer(tokenizer_path: Path) -> Tokenizer:
    return Tokenizer.read(tokenizer_path)


@pytest.fixture(scope="session")
def folder(tokenizer_path: Path, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported network of random weights."""
    torch = pytest.importorskip("torch")
    from services.chat.model.config import Config
    from services.chat.model.export import export
    from services.chat.model.network import Network

    torch.manual_seed(1)
    shape = Config(width=32, layers=2, heads=4, kv_heads=2, inner=48, vocabulary=tokenizer.size)
    made = tmp_path_factory.mktemp("network")
    network = Network(shape).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(4 if weight.dim() > 1 else 1)  # so that answers differ
    export(network, shape, tokenizer_path, made)
    return made
