"""What she does about the room besides speaking: she reads what people write, listens, thinks, is glad of people.

The stage tells one of these what happens in its room; it answers with moves on the room's time, which are laid over the
idle life and give way to the performance of a turn. Nobody waits for it: when the voice is there, it is over.

Gaze comes first, head and face follow (Lee and Badler 2002); who listens tilts the head and nods when done; who looks
for an answer looks away, mostly up and aside, until there is one (Glenberg et al. 1998).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.events import AudienceEvent, FansClub, Follow, Turn
from services.motion import face
from services.motion.frames import SAMPLE_RATE, Frames, of_rows
from services.motion.gestures import AT_MOUTH, ON_CHEST, Part, pose
from services.motion.idle import MESSAGES, messages_side
from services.motion.moves import FIRST_ARM, Move, rows
from services.motion.performance import NOD

Array = NDArray[Any]

MEDIUM_FEN, LARGE_FEN = 1_000, 10_000
"""Value from which a gift is more than small, and from which it is large. Fen."""
READS_S, READS_CHARACTER_S, READS_LONGEST_S = 0.45, 0.045, 1.8
"""How long a message is read: at least, for each of its characters, and at most."""
LINE, LINE_S = 0.035, 0.24
"""How far the eyes go to either side along a line, radians, and how long they stay at a place of it."""
SACCADE_S = 0.035
NODS_AFTER_S, THINKS_AFTER_S = 0.1, 0.35
THINKS_S = 6.0
"""Who has not found an answer by then looks back."""
ASIDE_S = 0.5
"""How long a glance at something that is not read takes."""
LOOKS_ON_S = 0.25
"""When the voice begins, her eyes leave the message so much later."""
SPEAKING = 0.5
"""How much of her gladness shows while she speaks of something else."""
KEPT_S = 3.0
"""Nobody asks for frames that are older."""
MOVES = 64
"""At once; what would be one too many is not done."""

LISTENS = Part(
    pose(browInnerUp=0.16, browOuterUp=0.12, eyeWide=0.06, headRoll=0.06, spine_x=0.03, neck_x=0.02),
    attack=0.35,
    stay=0.0,
    release=0.5,
)
THINKS = Part(
    pose(
        browDownLeft=0.18,
        browOuterUpRight=0.3,
        mouthPress=0.14,
        mouthLeft=0.1,
        headRoll=0.05,
        headPitch=0.04,
        leftEyePitch=0.15,
        rightEyePitch=0.15,
    ),
    attack=0.4,
    stay=THINKS_S,
    release=0.4,
)


@dataclass(frozen=True, slots=True)
class Reaction:
    """What something that happens makes her do."""

    parts: tuple[Part, ...]
    """Those without arms are done while she speaks, too, if `matters`."""
    every_s: float
    """Least time between two of a kind."""
    nods: float = 0.0
    """How deep, as a share of a nod of speech."""
    glances: bool = False
    """Whether she looks to where the room's messages are."""
    matters: bool = False
    """Whether it is seen while she speaks."""


def _glad(smile: float, brows: float, stay: float, roll: float = 0.0) -> Part:
    shown = pose(
        mouthSmile=smile, cheekSquint=0.9 * smile, eyeSquint=0.3 * smile, browOuterUp=brows, browInnerUp=0.5 * brows
    )
    shown[face.INDEX["HeadRoll"]] = roll
    return Part(shown, attack=0.28, stay=stay, release=0.8)


_SURPRISE = Part(
    pose(eyeWide=0.5, browInnerUp=0.55, browOuterUp=0.5, jawOpen=0.16, headPitch=0.05, chest_x=-0.05, neck_x=-0.03),
    attack=0.2,
    stay=0.35,
    release=0.5,
)
_A_LITTLE_SURPRISE = Part(pose(eyeWide=0.25, browInnerUp=0.3, browOuterUp=0.3), attack=0.18, stay=0.15, release=0.4)

