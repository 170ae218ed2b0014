"""What `lydia up` prints once she is there can be clicked and copied on every terminal, and tells logs no secret."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from services.cli import welcome
from services.up import Addresses

WHERE = Addresses(
    stage="http://127.0.0.1:8080/rooms/lydia",
    console="http://127.0.0.1:8080/console",
    opened_console="http://127.0.0.1:8080/console#token=sesame",
    token_from="data/operator-token",
    rungs={"chat": "chat.persona", "speech": "speech.espeak"},
)


def printed(*, width: int, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None, highlight=False)
    welcome(console, WHERE, demo=True)
    return file.getvalue()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_addresses_are_whole_however_narrow_the_terminal(width: int) -> None:
    text = printed(width=width, terminal=True)
    assert WHERE.stage in text
    assert WHERE.opened_console in text
    assert "speech.espeak · simulated Douyin audience" in text


@pytest.mark.parametrize("width", [30, 80])
def test_no_frame_is_wider_than_the_terminal(width: int) -> None:
    frames = [line for line in printed(width=width, terminal=True).splitlines() if set(line) & set("╭│╰")]
    assert all(len(line) <= width for line in frames)
    assert bool(frames) is (width == 80)


def test_what_may_be_a_log_is_told_where_the_token_is_and_not_the_token() -> None:
    text = printed(width=80, terminal=False)
    assert "sesame" not in text
    assert "its token: data/operator-token" in text
    assert WHERE.console in text
