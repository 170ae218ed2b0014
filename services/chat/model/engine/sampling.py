"""Choosing the next tokens of all rooms at once, on the device, so that it can be part of a CUDA graph.

The noise of a choice depends on the room's seed, the position and the token alone: what a room hears is the same
whoever is in the batch with it, and the same again in a replay.
"""

from __future__ import annotations

import torch
from torch import Tensor

CANDIDATES = 64
"""Tokens that can be chosen: the likeliest. Sorting a whole vocabulary would cost more than a layer."""
WORD = 0xFFFFFFFF


def sample(logits: Tensor, heat: Tensor, top_p: Tensor, seeds: Tensor, positions: Tensor) -> Tensor:
    """The chosen tokens, [rooms].

    logits: [rooms, vocabulary]. heat: temperature, [rooms]; 0 takes the likeliest. top_p: the share of probability
    that may be chosen from, [rooms]. seeds, positions: integers [rooms].
    """
    logits = logits.float()
    best, tokens = logits.topk(min(CANDIDATES, logits.shape[-1]), dim=-1)
    warm = heat.clamp(min=1e-4)[:, None]
    probabilities = (best / warm - torch.logsumexp(logits / warm, dim=-1, keepdim=True)).exp()
    before = probabilities.cumsum(-1) - probabilities
    allowed = before < top_p[:, None]
    # Gumbel's trick: the largest of logit and noise is a draw from the softmax.
    noise = -torch.log(-torch.log(uniform(seeds[:, None], positions[:, None], tokens)))
    scores = (best / warm + noise).masked_fill(~allowed, -torch.inf)
    chosen = torch.where(heat > 0, scores.argmax(-1), 0)
    return tokens.gather(1, chosen[:, None])[:, 0]


def uniform(seeds: Tensor, positions: Tensor, tokens: Tensor) -> Tensor:
    """Numbers above 0 and below 1, evenly spread, from integers."""
    mixed = _mix(_mix(_mix(seeds & WORD) ^ (positions & WORD)) ^ (tokens & WORD))
    return ((mixed >> 8).float() + 0.5) / 2.0**24


def _mix(word: Tensor) -> Tensor:
    """A 32-bit hash (the finaliser of MurmurHash3), in integers of 64 bits."""
    word = word ^ (word >> 16)
    word = (word * 0x85EBCA6B) & WORD
    word = word ^ (word >> 13)
    word = (word * 0xC2B2AE35) & WORD
    return word ^ (word >> 16)
