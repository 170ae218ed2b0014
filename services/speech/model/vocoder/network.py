"""The network: features of the encoder → filters for pulses and noise. And the sound they make, for training.

It predicts no samples: for every hop of 6.25 ms it says how loud pulses and noise are at each of BINS frequencies, and
with which phase the pulses arrive. That is little work, trains stably, and a piece of a clause gives what the whole
does.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from services.speech.model.vocoder.excitation import (
    BINS,
    EDGE,
    FRAME,
    HANN,
    HOP,
    OVERLAP,
    RATE,
    STEP,
    VOICED_HZ,
    VOICELESS_HZ,
    WINDOW,
)
from services.speech.natural.voices import TIMBRE

INNER = 512
"""Features of a frame."""
WIDTH = 192
BLOCKS = 6
KERNEL = 7
MARGIN = 12
"""Frames on each side beyond which nothing changes a frame's filters: (6 blocks + 1) * 3 steps, and one frame."""
HOPS = STEP // HOP
"""Hops of a step (80 steps a second)."""
LOUDEST, SOFTEST = 3.0, -14.0
"""Bounds of the log gains."""
CLEAR_HZ, ROUGH_HZ = 1_000.0, 2_000.0
"""Where there is voice, there is no noise below the one, and as much as it wants above the other: in the teacher's
vowels the lowest harmonics are clean, and a little noise between them is heard as roughness at once.
"""


class Block(nn.Module):
    """ConvNeXt: what neighbours say, then what it means; the voice's style scales and shifts in between."""

    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=KERNEL // 2, groups=WIDTH)
        self.style = nn.Linear(TIMBRE, 2 * WIDTH)
        self.norm = nn.LayerNorm(WIDTH, elementwise_affine=False)
        self.wide = nn.Linear(WIDTH, 3 * WIDTH)
        self.back = nn.Linear(3 * WIDTH, WIDTH)
        nn.init.zeros_(self.style.weight)
        nn.init.zeros_(self.style.bias)
        nn.init.normal_(self.back.weight, std=0.02)
        nn.init.zeros_(self.back.bias)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x: [batch, WIDTH, steps], style: [batch, TIMBRE]."""
        scale, shift = self.style(style)[:, None].chunk(2, dim=-1)
        y = self.norm(self.near(x).transpose(1, 2)) * (1 + scale) + shift
        y = self.back(F.gelu(self.wide(y), approximate="tanh"))
        return x + y.transpose(1, 2)


class Network(nn.Module):
    """Features → filters."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv1d(INNER, WIDTH, 3, padding=1)
        self.steps = nn.Conv1d(WIDTH + 5, WIDTH, KERNEL, padding=KERNEL // 2)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(WIDTH)
        self.gains = nn.Linear(WIDTH, HOPS * 2 * BINS)
        self.phase = nn.Linear(WIDTH, HOPS * 2 * BINS)
        for head in (self.gains, self.phase):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)
        with torch.no_grad():  # as it begins, pulses arrive with the phase of the smallest delay
            self.phase.bias.view(HOPS, 2, BINS)[:, 0] = 1
        self.register_buffer("delay", torch.from_numpy(smallest_delay()), persistent=False)
        hertz = torch.linspace(0, RATE / 2, BINS)
        clear = ((ROUGH_HZ - hertz) / (ROUGH_HZ - CLEAR_HZ)).clamp(0, 1)
        self.register_buffer("clear", clear, persistent=False)

    def start_at(self, log_spectrum: Tensor) -> None:
        """Begins with gains of the mean log spectrum, [BINS], of what is to be learned."""
        with torch.no_grad():
            self.gains.bias.view(HOPS, 2, BINS)[:] = log_spectrum

    def forward(
        self, inner: Tensor, f0: Tensor, energy: Tensor, style: Tensor, skip: int = 0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pulse gain, its phase as (cos, sin), and noise gain.

        inner [batch, INNER, frames], f0 and energy [batch, 2 frames], style [batch, TIMBRE]; gains are
        [batch, hops, BINS], the phase [2, batch, hops, BINS]. `skip`: frames at each end that get no filters.
        """
        x = self.inner(inner)
        x = torch.stack((x, x), dim=-1).flatten(2)
        voiced = ((f0 - VOICELESS_HZ) / (VOICED_HZ - VOICELESS_HZ)).clamp(0, 1)
        pitch = torch.log2(f0.clamp(min=VOICELESS_HZ) / 200) * voiced
        second = torch.stack((torch.zeros_like(f0[:, ::2]), torch.ones_like(f0[:, ::2])), dim=-1).flatten(1)
        curves = torch.stack((pitch, voiced, energy / 5, (f0 / 200).clamp(0, 2), second), dim=1)
        x = self.steps(torch.cat((x, curves), dim=1))
        for block in self.blocks:
            x = block(x, style)
        if skip:
            x, voiced = x[:, :, 2 * skip : -2 * skip], voiced[:, 2 * skip : -2 * skip]
        y = self.norm(x.transpose(1, 2))
        gains = self.gains(y).unflatten(-1, (HOPS, 2, BINS)).flatten(1, 2).clamp(SOFTEST, LOUDEST)
        pulse, noise = gains[:, :, 0], gains[:, :, 1]
        turn = self.phase(y).unflatten(-1, (HOPS, 2, BINS)).flatten(1, 2)
        turn = turn / torch.sqrt(turn.square().sum(dim=2, keepdim=True) + 1e-6)
        own = pulse.detach() @ self.delay
        cos, sin = torch.cos(own), torch.sin(own)
        a, b = turn[:, :, 0], turn[:, :, 1]
        kept = 1 - torch.stack((voiced,) * HOPS, dim=-1).flatten(1)[:, :, None] * self.clear
        return torch.exp(pulse), torch.stack((cos * a - sin * b, cos * b + sin * a)), torch.exp(noise) * kept


def smallest_delay() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """[BINS, BINS] Log gains @ this = the phase of the filter that answers soonest (minimum phase), in radians."""
    cepstra = np.fft.irfft(np.eye(BINS), n=WINDOW, axis=-1)
    fold = np.zeros(WINDOW)
    fold[0] = fold[WINDOW // 2] = 1
    fold[1 : WINDOW // 2] = 2
    return np.fft.rfft(cepstra * fold, axis=-1).imag.astype(np.float32)


def spectra(sound: Tensor) -> Tensor:
    """[batch, hops, BINS] Spectra of the windows of [batch, samples] sound with EDGE samples more on each side."""
    return torch.fft.rfft(sound.unfold(-1, WINDOW, HOP) * torch.from_numpy(HANN).to(sound.device))


def overlapped(filtered: Tensor) -> Tensor:
    """[batch, samples] The sound of [batch, hops, BINS] spectra, EDGE samples more than the hops on each side."""
    fade = torch.from_numpy(HANN / np.float32(OVERLAP)).to(filtered.device)
    windows = torch.fft.irfft(filtered, n=WINDOW) * fade
    batch, hops, _ = windows.shape
    length = HOP * (hops - 1) + WINDOW
    return F.fold(windows.transpose(1, 2), (1, length), (1, WINDOW), stride=(1, HOP)).view(batch, length)


def whole_frames(sound: Tensor) -> Tensor:
    """Without the edges on both sides."""
    return sound[:, EDGE:-EDGE]


assert FRAME == 2 * STEP
