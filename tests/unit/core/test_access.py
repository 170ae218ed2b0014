"""The rights that a cluster gives each service are those that its code uses."""

from __future__ import annotations

import re

import pytest

from services.access import ACCESS
from services.core import topics
from services.names import NAMES, Name
from services.places import ROOT

TOOLS = {"evaluate.py", "replay.py", "speak.py"}
"""Modules that no running service loads."""


@pytest.mark.parametrize("name", NAMES)
def test_a_service_may_do_what_its_code_does_and_no_more(name: Name) -> None:
    source = "\n".join(
        path.read_text() for path in sorted((ROOT / "services" / name).glob("*.py")) if path.name not in TOOLS
    )
    constants = {word: text for word, text in vars(topics).items() if isinstance(text, str) and text in topics.CARRIES}
    used = {constants[word] for word in re.findall(r"\btopics\.([A-Z]+)\b", source) if word in constants}
    if "TurnWorker(" in source:
        used.add(topics.CONTROL)
    access = ACCESS[name]
    allowed = {*access.reads, *(topic for topic in access.writes if not topic.endswith(topics.DEAD))}
    assert used == allowed
    published = {getattr(topics, word) for word in re.findall(r"seal\(\s*topics\.([A-Z]+)\b", source)}
    assert published <= set(access.writes)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_reads_in_the_groups_that_its_code_names(name: Name) -> None:
    source = "\n".join(
        path.read_text() for path in sorted((ROOT / "services" / name).glob("*.py")) if path.name not in TOOLS
    )
    named = {
        *re.findall(r'Worker\([^)]*service="([a-z-]+)"', source),
        *re.findall(r'^GROUP = "(.+)"', source, re.MULTILINE),
    }
    assert set(ACCESS[name].groups) == named - {"gateway"}, "the gateway follows, and is in no group"
