"""The network: what it hears, frame by frame → the face and the joints. Causal, with a state that is carried on.

Dilated causal convolutions (van den Oord et al. 2016) in residual blocks say how the mouth is shaped and how far she
nods (see `controls`); a learned table says how a mood looks; fixed arithmetic, that of `lips.mouth`, makes rows.
Frame k comes out AHEAD steps after its own features went in, so it has heard what follows.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from services.motion import face, lips
from services.motion.frames import CHANNELS
from services.motion.model.network import controls, features
from services.motion.model.network.rung import AHEAD, EMOTIONS, STATE
from services.motion.model.network.rung import WIDTH as WIDTH

KERNEL = 5
DILATIONS = (1, 2, 4, 8, 1, 2)
REACH = (KERNEL - 1) * sum(DILATIONS)
"""Steps back from which something is still heard: 1.2 seconds."""

_MOUTH = (
    *face.UPPER_UP,
    *face.LOWER_DOWN,
    *face.SMILE,
    *lips.STRETCH,
    *face.PRESS,
    face.PUCKER,
    face.FUNNEL,
    *face.ROLL,
    face.INDEX["MouthShrugLower"],
    face.INDEX["TongueOut"],
    face.JAW_OPEN,
    face.MOUTH_CLOSE,
)
"""The channels that `decoded` writes, in its order."""


class Block(nn.Module):
    """What was said just before, then what it means."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.reach = (KERNEL - 1) * dilation
        self.near = nn.Parameter(torch.randn(KERNEL, WIDTH) / KERNEL)
        self.norm = nn.LayerNorm(WIDTH)
        self.wide = nn.Linear(WIDTH, 2 * WIDTH)
        self.back = nn.Linear(2 * WIDTH, WIDTH)
        nn.init.normal_(self.back.weight, std=0.05)
        nn.init.zeros_(self.back.bias)

    def forward(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """What comes of `x` [batch, n, WIDTH], of the same shape, and the last `reach` steps of all. `before`
        [batch, reach, WIDTH]: the steps before `x`.
        """
        long = torch.cat((before, x), dim=1)
        count = x.shape[1]
        # A convolution of each channel by itself, as products of shifted copies: far faster than Conv1d on a CPU.
        near = sum(long[:, tap * self.dilation : tap * self.dilation + count] * self.near[tap] for tap in range(KERNEL))
        y = self.back(torch.relu(self.wide(self.norm(near))))
        return x + y, long[:, count:]


class Network(nn.Module):
    """Sound and mood → rows."""

    def __init__(self) -> None:
        super().__init__()
        self.listen = nn.Linear(features.WIDTH, WIDTH)
        self.blocks = nn.ModuleList(Block(dilation) for dilation in DILATIONS)
        self.norm = nn.LayerNorm(WIDTH)
        self.say = nn.Linear(WIDTH, controls.SIZE)
        self.mood = nn.Linear(EMOTIONS, CHANNELS, bias=False)
        nn.init.zeros_(self.mood.weight)
        nn.init.normal_(self.say.weight, std=0.05)
        nn.init.constant_(self.say.bias, -2.0)
        place = torch.zeros(len(_MOUTH), CHANNELS)
        place[range(len(_MOUTH)), _MOUTH] = 1
        self.register_buffer("place", place, persistent=False)
        glides = torch.ones(controls.SIZE, dtype=torch.bool)
        glides[lips.CLOSED : lips.WIDTH] = False
        self.register_buffer("glides", glides, persistent=False)
        self.register_buffer("nod", torch.from_numpy(controls.NOD_POSE.astype(np.float32)), persistent=False)

    def logits(self, heard: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The controls' logits [batch, n, controls.SIZE] of the frames AHEAD before those of `heard`
        [batch, n, features.WIDTH], and the layers' part of the state [batch, REACH, WIDTH] after them.
        """
        x = self.listen(heard)
        states = []
        at = 0
        for block in self.blocks:
            x, after = block(x, state[:, at : at + block.reach])
            states.append(after)
            at += block.reach
        return self.say(self.norm(x)), torch.cat(states, dim=1)

    def forward(self, heard: Tensor, emotion: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows [batch, n, CHANNELS], controls and the next state. `emotion` [batch, n, EMOTIONS]: how much of each mood
        a frame shows, 0 to 1.
        """
        logits, after = self.logits(heard, state)
        given = torch.sigmoid(logits)
        # Jaw, lips and tongue glide: each frame is the mean with the one before. What must happen is not softened.
        long = torch.cat((state[:, REACH:, : controls.SIZE], given), dim=1)
        glided = torch.where(self.glides, 0.5 * (long[:, 1:] + long[:, :-1]), given)
        last = nn.functional.pad(long[:, -1:], (0, WIDTH - controls.SIZE))
        return self.rows(glided, emotion), glided, torch.cat((after, last), dim=1)

    def rows(self, wanted: Tensor, emotion: Tensor) -> Tensor:
        """The rows of controls, in a mood."""
        return self.decoded(wanted, self.mood(emotion))

    def decoded(self, wanted: Tensor, mood: Tensor) -> Tensor:
        """The rows of controls [..., controls.SIZE] and the mood's rows [..., CHANNELS]: what `lips.mouth` does."""
        values = mood + wanted[..., controls.NOD_AMOUNT, None] * self.nod
        closed, touching, hissing = (wanted[..., lips.CLOSED + at] for at in range(3))
        pucker, funnel, spread = (wanted[..., at] for at in (lips.PUCKER, lips.FUNNEL, lips.SPREAD))
        gain = controls.LEAST_GAIN + (controls.MOST_GAIN - controls.LEAST_GAIN) * wanted[..., controls.GAIN]
        rounded = (0.8 * pucker + funnel).clamp(max=1)
        apart = 1 - closed

        jaw = wanted[..., lips.JAW] * gain + values[..., face.JAW_OPEN]
        jaw = lips.JAW_LIMIT * torch.tanh(jaw / lips.JAW_LIMIT)
        jaw = jaw - hissing * torch.relu(jaw - lips.HISS_JAW)
        jaw = jaw - touching * torch.relu(jaw - lips.TOUCH_JAW)
        jaw = jaw * (1 - 0.5 * closed)

        upper, lower = wanted[..., lips.UPPER], wanted[..., lips.LOWER] * (1 - touching)
        pressed = torch.relu(1 - jaw / 0.2)
        roll_lower, roll_upper = face.ROLL
        made = [
            *((values[..., at] + upper) * apart for at in face.UPPER_UP),
            *((values[..., at] + lower) * apart for at in face.LOWER_DOWN),
            *(values[..., at] * (1 - 0.6 * rounded) + 0.4 * spread for at in face.SMILE),
            *(values[..., at] + 0.6 * spread * apart for at in lips.STRETCH),
            *(values[..., at] * pressed + 0.45 * closed for at in face.PRESS),
            values[..., face.PUCKER] + pucker * (1 - 0.3 * closed),
            values[..., face.FUNNEL] + funnel * (1 - 0.6 * closed),
            values[..., roll_lower] + 0.22 * closed + 0.5 * touching,
            values[..., roll_upper] + 0.22 * closed,
            values[..., face.INDEX["MouthShrugLower"]] + 0.45 * touching,
            values[..., face.INDEX["TongueOut"]] + wanted[..., lips.TONGUE] * apart,
            jaw,
            jaw * closed,
        ]
        rows = values * (1 - self.place.sum(0)) + torch.stack(made, dim=-1) @ self.place
        return torch.cat((rows[..., : face.SHAPES].clamp(0, 1), rows[..., face.SHAPES :]), dim=-1)


assert REACH + 1 == STATE
assert AHEAD < REACH
