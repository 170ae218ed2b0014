"""Learns the tokenizer's vocabulary from texts and writes it as a `tokenizer.json`."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from pathlib import Path
from typing import Any

from services.chat.model.config import VOCABULARY
from services.chat.model.prompt import found
from services.chat.model.tokenizer import BEGIN, END, LETTERS, MARKS, PIECES, Tokenizer, pieces
from services.chat.persona import Persona, all_lines
from services.chat.tags import EMOTIONS, GESTURES

Pair = tuple[str, str]

TAGS = tuple(dict.fromkeys([*(f"[{name}]" for name in (*EMOTIONS, *GESTURES[1:])), "{viewer}"]))
"""Tokens of their own in her words."""
CHAT_TEMPLATE = (
    "<|begin|>{% for message in messages %}"
    "{% if message['role'] == 'user' %}<|viewer|>{{ message['content'] }}"
    "{% elif message['role'] != 'system' %}<|lydia|>{{ message['content'] }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{% for message in messages %}{% if message['role'] == 'system' %}<|fact|>{{ message['content'] }}"
    "{% endif %}{% endfor %}<|lydia|>{% endif %}"
)
"""How other programs make a prompt of messages: facts are the system's, the viewer is the user."""
LINES_COUNT = 4
"""How many times over her own lines count among the texts that the vocabulary is learnt from."""


def learn(texts: Iterable[str], count: int) -> list[Pair]:
    """At most `count` merges, the most frequent pair first; of equal ones the first in order of letters."""
    times = Counter(piece for text in texts for piece in pieces(text))
    words = [(list(piece), often) for piece, often in sorted(times.items())]
    counts: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)
    for number, (parts, often) in enumerate(words):
        for pair in pairwise(parts):
            counts[pair] += often
            where[pair].add(number)
    merges: list[Pair] = []
    queue = [(-often, pair) for pair, often in counts.items()]
    heapify(queue)
    while len(merges) < count and queue:
        often, best = heappop(queue)
        if counts[best] != -often:  # counted anew since, and then queued anew
            continue
        if counts[best] < 2:
            break
        merges.append(best)
        changed: set[Pair] = set()
        for number in where.pop(best):
            parts, often = words[number]
            for step in (-often, often):
                for pair in pairwise(parts):
                    counts[pair] += step
                    changed.add(pair)
                    where[pair].add(number)
                if step < 0:
                    parts[:] = _joined(parts, best)
        for pair in changed - {best}:
            if counts[pair] > 0:
                heappush(queue, (-counts[pair], pair))
    return merges


def _joined(parts: Sequence[str], pair: Pair) -> list[str]:
    joined: list[str] = []
    place = 0
    while place < len(parts):
        both = tuple(parts[place : place + 2]) == pair
        joined.append(parts[place] + parts[place + 1] if both else parts[place])
        place += 2 if both else 1
    return joined


def write(path: Path, merges: Sequence[Pair], names: Sequence[str] = ()) -> None:
    """Writes the tokenizer: marks and tags first, then the bytes, what merges made, the marks of what can be found."""
    inner = dict.fromkeys([*(LETTERS[byte] for byte in range(256)), *("".join(pair) for pair in merges)])
    added = [*MARKS, *TAGS, *names]
    vocabulary = {text: number for number, text in enumerate([*MARKS, *TAGS, *inner, *names])}
    kept: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": vocabulary[text],
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": text not in TAGS,
            }
            for text in added
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": PIECES}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
            ],
        },
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [list(pair) for pair in merges],
        },
    }
    said = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": END,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 512,
        "chat_template": CHAT_TEMPLATE,
    }
    text = json.dumps(said, ensure_ascii=False, indent=1) + "\n"
    path.with_name("tokenizer_config.json").write_text(text, encoding="utf-8")
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(json.dumps(kept, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    unfinished.replace(path)


def texts(persona: Persona) -> Iterator[str]:
    """What the vocabulary is learnt from."""
    for intent in persona.intents.values():
        for examples in intent.examples.values():
            yield from examples
    for _ in range(LINES_COUNT):
        for _, line in all_lines(persona):
            yield from (line.zh, line.en)


def prepared(folder: Path, persona: Persona) -> Tokenizer:
    """The folder's tokenizer, learnt from the persona when there is none; that takes about a minute."""
    path = folder / "tokenizer.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        names = [found(name) for name in sorted(persona.intents)]
        write(path, learn(texts(persona), VOCABULARY - len(MARKS) - len(TAGS) - 256 - len(names)), names)
    return Tokenizer.read(path)
