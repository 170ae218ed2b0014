"""Which frame of a recording belongs to which symbol, learned from nothing but their order.

Symbols and frames are brought into one space; a frame is likely a symbol's when it is near to it. All ways through the
symbols in their order count (Graves et al. 2006; Badlani et al., "One TTS Alignment To Rule Them All", 2021), and the
likeliest one says how long each symbol is.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.speech.model.recorded.measures import MELS
from services.speech.model.text2speech.network import SYMBOLS

SPACE, HEARD = 64, 192
SHARPNESS = 0.1
"""Log likelihood by squared distance."""
STRAIGHT = 0.2
"""How much the way is expected along the diagonal; less is freer."""
BLANK = -6.0
"""Log likelihood of a frame that is nobody's: it is only there because torch's sum over ways has it."""
NEVER = -1e4


class Aligner(nn.Module):
    """Symbols and frames → how likely each frame is each symbol's."""

    def __init__(self) -> None:
        super().__init__()
        self.name = nn.Embedding(SYMBOLS, HEARD)
        self.symbols = nn.Sequential(_near(HEARD, HEARD), nn.ReLU(), nn.Conv1d(HEARD, SPACE, 1))
        self.frames = nn.ModuleList((_near(MELS, HEARD), _near(HEARD, HEARD), nn.Conv1d(HEARD, SPACE, 1)))

    def forward(self, tokens: Tensor, heard: Tensor, real: Tensor, there: Tensor, straight: Tensor) -> Tensor:
        """Log likelihoods [batch, T, n]. `tokens` [batch, n], `heard` [batch, T, MELS]; `real` [batch, n, 1], `there`
        [batch, T, 1]: 0 where there is only padding; `straight` [batch, T, n]: see below.
        """
        names = self.symbols((self.name(tokens) * real).transpose(1, 2)).transpose(1, 2)
        first, second, last = self.frames
        x, mask = heard.transpose(1, 2), there.transpose(1, 2)
        for layer in (first, second):
            x = nn.functional.relu(layer(x)) * mask
        sounds = last(x).transpose(1, 2)
        apart = (
            sounds.square().sum(-1)[:, :, None] + names.square().sum(-1)[:, None] - 2 * sounds @ names.transpose(1, 2)
        )
        fit = -SHARPNESS * apart + NEVER * (1 - real[:, None, :, 0])
        return (fit.float().log_softmax(-1) + straight).log_softmax(-1)


def straight(frames: int, symbols: int) -> NDArray[np.float32]:
    """[frames, symbols] Log likelihood that a frame is a symbol's when nothing is known but how many there are: that of
    a beta-binomial distribution.
    """
    at = torch.arange(frames, dtype=torch.float64)[:, None]
    place, last = torch.arange(symbols, dtype=torch.float64)[None], symbols - 1
    a, b = STRAIGHT * (at + 1), STRAIGHT * (frames - at)
    ways = torch.lgamma(torch.tensor(last + 1.0)) - torch.lgamma(place + 1) - torch.lgamma(last - place + 1)
    likely = ways + _log_beta(place + a, last - place + b) - _log_beta(a, b)
    found: NDArray[np.float32] = likely.clamp(min=-18).numpy().astype(np.float32)
    return found


def all_ways(likely: Tensor, symbols: Tensor, frames: Tensor) -> Tensor:
    """Minus the log likelihood of all ways through the symbols in their order, by frame. `symbols`, `frames`: counts
    [batch].
    """
    most = likely.shape[2]
    blank = torch.full_like(likely[:, :, :1], BLANK)
    with_blank = torch.cat((blank, likely), dim=-1).log_softmax(-1).transpose(0, 1)
    order = torch.arange(1, most + 1, device=likely.device).expand(len(likely), most)
    summed = nn.functional.ctc_loss(with_blank, order, frames, symbols, reduction="none", zero_infinity=True)
    return (summed / frames).mean()


def likeliest(likely: NDArray[np.float32], symbols: int, frames: int) -> NDArray[np.int64]:
    """[symbols] Frames of each symbol on the likeliest way, at least one. `likely`: [T, n].

    Raises ValueError when there are more symbols than frames.
    """
    if symbols > frames:
        raise ValueError(f"{symbols} symbols do not fit into {frames} frames")
    best = np.full(symbols, -np.inf)
    best[0] = likely[0, 0]
    came = np.zeros((frames, symbols), bool)
    """Whether the way comes from the symbol before."""
    for frame in range(1, frames):
        before = np.concatenate(([-np.inf], best[:-1]))
        came[frame] = before > best
        best = np.where(came[frame], before, best) + likely[frame, :symbols]
    durations = np.zeros(symbols, np.int64)
    at = symbols - 1
    for frame in range(frames - 1, -1, -1):
        durations[at] += 1
        at -= int(came[frame, at])
    return durations


def _log_beta(a: Tensor, b: Tensor) -> Tensor:
    return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)


def _near(inputs: int, outputs: int) -> nn.Module:
    return nn.Conv1d(inputs, outputs, 3, padding=1)
