"""Her voices are mixes: one timbre for all she says, a melody for each language."""

from __future__ import annotations

import numpy as np
import pytest

from services.core.settings import Settings
from services.speech.natural.files import WRONG_TONES
from services.speech.natural.voices import DEFAULT, TIMBRE, VOICES, Manner, Styles, Voice

MIXED = Voice(
    {"a": 0.25, "b": 0.75}, {"zh": Manner({"a": 1.0}), "en": Manner({"b": 1.0}), "mixed": Manner({"a": 0.5, "b": 0.5})}
)
TABLES = {
    name: np.full((510, 256), value, dtype=np.float32) + np.arange(510, dtype=np.float32)[:, None] * 0.001
    for name, value in (("a", 1.0), ("b", 3.0))
}


def test_the_timbre_is_the_same_in_every_language() -> None:
    styles = Styles(MIXED, TABLES)
    for melody in MIXED.manners:
        assert styles(melody, 1)[:TIMBRE] == pytest.approx(2.5)


def test_the_melody_is_that_of_the_language() -> None:
    styles = Styles(MIXED, TABLES)
    assert [float(styles(melody, 1)[TIMBRE]) for melody in ("zh", "en", "mixed")] == pytest.approx([1.0, 3.0, 2.0])


@pytest.mark.parametrize(("symbols", "row"), [(0, 0), (1, 0), (40, 39), (510, 509), (2_000, 509)])
def test_a_style_fits_the_length_of_the_text(symbols: int, row: int) -> None:
    assert Styles(MIXED, TABLES)("zh", symbols)[TIMBRE] == pytest.approx(1 + 0.001 * row)


def test_there_are_two_voices_of_her_own_mixed_from_several() -> None:
    assert DEFAULT in VOICES
    assert len(VOICES) >= 2
    for voice in VOICES.values():
        assert sum(voice.timbre.values()) == pytest.approx(1)
        assert len(voice.timbre) > 1
        assert WRONG_TONES not in voice.timbre
        for manner in voice.manners.values():
            assert sum(manner.melody.values()) == pytest.approx(1)
            assert WRONG_TONES not in manner.melody


def test_the_settings_name_her_voices() -> None:
    offered = Settings.model_json_schema()["$defs"]["Speech"]["properties"]["own_voice"]["enum"]
    assert set(offered) == {*VOICES, "fast"}
