"""The report is one page for a person: what was measured, on what, the verdict, and every loss by its id."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from loadtests.load.compare import compare
from loadtests.load.report import report
from loadtests.load.verdict import Objectives, check
from tests.unit.loadtests.test_compare import GIFT, result


class Balanced(HTMLParser):
    """Knows whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(*, lost: bool = False) -> str:
    found = result(2, extra={"speech": 50}, lost=(GIFT,) if lost else ())
    return report(found, check(found, Objectives(lost=0)), compare(result(1), found))


def test_the_page_is_whole_and_fetches_nothing() -> None:
    parser = Balanced()
    parser.feed(page(lost=True))
    assert parser.open == []
    assert not re.search(r"https?://|<script|src=|@import", page(lost=True))


def test_it_states_machine_commit_load_and_verdict() -> None:
    text = page()
    for told in ("2 cores", "commit abc", "2112", "lydia up", "Objectives kept, and worse than the earlier run"):
        assert told in text


def test_it_has_a_plot_of_each_kind_and_names_the_slow_stage() -> None:
    text = page()
    assert text.count("<svg") == 3
    assert "<polyline" in text
    assert "quiet p95" in text
    assert re.search(r"<td>stage speech</td><td>p50</td>.*?class=\"slower\"", text)


def test_a_loss_is_marked_in_the_course_of_the_run_and_named() -> None:
    text = page(lost=True)
    assert "<title>lost: gift f00d</title>" in text
    assert "<td>f00d</td><td>gift</td><td>load-quiet-0</td><td>12.5 s</td>" in text
    assert "Objectives missed" in text


def test_names_from_outside_cannot_become_markup() -> None:
    found = result(1).model_copy(update={"target": "<b>host</b>"})
    assert "<b>host</b>" not in report(found, [], None)
