"""The prompt: what this viewer said before, what is asked now, and the persona facts that retrieval found.

    <|begin|> <|viewer|>… <|lydia|>… <|end|> <|viewer|>你多大 <|fact|><|self.age|>十九岁 <|lydia|>

Her answer follows, up to <|end|>. What was found has a mark of its own and stands right before her answer: a small
network reads what is near long before it learns to look for it, and a name in pieces it does not read at all. What she
said before stands there as it was heard, without tags. Her words write `{viewer}` for the viewer's name, which is
filled in when spoken: names are exact, and no stranger's name goes through the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from services.chat.model.tokenizer import BEGIN, END, FACT, LYDIA, VIEWER, Tokenizer
from services.chat.persona import Language
from services.chat.tags import Tags
from services.core.yaml_files import read_yaml

FACTS = Path(__file__).with_name("facts.yaml")
MOST_ASKED, MOST_PAST, MOST_SAID = 64, 40, 48
"""Tokens of what is asked, of what was asked before, of what she answered then; the first ones are kept."""
PAST_TURNS = 2


def found(intent: str) -> str:
    """The mark of an intent that retrieval found."""
    return f"<|{intent}|>"


class Facts:
    """What retrieval may put into a prompt."""

    def __init__(self, facts: Mapping[str, Mapping[str, str]]) -> None:
        self._facts = facts

    @classmethod
    def read(cls, path: Path = FACTS) -> Facts:
        """The facts of the file."""
        return cls(read_yaml(path))

    def text(self, intent: str, tongue: Language) -> str:
        """The mark of what was found, with its fact where there is a short one."""
        fact = self._facts.get(intent)
        return found(intent) + (fact[tongue] if fact else "")


def prompt(
    tokenizer: Tokenizer, asked: str, *, facts: Sequence[str] = (), past: Sequence[tuple[str, str]] = ()
) -> list[int]:
    """Tokens up to where her answer begins. `past`: what was asked and what she answered, oldest first."""
    begin, end, fact, viewer, lydia = map(tokenizer.mark, (BEGIN, END, FACT, VIEWER, LYDIA))
    tokens = [begin]
    for before, said in past[-PAST_TURNS:]:
        tokens += [viewer, *tokenizer.encode(before)[:MOST_PAST]]
        tokens += [lydia, *tokenizer.encode_marked(Tags().without(said))[:MOST_SAID], end]
    tokens += [viewer, *tokenizer.encode(asked)[:MOST_ASKED]]
    for text in facts:
        tokens += [fact, *tokenizer.encode_marked(text)]
    return [*tokens, lydia]
