"""What the network learns to hear in a voice, frame by frame: how the mouth is shaped, how loud she is, where she nods.

Few numbers, from which fixed arithmetic makes the mouth (`network.decoded`), so lips that shall be shut are shut. The
targets come from the rules, which know the phonemes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.events import Phoneme
from services.motion import lips
from services.motion.curves import ease
from services.motion.frames import FRAME_RATE, FRAME_SAMPLES
from services.motion.lips import WIDTH
from services.motion.performance import BROW_RAISE, BROW_RAISES, NOD, NOD_EVERY_S, stressed
from services.motion.voice import LOUD_JAW, Voice

Array = NDArray[Any]
Floats = NDArray[np.float32]

GAIN, NOD_AMOUNT = WIDTH, WIDTH + 1
SIZE = WIDTH + 2
"""Columns: an articulation (see `lips`), the jaw's gain by loudness brought to 0 … 1, how far she nods."""
LEAST_GAIN, MOST_GAIN = 1 - LOUD_JAW / 2, 1 + LOUD_JAW
NOD_POSE = NOD.pose + BROW_RAISES * BROW_RAISE.pose
"""[CHANNELS] What a nod of 1 looks like: brows go up with it."""
LEADS_S = 0.5
"""A stressed syllable makes no nod when one so near stands out more."""


def controls(sound: Floats, phonemes: Sequence[Phoneme]) -> Floats:
    """The targets [n, SIZE] of every frame that begins within a sound at 24 kHz, whose phonemes are counted from its
    first sample.
    """
    frames = -(-len(sound) // FRAME_SAMPLES)
    t = np.arange(frames) / FRAME_RATE
    found = np.zeros((frames, SIZE), np.float32)
    rests = np.zeros(WIDTH)
    said = lips.SegmentLips(phonemes, rests, 0.0)
    for first in range(0, frames, FRAME_RATE):
        own = slice(first, first + FRAME_RATE)
        found[own, :WIDTH] = np.clip(said(t[own]), 0, 1)
    voice = Voice()
    gain = voice.jaw_gain(voice.hear(np.pad(np.rint(sound * 32_767), (0, frames * FRAME_SAMPLES - len(sound)))))
    found[:, GAIN] = (gain - LEAST_GAIN) / (MOST_GAIN - LEAST_GAIN)
    found[:, NOD_AMOUNT] = nods(phonemes, t)
    return found


def nods(phonemes: Sequence[Phoneme], t: Array) -> Array:
    """How far she nods at times [n], 0 to about 1: with the syllables that stand out, as the rules do it, but without
    chance.
    """
    amount = np.zeros(len(t))
    syllables = stressed(phonemes)
    next_nod = 0.0
    for time, emphasis in syllables:
        near = max(other for at, other in syllables if abs(at - time) < LEADS_S)
        if time < next_nod or emphasis < near:
            continue
        next_nod = time + NOD_EVERY_S
        amount += emphasis * (ease((t - time) / NOD.attack + 1) - ease((t - time) / NOD.release))
    return np.clip(amount, 0, 1)
