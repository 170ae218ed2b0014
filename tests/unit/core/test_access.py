"""The rights that a cluster gives each service are those that its code uses."""

from __future__ import annotations

import re

import pytest

from services.access import ACCESS, reads
from services.core import topics
from services.names import NAMES, Name
from services.places import ROOT

TOOLS = {"evaluate.py", "replay.py", "speak.py"}
"""Modules that no running service loads."""


def source(name: Name) -> str:
    files = sorted((ROOT / "services" / name).glob("*.py"))
    return "\n".join(path.read_text() for path in files if path.name not in TOOLS)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_may_do_what_its_code_does_and_no_more(name: Name) -> None:
    code = source(name)
    constants = {word: text for word, text in vars(topics).items() if isinstance(text, str) and text in topics.CARRIES}
    used = {constants[word] for word in re.findall(r"\btopics\.([A-Z]+)\b", code) if word in constants}
    used.update(
        topic for group in re.findall(r'topics\.READERS\["([a-z-]+)"\]', code) for topic in topics.READERS[group]
    )
    if "TurnWorker(" in code:
        used.add(topics.CONTROL)
    writes = {topic for topic in ACCESS[name].writes if not topic.endswith(topics.DEAD)}
    assert used == {*reads(name), *writes}
    assert {constants[word] for word in re.findall(r"seal\(\s*topics\.([A-Z]+)\b", code)} <= writes


def test_the_groups_are_those_that_the_code_names() -> None:
    named = {
        group
        for name in NAMES
        for group in re.findall(r'(?:Worker\([^)]*service=|^GROUP = )"([a-z-]+)"', source(name), re.MULTILINE)
    }
    assert named - {"gateway"} == topics.READERS.keys(), "the gateway follows, and is in no group"
