"""The network: a word's letters → what each of them sounds like. Blocks as in text2speech, without a style."""

from __future__ import annotations

from torch import Tensor, nn

from services.speech.model.letters.letters import LETTERS, SLOTS, SOUNDS
from services.speech.model.text2speech.network import Attention, Block

WIDTH, BLOCKS, LOOKS = 96, 6, (2, 4)
"""Channels, blocks, and before which of them it looks at the whole word."""


class Network(nn.Module):
    """Letters → logits of sounds."""

    def __init__(self) -> None:
        super().__init__()
        self.name = nn.Embedding(len(LETTERS) + 1, WIDTH)
        self.near = nn.ModuleList(Block(WIDTH, styled=False) for _ in range(BLOCKS))
        self.whole = nn.ModuleList(Attention(WIDTH) for _ in LOOKS)
        self.norm = nn.LayerNorm(WIDTH)
        self.say = nn.Linear(WIDTH, SLOTS * len(SOUNDS))

    def forward(self, letters: Tensor) -> Tensor:
        """`letters` [batch, n], 0 after a word's end → [batch, SLOTS n, sounds]."""
        real = (letters > 0).to(self.norm.weight.dtype)[..., None]
        x = self.name(letters) * real
        for index, block in enumerate(self.near):
            if index in LOOKS:
                x = self.whole[LOOKS.index(index)](x, real)
            x = block(x, None, real)
        said: Tensor = self.say(self.norm(x)).unflatten(-1, (SLOTS, len(SOUNDS))).flatten(1, 2)
        return said
