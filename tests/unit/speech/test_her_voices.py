"""`lydia up` offers the voices that this machine and its settings have."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from services.building import speech as building
from services.core.settings import Settings
from services.speech.natural import loading
from services.speech.natural.files import HASHES
from services.speech.service import NATURAL, TEACHER


def rungs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **speech: object) -> list[str]:
    monkeypatch.setattr(building, "VOICE", tmp_path)
    return list(building.natural_voices(Settings.model_validate({"speech": speech})))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / HASHES).write_text("{}")
    return tmp_path


def test_the_natural_voice_is_there_when_it_was_built(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rungs(built, monkeypatch) == [NATURAL]


def test_the_finest_voice_is_there_when_it_is_asked_for(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rungs(built, monkeypatch, finest=True) == [TEACHER, NATURAL]


def test_who_chooses_the_fast_voice_gets_it(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rungs(built, monkeypatch, own_voice="fast", finest=True) == []


def test_her_own_network_needs_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rungs(tmp_path, monkeypatch, own_network=True) == [NATURAL]


def test_without_its_files_the_fast_voice_speaks_and_the_mend_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert rungs(tmp_path, monkeypatch) == []
    assert "Mend: run `make setup`" in caplog.text


@pytest.mark.parametrize("own", [False, True])
def test_her_own_network_says_how_it_sounds_when_it_is_asked_for(
    own: bool, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(building, "VOICE", built)
    monkeypatch.setattr(loading, "load", lambda *_, **options: asked.append(options["own"]))
    voice = building.natural_voices(Settings.model_validate({"speech": {"own_network": own}}))[NATURAL]
    voice._load()
    assert asked == [own]