REACTIONS: dict[str, Reaction] = {
    "like": Reaction((_glad(0.08, 0.0, 0.6),), every_s=6.0),
    "enter": Reaction((_glad(0.12, 0.2, 0.5),), every_s=4.0, nods=0.7, glances=True),
    "share": Reaction((_glad(0.15, 0.15, 0.6),), every_s=3.0, nods=0.8),
    "follow": Reaction(
        (
            _glad(0.22, 0.22, 0.8, roll=0.07),
            Part(pose(left_shoulder_z=0.06, right_shoulder_z=-0.06), attack=0.3, stay=0.3, release=0.7),
        ),
        every_s=2.5,
        nods=1.0,
        glances=True,
        matters=True,
    ),
    "small": Reaction((_glad(0.2, 0.12, 0.6),), every_s=1.5, nods=1.1, matters=True),
    "medium": Reaction(
        (
            _A_LITTLE_SURPRISE,
            _glad(0.3, 0.2, 1.2, roll=0.06),
            Part(pose(right=ON_CHEST), attack=0.6, stay=1.0, release=0.8, after=0.1),
        ),
        every_s=3.0,
        nods=1.3,
        matters=True,
    ),
    "large": Reaction(
        (
            _SURPRISE,
            Part(_glad(0.4, 0.3, 0.0).pose, attack=0.5, stay=1.6, release=0.9, after=0.55),
            Part(pose(AT_MOUTH, AT_MOUTH, spine_x=-0.03), attack=0.55, stay=1.3, release=0.85),
        ),
        every_s=5.0,
        matters=True,
    ),
}
"""By kind of event; gifts by their size."""
NODS_S = 0.45
"""How long after a reaction's beginning its nod has its apex."""


