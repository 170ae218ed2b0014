"""The network: symbols and a style → what every symbol sounds like, how long it lasts, and the melody of the whole.

Two parts, because lengths are decided between them. The first goes over symbols: blocks of a symmetric depthwise
convolution and two layers (as in ConvNeXt, Liu et al. 2022), told the style by scale and shift (FiLM, Perez et al.
2018), with self-attention between them, because a melody depends on the whole sentence. What a symbol sounds like does
not depend on the style, so a branch of its own says it. The second part goes over half frames of 12.5 ms.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SYMBOLS, STYLE, INNER = 178, 256, 512
WIDTH, FRAME_WIDTH, STYLED = 192, 128, 64
KERNEL, HEADS = 5, 4
PLACES = 3
"""What a half frame knows of its place: the share of its symbol before it, that after it, how long the symbol is."""


class Block(nn.Module):
    """What stands near, then what it means, in a style or in none."""

    def __init__(self, width: int, *, dilation: int = 1, styled: bool = True) -> None:
        super().__init__()
        self.dilation = dilation
        self.near = nn.Parameter(torch.randn(KERNEL, width) / KERNEL)
        self.norm = nn.LayerNorm(width)
        self.film = nn.Linear(STYLED, 2 * width) if styled else None
        self.wide = nn.Linear(width, 2 * width)
        self.back = nn.Linear(2 * width, width)
        nn.init.normal_(self.back.weight, std=0.03)
        nn.init.zeros_(self.back.bias)
        if self.film is not None:
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, style: Tensor | None, real: Tensor) -> Tensor:
        """`x` [batch, n, width]; `style` [batch, STYLED]; `real` [batch, n, 1]: 0 where there is only padding."""
        reach = self.dilation * (KERNEL // 2)
        long = nn.functional.pad(x, (0, 0, reach, reach))
        count = x.shape[1]
        # A convolution of each channel by itself, as products of shifted copies: far faster than Conv1d on a CPU.
        near = sum(long[:, tap * self.dilation : tap * self.dilation + count] * self.near[tap] for tap in range(KERNEL))
        y = self.norm(near)
        if self.film is not None and style is not None:
            scale, shift = self.film(style)[:, None].chunk(2, dim=-1)
            y = y * (1 + scale) + shift
        return (x + self.back(torch.nn.functional.gelu(self.wide(y), approximate="tanh"))) * real


class Attention(nn.Module):
    """What stands anywhere."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ask = nn.Linear(width, 3 * width)
        self.back = nn.Linear(width, width)
        nn.init.normal_(self.back.weight, std=0.03)
        nn.init.zeros_(self.back.bias)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        batch, count, width = x.shape
        asked = self.ask(self.norm(x)).reshape(batch, count, 3, HEADS, width // HEADS)
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        fit = query @ key.transpose(-1, -2) * (width // HEADS) ** -0.5
        fit = fit - 1e4 * (1 - real[:, None, None, :, 0])
        seen = (fit.softmax(-1) @ value).transpose(1, 2).reshape(batch, count, width)
        return (x + self.back(seen)) * real


class Symbols(nn.Module):
    """The part that goes over symbols."""

    def __init__(self) -> None:
        super().__init__()
        self.name = nn.Embedding(SYMBOLS, WIDTH)
        self.sounds = nn.ModuleList(Block(WIDTH, styled=False) for _ in range(4))
        self.inner_norm = nn.LayerNorm(WIDTH)
        self.inner = nn.Linear(WIDTH, INNER)
        self.style = nn.Linear(STYLE, STYLED)
        self.says = nn.ModuleList(Block(WIDTH) for _ in range(6))
        self.looks = nn.ModuleList(Attention(WIDTH) for _ in range(2))
        self.norm = nn.LayerNorm(WIDTH)
        self.long = nn.Linear(WIDTH, 1)
        nn.init.constant_(self.long.bias, 1.0)
        self.register_buffer("middle", torch.zeros(INNER))
        self.register_buffer("spread", torch.ones(INNER))

    def forward(self, tokens: Tensor, style: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`tokens` [batch, n], `style` [batch, STYLE], `real` [batch, n, 1] → what they sound like [batch, n, INNER],
        their lengths [batch, n] (natural logarithm of frames at speed 1), and what the second part is to know
        [batch, n, WIDTH].
        """
        x, inner = self.sound(tokens, real)
        manner = torch.tanh(self.style(style))
        y = x
        for index, block in enumerate(self.says):
            if index in (2, 4):
                y = self.looks[index // 2 - 1](y, real)
            y = block(y, manner, real)
        known = self.norm(y)
        return inner, self.long(known)[..., 0], known

    def sound(self, tokens: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """What symbols are in this text [batch, n, WIDTH], and what they sound like [batch, n, INNER]."""
        x = self.name(tokens) * real
        for block in self.sounds:
            x = block(x, None, real)
        return x, self.inner(self.inner_norm(x)) * self.spread + self.middle


class Frames(nn.Module):
    """The part that goes over half frames."""

    def __init__(self) -> None:
        super().__init__()
        self.take = nn.Linear(WIDTH + PLACES, FRAME_WIDTH)
        self.style = nn.Linear(STYLE, STYLED)
        self.blocks = nn.ModuleList(Block(FRAME_WIDTH, dilation=dilation) for dilation in (1, 2, 4, 8, 1, 2))
        self.norm = nn.LayerNorm(FRAME_WIDTH)
        self.say = nn.Linear(FRAME_WIDTH, 3)

    def forward(self, known: Tensor, places: Tensor, style: Tensor, real: Tensor) -> Tensor:
        """`known` [batch, m, WIDTH], `places` [batch, m, PLACES] → the logit of voice, pitch and energy [batch, m, 3],
        in their units.
        """
        manner = torch.tanh(self.style(style))
        x = self.take(torch.cat((known, places), dim=-1)) * real
        for block in self.blocks:
            x = block(x, manner, real)
        return self.say(self.norm(x))


class Network(nn.Module):
    """Both parts, with the lengths given: what is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.symbols = Symbols()
        self.frames = Frames()

    def forward(
        self, tokens: Tensor, style: Tensor, real: Tensor, owner: Tensor, places: Tensor, sounding: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`owner` [batch, m]: the number of each half frame's symbol; `sounding` [batch, m, 1]: no padding. Returns
        inner values, lengths and what is said of half frames.
        """
        inner, long, known = self.symbols(tokens, style, real)
        own = known.gather(1, owner[..., None].expand(-1, -1, known.shape[-1]))
        return inner, long, self.frames(own, places, style, sounding)
