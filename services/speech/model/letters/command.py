"""`lydia train letters`: how English words are said; the network, its list of exceptions and its card."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from services.places import VOICE
from services.training import launch
from services.training.task import Options

USUAL = Options(steps=8_000, batch=64, rate=2e-3, decay=0.6, average=0.998)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--folder", type=Path, default=Path("build/letters"), help="keeps checkpoint and losses")
    launch.add_arguments(parser, USUAL)


def run(given: argparse.Namespace) -> int:
    """Everything that is missing of it. Returns the exit code."""
    from services.speech.natural.files import ENGLISH, FilesUnavailable, check

    try:
        check(VOICE, ENGLISH)
    except FilesUnavailable as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return launch.run(train, given, USUAL)


def train(given: argparse.Namespace) -> int:
    """On every rank: training; on the first, the files. Returns the exit code."""
    # Heavy parts are loaded only now: every command reads this file's options.
    from services.speech.model.letters.export import export
    from services.speech.model.letters.network import Network
    from services.speech.model.letters.spelling import Spelling, held_out, words_of
    from services.speech.natural.english import Entry
    from services.speech.natural.files import ENGLISH
    from services.training import parallel
    from services.training.loop import fit

    options = launch.options_of(given, USUAL)
    lexicon: Mapping[str, Entry] = json.loads((VOICE / ENGLISH).read_text(encoding="utf-8"))
    words = words_of(lexicon)
    learned = {word: said for word, said in words.items() if not held_out(word)}
    network = fit(
        Spelling(learned, batch=options.batch, seed=options.seed), given.folder, options, port=given.metrics_port
    )
    if not parallel.first():
        return 0
    assert isinstance(network, Network)
    export(network)
    _written(given.folder, lexicon, words, len(learned))
    return 0


def _written(folder: Path, lexicon: Mapping[str, object], words: Mapping[str, str], learned: int) -> None:
    """The list and the card."""
    import numpy as np

    from services.speech.model.letters import words as listed
    from services.speech.model.letters.evaluate import wrong
    from services.speech.model.letters.letters import WEIGHTS, Letters
    from services.speech.model.letters.spelling import held_out
    from services.speech.natural.english import English, Entry
    from services.speech.natural.letters import pronounce
    from services.training.card import card

    entries: dict[str, Entry] = {word: entry for word, entry in lexicon.items() if isinstance(entry, (str, dict))}
    letters = Letters()
    lower = {word.lower() for word in entries if word.isascii() and word.isalpha()}
    network = listed.said([*words, *(word for word in lower if word not in words)], letters)

    def say(word: str) -> str:
        return network.get(word) or letters(word)

    common = listed.common()
    known = listed.known_of(entries)
    np.savez(listed.KNOWN, bits=known.bits)
    left = listed.ROOM - WEIGHTS.stat().st_size - listed.KNOWN.stat().st_size
    kept = listed.exceptions(entries, say, known, common, left)
    listed.WORDS.write_bytes(listed.packed(kept))
    unseen = {word: said for word, said in words.items() if held_out(word)}
    seen_often = {word: unseen[word] for word in common if word in unseen}
    rows = []
    for group, right in (("all", unseen), ("the common ones", seen_often)):
        for who, says in (("network", say), ("rules", pronounce)):
            found = wrong(right, says)
            shares = (found.sounds, found.sounds_but_for_stress, found.words, found.words_but_for_stress)
            rows.append(
                f"| {group} ({len(right):,}) | {who} | " + " | ".join(f"{100 * one:.1f} %" for one in shares) + " |"
            )
    right_one, own = English(entries), listed.english(say, kept, known)
    off = sum(own.phones(word, ends_phrase=False) != right_one.phones(word, ends_phrase=False) for word in words)
    sizes = {"network": WEIGHTS.stat().st_size / 1e6, "list": listed.WORDS.stat().st_size / 1e6}
    sizes["known"] = listed.KNOWN.stat().st_size / 1e6
    card(
        WEIGHTS.with_name("README.md"),
        folder,
        title="Her own reading of English words",
        about=ABOUT.format(words=len(kept), **sizes),
        data=DATA.format(learned=learned, unseen=len(unseen)),
        figures=FIGURES.format(rows="\n".join(rows), off=off, all=len(words)),
        again=AGAIN,
    )
    sys.stdout.write("\n".join(rows) + f"\n{len(kept):,} words in the list; {off:,} of {len(words):,} said otherwise\n")


ABOUT = """
A network that says how an English word sounds by its letters ({network:.2f} MB, weights in half precision); a list of
{words:,} words ({list:.2f} MB) that it would not say as they are said, or that have several forms; and a filter that
tells which words there are ({known:.2f} MB), because endings and compounds are made of known words. Together they stand
in for the open lexicon when her own text2speech network speaks, so that no file of others is needed then.
"""
DATA = """
{learned:,} words of the lexicon of `misaki` (Apache-2.0), American English; {unseen:,} more were kept to measure it.
The list is an excerpt of that lexicon: the persona's words first, then the commonest,
by the pieces of multilingual-e5-small's tokenizer.
"""
FIGURES = """
Words that training never saw, by the network alone, without the list; beside it the rules that say unknown words when
the open lexicon is there. A wrong stress counts as a wrong sound.

| words | said by | sounds wrong | but for stress | words wrong | but for stress |
|---|---|---|---|---|---|
{rows}

With the list, {off:,} of all {all:,} words are said otherwise than the open lexicon says them.
"""
AGAIN = """
```
pip install -e '.[train]'
lydia train letters
```
"""