class Attention:
    """One room's. Times are seconds of the room's media time; they may not be earlier than frames already shown."""

    def __init__(self, seed: int) -> None:
        """`seed` is that of the room's idle life."""
        self._yaw, self._pitch = messages_side(seed) * MESSAGES[0], MESSAGES[1]
        self._moves: list[Move] = []
        self._next: dict[str, float] = {}

    def notices(self, event: AudienceEvent, at: float, *, speaking: bool) -> bool:
        """Something has happened. Whether she does anything about it."""
        kind = _kind(event)
        if kind == "words":
            return not speaking and self._glances(f"words {event.event_id}", at)
        return kind is not None and self._reacts(kind, event.event_id, at, speaking=speaking)

    def turns_to(self, turn: Turn, at: float, *, speaking: bool) -> bool:
        """She is going to answer this, as soon as she has a voice for it. Whether she does anything meanwhile."""
        if speaking:
            return False
        chance = random.Random(turn.turn_id)
        if turn.WhichOneof("cause") != "audience":
            return turn.WhichOneof("cause") == "silence" and self._thinks(at, chance)
        kinds = {_kind(event): event for event in turn.audience.events}
        if "words" not in kinds:
            value = sum(event.gift.value_fen for event in turn.audience.events)
            kind = _size(value) if value else next(iter(kinds))
            return kind is not None and self._reacts(kind, turn.turn_id, at, speaking=False)
        self._forget(at)
        words = kinds["words"]
        text = words.chat.text or words.super_chat.text
        reads_s = min(READS_S + READS_CHARACTER_S * len(text), READS_LONGEST_S)
        self._look(at, reads_s, reading=True)
        listens = LISTENS.move(at + 0.06)
        listens.until = at + reads_s + NODS_AFTER_S
        tilt = chance.choice((-1.0, 1.0))
        listens.pose = listens.pose.copy()
        listens.pose[face.INDEX["HeadRoll"]] *= tilt
        self._add(listens)
        self._nod(at + reads_s + NODS_AFTER_S, 0.8)
        self._thinks(at + reads_s + THINKS_AFTER_S, chance)
        return True

    def gives_way(self, at: float) -> None:
        """Her voice begins at `at`, or all is to be still: what she was about to do is not done, the rest ends."""
        self._moves = [move for move in self._moves if move.start < at]
        for move in self._moves:
            move.end_by(at + LOOKS_ON_S if _is_gaze(move) else at)

    def frames(self, first_sample: int, count: int, step: int) -> Frames | None:
        """Her moves at `count` samples, `step` apart, relative to rest; None when there are none."""
        t = (first_sample + step * np.arange(count)) / SAMPLE_RATE
        if not any(move.start < t[-1] and move.end > t[0] for move in self._moves):
            return None
        return of_rows(rows(self._moves, t))

    def _reacts(self, kind: str, cause: str, at: float, *, speaking: bool) -> bool:
        reaction = REACTIONS[kind]
        if at < self._next.get(kind, 0.0) or (speaking and not reaction.matters):
            return False
        self._next[kind] = at + reaction.every_s
        self._forget(at)
        chance = random.Random(cause)
        size = (0.85 + 0.3 * chance.random()) * (SPEAKING if speaking else 1.0)
        parts = [part for part in reaction.parts if not speaking or _only_eyes_and_cheeks(part.pose)]
        for part in parts:
            # Arms go where they go, or not at all.
            self._add(part.move(at, 1.0 if part.pose[FIRST_ARM:].any() else size))
        if reaction.glances and not speaking:
            self._look(at, ASIDE_S, reading=False)
        if reaction.nods and not speaking:
            self._nod(at + NODS_S, reaction.nods)
        return bool(parts)

    def _glances(self, cause: str, at: float) -> bool:
        """At a message that has come."""
        if at < self._next.get("words", 0.0):
            return False
        stays = READS_S + 0.4 * random.Random(cause).random()
        self._next["words"] = at + stays + 2.0
        self._forget(at)
        self._look(at, stays, reading=True)
        return True

    def _look(self, at: float, stays: float, *, reading: bool) -> None:
        """The eyes go to the messages, the head a third of the way after them."""
        until = at + stays
        for move in self._moves:
            if _is_gaze(move):
                move.end_by(at)
        self._add(Move(at, until, self._gaze(self._yaw, self._pitch), SACCADE_S, SACCADE_S))
        head = pose(headYaw=0.35 * self._yaw, headPitch=0.35 * self._pitch)
        self._add(Move(at + 0.06, until + 0.04, head, 0.4, 0.45))
        places = int(stays / LINE_S) if reading else 0
        for place in range(places):
            aside = LINE * (2 * place / max(places - 1, 1) - 1)
            begins = at + place * LINE_S
            self._add(Move(begins, begins + LINE_S, self._gaze(aside, 0.0), SACCADE_S, SACCADE_S))

    def _thinks(self, at: float, chance: random.Random) -> bool:
        thinks = THINKS.move(at)
        aside = chance.choice((-1.0, 1.0)) * (0.16 + 0.08 * chance.random())
        thinks.pose = thinks.pose + self._gaze(aside, 0.0) + pose(headYaw=0.3 * aside)
        self._forget(at)
        return self._add(thinks)

    def _nod(self, at: float, size: float) -> None:
        self._add(NOD.move(at - NOD.attack, size))

    def _gaze(self, yaw: float, pitch: float) -> Array:
        return pose(leftEyeYaw=yaw, rightEyeYaw=yaw, leftEyePitch=pitch, rightEyePitch=pitch)

    def _add(self, move: Move) -> bool:
        if len(self._moves) >= MOVES:
            return False
        self._moves.append(move)
        return True

    def _forget(self, at: float) -> None:
        self._moves = [move for move in self._moves if move.end > at - KEPT_S]


def _kind(event: AudienceEvent) -> str | None:
    """What an event is to her: words to read, or a key of REACTIONS; None when it is nothing."""
    match event.WhichOneof("kind"):
        case "chat" | "super_chat":
            return "words"
        case "gift":
            return _size(event.gift.value_fen)
        case "like":
            return "like"
        case "share":
            return "share"
        case "enter":
            return None if event.enter.left else "enter"
        case "follow":
            return None if event.follow.action == Follow.ACTION_UNFOLLOWED else "follow"
        case "fans_club":
            return None if event.fans_club.reason == FansClub.REASON_LEFT else "follow"
    return None


def _size(value_fen: int) -> str:
    return "large" if value_fen >= LARGE_FEN else "medium" if value_fen >= MEDIUM_FEN else "small"


_EYES = [*face.EYE_YAW, *face.EYE_PITCH]
_LIPS = [place for place in range(face.MOUTH.start, face.MOUTH.stop) if place not in face.SMILE]


def _is_gaze(move: Move) -> bool:
    others = np.delete(move.pose, _EYES)
    return bool(move.pose[_EYES].any()) and not others.any()


def _only_eyes_and_cheeks(shown: Array) -> bool:
    return not shown[face.SIZE :].any() and not shown[_LIPS].any()
