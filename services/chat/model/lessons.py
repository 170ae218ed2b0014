"""What her network learns from: prompts with her answers, drawn by seed from the persona and the dialogues."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.chat.model import grammar
from services.chat.model.dialogues import Dialogue
from services.chat.model.prompt import Facts, prompt
from services.chat.model.tokenizer import END, Tokenizer
from services.chat.persona import Language, Line, Persona
from services.chat.retrieval import language, normal
from services.chat.tags import EMOTIONS, GESTURES, tagged

DIALOGUES, UNANSWERABLE = 0.2, 0.04
"""Shares of lessons from the dialogues, and of questions that nothing of hers answers. The rest is the persona's."""
CHINESE = 0.6
"""Share of Chinese among the persona's lessons."""
UNFOUND, MISLED = 0.12, 0.02
"""Shares of the persona's lessons in which retrieval is said to have found nothing, or something else."""
DIGRESSION = 0.06
"""Share of the persona's lessons that come after talk of something else."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A prompt with facts, what was said before, what is asked, and the answer to learn."""

    asked: str
    answer: str
    facts: tuple[str, ...] = ()
    past: tuple[tuple[str, str], ...] = ()

    def tokens(self, tokenizer: Tokenizer) -> tuple[list[int], int]:
        """All tokens, and how many of them are given: the rest is to be learnt."""
        given = prompt(tokenizer, self.asked, facts=self.facts, past=self.past)
        return [*given, *tokenizer.encode_marked(self.answer), tokenizer.mark(END)], len(given)


class Lessons:
    """Draws lessons. The same generator gives the same lessons."""

    def __init__(self, persona: Persona, dialogues: Sequence[Dialogue], facts: Facts) -> None:
        self._persona = persona
        self._intents = [persona.intents[name] for name in sorted(persona.intents)]
        self._dialogues = dialogues
        self._facts = facts

    def draw(self, draw: random.Random) -> Lesson:
        """One lesson."""
        kind = draw.random()
        if self._dialogues and kind < DIALOGUES:
            return self._of_dialogue(draw)
        if kind > 1 - UNANSWERABLE:
            return self._unanswerable(draw)
        return self._of_persona(draw)

    def _of_persona(self, draw: random.Random) -> Lesson:
        intent = draw.choice(self._intents)
        tongue: Language = "zh" if draw.random() < CHINESE else "en"
        found = intent.name
        doubt = draw.random()
        if doubt < MISLED:
            found = draw.choice(self._intents).name
        none = MISLED <= doubt < MISLED + UNFOUND
        asked = grammar.varied(draw.choice(intent.examples[tongue]), tongue, draw)
        lesson = Lesson(
            normal(asked), said(draw.choice(intent.answers), tongue), self._told(None if none else found, tongue)
        )
        if draw.random() < DIGRESSION:
            other = draw.choice(self._intents)
            before = normal(draw.choice(other.examples[tongue])), said(draw.choice(other.answers), tongue)
            lesson = replace(lesson, past=(before,))
        return lesson

    def _unanswerable(self, draw: random.Random) -> Lesson:
        asked = draw.choice(self._persona.unanswerable)
        tongue = language(asked)
        line = draw.choice(self._persona.lines["fallback"])
        return Lesson(normal(grammar.varied(asked, tongue, draw)), said(line, tongue))

    def _of_dialogue(self, draw: random.Random) -> Lesson:
        dialogue = draw.choice(self._dialogues)
        upto = draw.randrange(len(dialogue))
        asked = [draw.choice(exchange.asked) for exchange in dialogue[: upto + 1]]
        answers = [exchange.answer for exchange in dialogue[: upto + 1]]
        tongue = language(asked[-1])
        words = grammar.words_for("".join((*asked, *answers)), tongue, draw)
        asked, answers = ([grammar.filled(text, words) for text in texts] for texts in (asked, answers))
        return Lesson(
            normal(grammar.varied(asked[-1], tongue, draw)),
            answers[-1],
            past=tuple((normal(before), answer) for before, answer in zip(asked[:-1], answers[:-1], strict=True)),
        )

    def _told(self, found: str | None, tongue: Language) -> tuple[str, ...]:
        return (self._facts.text(found, tongue),) if found else ()


def said(line: Line, tongue: Language) -> str:
    """A line of the persona as the network is to say it."""
    return tagged(EMOTIONS[line.emotion - 1], GESTURES[line.gesture - 1], line.text(tongue, {}))
