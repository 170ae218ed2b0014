"""The idle layer: how she lives when nothing happens, as a pure function of the room's seed and the media time.

Blinks, gaze, breath, head and body drift, shifts of weight, a small smile. Nothing is remembered, so any span of time
can be asked for in any order and in any pieces, and a restarted stage goes on where the old one was.

Random happenings live in cells: time is cut into cells of one length, and a hash of (seed, kind, cell number) says when
within the cell it happens and how. Drift is a sum of sines of unrelated periods, so it does not visibly repeat.

Blinks: 10 to 32 a minute in conversation (Doughty 2001), down 90 ms, closed 30 ms, up 200 ms (VanderWerf 2003). Gaze:
saccades of 25 ms + 2.4 ms a degree, exponential sizes, mostly along the axes, some carried by a blink; while listening
the eyes are on the partner three quarters of the time (Lee and Badler 2002). Breath: 14 a minute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.motion import face, joints
from services.motion.curves import ease
from services.motion.face import INDEX
from services.motion.frames import CHANNELS, FRAME_SAMPLES, SAMPLE_RATE, Frames, channel, of_rows, still

Array = NDArray[Any]

MASK = 2**64 - 1
DRIFT, BLINK, GLANCE, FIXATION, STANCE = range(5)
"""Kinds of happenings, each with its own random numbers."""

BREATHS_HZ = 0.23
BLINK_CELL_S, BLINK_GAP_S = 3.1, 0.7
DOUBLE_BLINKS, DOUBLE_BLINK_S = 0.12, 0.34
GLANCE_CELL_S, GLANCE_LONGEST_S = 5.3, 1.8
GLANCES, READS, BLINKS_FROM = 0.67, 0.33, 0.17
"""Share of the cells with a glance, share of these that read messages, size in radians from which one has a blink."""
MESSAGES = (0.19, -0.12)
"""Where messages are read: yaw (times `messages_side`) and pitch."""
FIXATION_CELL_S, FIXATION_S = 0.9, 0.03
FIXATION_SPREAD = (0.020, 0.012)
"""Yaw and pitch between which the eyes wander over a face, radians."""
STANCE_CELL_S, STANCE_S = 9.0, 1.9
HEAD_FOLLOWS, HEAD_FOLLOWS_S = 0.35, 0.45
"""Share of a glance that the head goes too, and how long it takes."""
GAZE = [face.EYE_YAW[0], face.EYE_PITCH[0], face.EYE_YAW[1], face.EYE_PITCH[1]]
HEAD_FOLLOWING = slice(INDEX["HeadYaw"], INDEX["HeadPitch"] + 1)

REST_FACE = face.vector(
    mouthSmileLeft=0.26, mouthSmileRight=0.22, cheekSquintLeft=0.13, cheekSquintRight=0.11, mouthDimpleLeft=0.04
)
"""A small, slightly uneven smile; without it her resting face looks stern."""

DRIFTS: tuple[tuple[int, float, float], ...] = (
    (INDEX["HeadYaw"], 0.030, 0.071),
    (INDEX["HeadPitch"], 0.022, 0.083),
    (INDEX["HeadRoll"], 0.026, 0.061),
    (INDEX["MouthSmileLeft"], 0.07, 0.043),
    (INDEX["MouthSmileRight"], 0.06, 0.047),
    (INDEX["CheekSquintLeft"], 0.04, 0.041),
    (INDEX["CheekSquintRight"], 0.04, 0.041),
    (INDEX["BrowInnerUp"], 0.09, 0.053),
    (INDEX["BrowOuterUpLeft"], 0.07, 0.057),
    (INDEX["BrowOuterUpRight"], 0.06, 0.059),
    (INDEX["EyeSquintLeft"], 0.05, 0.067),
    (INDEX["EyeSquintRight"], 0.05, 0.067),
    (INDEX["MouthPressLeft"], 0.05, 0.037),
    (INDEX["MouthPressRight"], 0.05, 0.037),
    (channel(joints.SPINE, "x"), 0.008, 0.059),
    (channel(joints.SPINE, "y"), 0.016, 0.043),
    (channel(joints.SPINE, "z"), 0.012, 0.037),
    (channel(joints.CHEST, "y"), 0.012, 0.049),
    (channel(joints.NECK, "x"), 0.012, 0.097),
    (channel(joints.NECK, "z"), 0.012, 0.073),
    (channel(joints.LEFT_UPPER_ARM, "x"), 0.030, 0.051),
    (channel(joints.RIGHT_UPPER_ARM, "x"), 0.030, 0.053),
    (channel(joints.LEFT_LOWER_ARM, "x"), 0.030, 0.071),
    (channel(joints.RIGHT_LOWER_ARM, "x"), 0.030, 0.067),
    (channel(joints.LEFT_HAND, "y"), 0.04, 0.061),
    (channel(joints.RIGHT_HAND, "y"), 0.04, 0.063),
)
"""What drifts: channel, how far (radians or shape), and the lowest of its three frequencies in Hz."""
DRIFT_CHANNELS = np.array([channel for channel, _, _ in DRIFTS])
DRIFT_AMOUNTS = np.array([[amount] for _, amount, _ in DRIFTS]) * (0.55, 0.28, 0.17)
BREATH_WAVERS_HZ = 0.031
DRIFT_TURNS = 2 * np.pi * np.array([[hertz] for _, _, hertz in DRIFTS] + [[BREATH_WAVERS_HZ]]) * (1.0, 2.17, 3.41)

BREATH = np.zeros(CHANNELS)
"""From the middle to the top of a breath: the chest lifts and widens, neck and arms make up for it."""
for _place, _amount in (
    (channel(joints.SPINE, "x"), 0.004),
    (channel(joints.CHEST, "x"), -0.012),
    (channel(joints.UPPER_CHEST, "x"), -0.010),
    (channel(joints.NECK, "x"), 0.014),
    (channel(joints.LEFT_SHOULDER, "z"), 0.022),
    (channel(joints.RIGHT_SHOULDER, "z"), -0.022),
    (channel(joints.LEFT_UPPER_ARM, "z"), -0.016),
    (channel(joints.RIGHT_UPPER_ARM, "z"), 0.016),
):
    BREATH[_place] = _amount

WEIGHT = np.zeros(CHANNELS)
"""A shift of weight from the middle to her right foot, as the upper body shows it."""
for _place, _amount in (
    (channel(joints.SPINE, "z"), 0.030),
    (channel(joints.CHEST, "z"), -0.018),
    (channel(joints.NECK, "z"), -0.014),
    (channel(joints.LEFT_SHOULDER, "z"), 0.012),
    (channel(joints.RIGHT_SHOULDER, "z"), 0.012),
):
    WEIGHT[_place] = _amount
TURN = np.zeros(CHANNELS)
"""A turn of the trunk to her left; the neck turns back half of it."""
for _place, _amount in (
    (channel(joints.SPINE, "y"), 0.035),
    (channel(joints.CHEST, "y"), 0.020),
    (channel(joints.NECK, "y"), -0.030),
    (INDEX["HeadYaw"], -0.025),
):
    TURN[_place] = _amount


def idle(room_seed: int, start_sample: int, frame_count: int) -> Frames:
    """The idle layer of `frame_count` frames, the first at media sample `start_sample`, then one every 400 samples.

    Meant for seconds at a time: a longer span costs more per frame.

    Joints are relative to the rest pose. The eyes' angles are the gaze in the room, as if the head did not turn;
    `compose` makes them relative to the head and adds the EyeLook shapes.
    """
    if frame_count == 0:
        return still(0)
    t = (start_sample + FRAME_SAMPLES * np.arange(frame_count)) / SAMPLE_RATE
    rows = _drift(room_seed, t)
    wander, (glance, blinks) = _wander(room_seed, t), _glances(room_seed, t)
    rows += wander[:, 0, None] * WEIGHT + wander[:, 1, None] * TURN
    rows[:, : face.SIZE] += REST_FACE
    gaze = glance[:, :2] + wander[:, 2:] * FIXATION_SPREAD
    rows[:, GAZE] = gaze[:, (0, 1, 0, 1)]
    rows[:, HEAD_FOLLOWING] += HEAD_FOLLOWS * glance[:, 2:]
    rows[:, face.BLINK] = _lids(room_seed, t, blinks)[:, None]
    shapes = rows[:, : face.SHAPES]
    np.minimum(np.maximum(shapes, 0, out=shapes), 1, out=shapes)
    return of_rows(rows)


def messages_side(seed: int) -> int:
    """On which side the messages of a room are: 1 her left, -1 her right."""
    return 1 if seed % 2 else -1


@lru_cache(maxsize=8192)
def _random(seed: int, kind: int, cell: int) -> tuple[float, ...]:
    """Seven numbers from [0, 1), always the same ones (splitmix64, Steele et al. 2014)."""
    state = (seed * 0x9E3779B97F4A7C15 + kind * 0xD1B54A32D192ED03 + cell * 0x2545F4914F6CDD1D) & MASK
    numbers = []
    for _ in range(7):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        numbers.append(((z ^ (z >> 31)) >> 11) * 2.0**-53)
    return tuple(numbers)


def _cells(t: Array, length: float, before: int = 1) -> range:
    """The cells that the span touches, and `before` more that may reach into it."""
    return range(int(t[0] // length) - before, int(t[-1] // length) + 1)


def _drift(seed: int, t: Array) -> Array:
    """Slow wandering of all channels in DRIFTS, three sines each, and breath: [n, CHANNELS]."""
    random = np.array([_random(seed, DRIFT, row) for row in range(len(DRIFTS) + 1)])
    waves = np.sin(DRIFT_TURNS * (0.9 + 0.2 * random[:, :3]) * t[:, None, None] + 2 * np.pi * random[:, 3:6])
    move = np.zeros((len(t), CHANNELS))
    move[:, DRIFT_CHANNELS] = (waves[:, :-1] * DRIFT_AMOUNTS).sum(-1)
    # The last row of waves is the breath's: its pace wavers, so no two breaths take the same time.
    phase = 2 * np.pi * (BREATHS_HZ * t + random[-1, 3]) + 0.9 * waves[:, -1, 0]
    # In faster than out.
    move += np.sin(phase + 0.4 * np.sin(phase))[:, None] * BREATH
    return move


def _lids(seed: int, t: Array, more: Sequence[float]) -> Array:
    """How far the lids are shut, [n]: one blink a cell, some twice, and `more` that begin at these times."""
    starts = list(more)
    for cell in _cells(t, BLINK_CELL_S):
        random = _random(seed, BLINK, cell)
        starts.append(cell * BLINK_CELL_S + random[0] * (BLINK_CELL_S - BLINK_GAP_S))
        if random[1] < DOUBLE_BLINKS:
            starts.append(starts[-1] + DOUBLE_BLINK_S)
    since = t[:, None] - np.array(starts)
    # Down 90 ms, closed 30 ms, up 200 ms.
    lids: Array = np.minimum(ease(since / 0.09), 1 - ease((since - 0.12) / 0.2)).max(1)
    return lids


def _wander(seed: int, t: Array) -> Array:
    """Values in [-1, 1] that move, now and then, from one rest to another, [n, 4]: two of stance, two of fixation."""
    ways = []
    for kind, cell_s, move_s in ((STANCE, STANCE_CELL_S, STANCE_S), (FIXATION, FIXATION_CELL_S, FIXATION_S)):
        cells = _cells(t, cell_s, before=2)
        random = np.array([_random(seed, kind, cell) for cell in cells])
        rests = 2 * random[:, 1:3] - 1
        moved = ease((t[:, None] - cell_s * (cells + random[:, 0])[1:]) / move_s)
        ways.append(rests[0] + np.einsum("nc,cv->nv", moved, rests[1:] - rests[:-1]))
    return np.concatenate(ways, 1)


def _glances(seed: int, t: Array) -> tuple[Array, list[float]]:
    """Looks away from the camera, [n, 4]: gaze and head (yaw, pitch; radians); and when these come with a blink.

    The head goes the same way as the eyes, later and slower.
    """
    glances = [_glance(seed, cell) for cell in _cells(t, GLANCE_CELL_S)]
    start, stays, yaw, pitch, saccade_s = np.array(glances).T
    since = t[:, None] - start
    there = np.stack([since / saccade_s, (since - 0.06) / HEAD_FOLLOWS_S])
    back = np.stack([(since - stays) / saccade_s, (since - stays - 0.06) / HEAD_FOLLOWS_S])
    away = np.einsum("knc,vc->nkv", ease(there) - ease(back), np.array([yaw, pitch])).reshape(len(t), 4)
    return away, [begins - 0.02 for begins, _, *target, _ in glances if math.hypot(*target) > BLINKS_FROM]


@lru_cache(maxsize=1024)
def _glance(seed: int, cell: int) -> tuple[float, float, float, float, float]:
    """A cell's glance: when it begins, how long it stays, yaw, pitch, how long the eyes take.

    Two in three cells have one. Every third goes to where the room's messages are read, always the same place, and
    stays longer.
    """
    when, kind, how_long, how_far, where, aside, whether = _random(seed, GLANCE, cell)
    start = cell * GLANCE_CELL_S + when * (GLANCE_CELL_S - GLANCE_LONGEST_S - 0.7)
    if whether > GLANCES:
        return start, 1.0, 0.0, 0.0, 0.025
    if kind < READS:
        stays, (yaw, pitch) = 0.8 + how_long, MESSAGES
        yaw *= messages_side(seed)
    else:
        stays = 0.35 + 0.9 * how_long**2
        size = min(0.05 - 0.10 * math.log1p(-how_far), 0.24)
        along = int(4 * where) * (math.pi / 2) + (aside - 0.5) * 0.9
        yaw, pitch = size * math.cos(along), 0.6 * size * math.sin(along)
    return start, stays, yaw, pitch, 0.025 + 0.1375 * math.hypot(yaw, pitch)
