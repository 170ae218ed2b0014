"""Replays a room's log: the same inputs must give the same turns, decisions and controls, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from pydantic import ValidationError

from services.audience.director import Director, Input
from services.audience.ledger import Outputs
from services.audience.log import VERSION, BadLog, read
from services.core.events import Control, Decision, Lane, LogHeader, LogStep, Turn
from services.core.settings import Audience as Policy


@dataclass(frozen=True, slots=True)
class Result:
    """What a replay found."""

    steps: int
    turns: int
    decisions: int
    controls: int
    difference: str | None
    """The first difference, for people; None when everything was equal."""


def replay(path: Path, show: Callable[[str], None] = lambda _line: None) -> Result:
    """Feeds the inputs of a log to fresh directors and compares; ends at the first difference.

    `show` gets a line for each turn, decision and control. Raises BadLog.
    """
    director: Director | None = None
    steps = turns = decisions = controls = 0
    for entry in read(path):
        if entry.WhichOneof("entry") == "header":
            director = _director(path, entry.header)
            show(f"room {entry.header.room_id}, taken up at {_time(entry.header.at_ms)}")
            continue
        if director is None:
            raise BadLog(f"{path}: does not begin with a header")
        step = entry.step
        steps += 1
        difference = _compare(step, director.step(_input(path, step), step.now_ms))
        if difference is not None:
            return Result(steps, turns, decisions, controls, f"step {steps} at {_time(step.now_ms)}: {difference}")
        for line in _lines(step):
            show(line)
        turns, decisions, controls = (
            turns + len(step.turns),
            decisions + len(step.decisions),
            controls + len(step.controls),
        )
    if director is None:
        raise BadLog(f"{path}: holds no room")
    return Result(steps, turns, decisions, controls, None)


def run(path: Path, show: Callable[[str], None]) -> int:
    """`lydia replay FILE`: shows the log and the verdict. 0: equal, 1: different, 2: no log."""
    try:
        result = replay(path, show)
    except BadLog as error:
        show(str(error))
        return 2
    counts = f"{result.turns} turns, {result.decisions} decisions, {result.controls} controls in {result.steps} steps"
    if result.difference is None:
        show(f"{counts}: equal to the recording, byte for byte")
        return 0
    show(f"{counts} were equal; then they differ")
    show(result.difference)
    return 1


def _director(path: Path, header: LogHeader) -> Director:
    if header.version != VERSION:
        raise BadLog(f"{path}: has version {header.version} of the format; this Lydia reads version {VERSION}")
    try:
        policy = Policy.model_validate_json(header.settings)
    except ValidationError as error:
        raise BadLog(f"{path}: was recorded with settings this Lydia does not know ({error})") from None
    return Director(header.room_id, policy, header.snapshot, header.at_ms)


def _input(path: Path, step: LogStep) -> Input:
    match step.WhichOneof("input"):
        case "heard":
            return step.heard
        case "performed":
            return step.performed
        case "control":
            return step.control
        case "tick":
            return step.tick
        case "epoch_taken":
            return step.epoch_taken
        case _:
            raise BadLog(f"{path}: holds an input that this Lydia does not know")


def _compare(recorded: LogStep, outputs: Outputs) -> str | None:
    pairs: list[tuple[str, Sequence[Message], Sequence[Message]]] = [
        ("control", recorded.controls, outputs.controls),
        ("turn", recorded.turns, [opened.turn for opened in outputs.opened]),
        ("decision", recorded.decisions, [told.decision for told in outputs.told]),
    ]
    for name, before, now in pairs:
        for i in range(max(len(before), len(now))):
            left = before[i] if i < len(before) else None
            right = now[i] if i < len(now) else None
            if _bytes(left) != _bytes(right):
                return f"{name} {i}\n  recorded {_shown(left)}\n  replayed {_shown(right)}"
    return None


def _bytes(message: Message | None) -> bytes:
    return b"" if message is None else message.SerializeToString(deterministic=True)


def _shown(message: Message | None) -> str:
    return "nothing" if message is None else str(MessageToDict(message, preserving_proto_field_name=True))


def _lines(step: LogStep) -> Iterator[str]:
    time = _time(step.now_ms)
    for control in step.controls:
        yield f"{time} control  {_control(control)}"
    for turn in step.turns:
        yield f"{time} turn     {_turn(turn)}"
    for decision in step.decisions:
        yield f"{time} decision {_decision(decision)}"


def _control(control: Control) -> str:
    return f"{control.WhichOneof('action')}, epoch {control.epoch}"


def _turn(turn: Turn) -> str:
    lane = _name(Lane.Name(turn.lane), "LANE_")
    match turn.WhichOneof("cause"):
        case "audience":
            names = ", ".join(dict.fromkeys(event.viewer.name or event.viewer.id for event in turn.audience.events))
            cause = f"{turn.audience.events[0].WhichOneof('kind')} of {names}"
        case "silence":
            cause = f"silence of {turn.silence.quiet_ms / 1000:.0f} s, entry {turn.silence.rundown_index}"
        case _:
            cause = "an operator's words"
    return f"epoch {turn.epoch} {lane}: {cause}"


def _decision(decision: Decision) -> str:
    outcome = _name(Decision.Outcome.Name(decision.outcome), "OUTCOME_")
    reason = _name(Decision.Reason.Name(decision.reason), "REASON_")
    event = decision.event
    text = event.chat.text or event.super_chat.text or event.WhichOneof("kind") or "?"
    score = f" {decision.score:.2f}" if decision.terms else ""
    terms = "".join(f" {term.name} {term.value:+.2f}" for term in decision.terms)
    return f"{outcome}{score} ({reason}) {event.viewer.name or event.viewer.id}: {text}{terms}"


def _name(constant: str, prefix: str) -> str:
    return constant.removeprefix(prefix).lower().replace("_", " ")


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
