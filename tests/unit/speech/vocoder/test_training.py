"""Texts, clips and training are reproducible, resume where they were stopped, and keep test sentences unseen."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from services.speech.model.vocoder import dataset
from services.speech.model.vocoder.dataset import Clip, Teacher, draw_voice, make, make_clip, path_of, spoken
from services.speech.model.vocoder.texts import held_out, mixed_text, sentences, training_text, unseen_sentences
from services.speech.natural.encoder import Features, Floats
from services.speech.natural.files import KEPT_VOICES
from services.speech.natural.voices import TIMBRE, VOICES
from tests.unit.speech.vocoder.clause import CLAUSE, clause

LANGUAGES = ("zh", "en")


class FakeTeacher:
    """Knows every voice, and makes features as long as the text; tells how often it was asked."""

    def __init__(self) -> None:
        self.decoded = 0
        her = (name for voice in VOICES.values() for mix in (voice.timbre, voice.manners["zh"].melody) for name in mix)
        self.voices = {
            name: np.ones((510, 256), dtype=np.float32) for name in (*her, "af_heart", "zf_xiaoxiao", "zf_xiaoyi")
        }

        self.spread = np.full(TIMBRE, 0.1, dtype=np.float32)

    def style(self, weights: dict[str, float], symbols: int) -> Floats:
        return np.full(256, sum(weights.values()) * symbols, dtype=np.float32)

    def encoder(self, tokens: list[int], style: Floats, speed: float) -> Features:
        frames = 3 * len(tokens)
        curve = np.full(2 * frames, speed, dtype=np.float32)
        return Features(np.ones((512, frames), dtype=np.float32), curve, curve, style, np.full(len(tokens), 3))

    def decode(self, features: Features) -> Floats:
        self.decoded += 1
        return np.zeros(600 * features.inner.shape[1], dtype=np.float32)


def symbols(text: str, language: str) -> list[int]:
    return [1 + ord(letter) % 100 for letter in text + language]


def fake() -> Teacher:
    return cast(Teacher, FakeTeacher())


def test_there_are_a_hundred_unseen_sentences_of_each_language() -> None:
    for language in LANGUAGES:
        chosen = unseen_sentences(language, 100)
        assert len(set(chosen)) == 100
        assert all(held_out(text) for text in chosen)


@pytest.mark.parametrize("language", LANGUAGES)
def test_training_never_says_a_test_sentence(language: str) -> None:
    random = np.random.default_rng(3)
    unseen = [text for text in sentences(language) if held_out(text) and len(text) > 12]
    said = [training_text(language, random) for _ in range(200)]
    assert not [text for text in said for other in unseen if other in text and other not in _joined_seen(language)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_mixed_texts_hold_words_of_both_languages(language: str) -> None:
    random = np.random.default_rng(6)
    mixed = [mixed_text(training_text(language, random), language, random) for _ in range(40)]
    assert all(re.search("[A-Za-z]", text) and re.search("[\u4e00-\u9fff]", text) for text in mixed)


def test_every_syllable_of_mandarin_that_is_common_is_learned_from() -> None:
    random = np.random.default_rng(8)
    said = {sign for _ in range(3_000) for sign in training_text("zh", random)}
    assert len(said) > 3_000


def _joined_seen(language: str) -> str:
    """A test sentence may be part of a longer one that is for training."""
    return "\n".join(text for text in sentences(language) if not held_out(text))


def test_clips_depend_on_seed_and_number_alone(tmp_path: Path) -> None:
    make(tmp_path / "one", 6, 7, fake(), symbols)
    for part in (1, 0):
        make(tmp_path / "two", 6, 7, fake(), symbols, part=(part, 2))
    for index in range(6):
        first, second = dataset.load(path_of(tmp_path / "one", index)), dataset.load(path_of(tmp_path / "two", index))
        np.testing.assert_array_equal(first.tokens, second.tokens)
        np.testing.assert_array_equal(first.features.style, second.features.style)


def test_only_missing_clips_are_made(tmp_path: Path) -> None:
    make(tmp_path, 4, 7, fake(), symbols)
    path_of(tmp_path, 2).unlink()
    again = fake()
    make(tmp_path, 4, 7, again, symbols)
    assert cast(FakeTeacher, again).decoded == 1


def test_voices_for_testing_are_never_trained_on() -> None:
    random = np.random.default_rng(5)
    drawn = {name for language in LANGUAGES for _ in range(300) for name in draw_voice(language, random)}
    assert not drawn & {name for names in dataset.UNSEEN.values() for name in names}
    assert "zf_xiaoni" not in drawn


def test_some_clips_have_a_timbre_between_and_beyond_the_voices() -> None:
    seen: list[Features] = []

    class Keeping(FakeTeacher):
        def decode(self, features: Features) -> Floats:
            seen.append(features)
            return super().decode(features)

    teacher = cast(Teacher, Keeping())
    for index in range(200):
        make_clip(index, 7, teacher, symbols)
    plain = [len(set(features.style[:TIMBRE].tolist())) == 1 for features in seen]
    assert 0.5 < np.mean(plain) < 0.7
    assert all(len(set(features.style[TIMBRE:].tolist())) == 1 for features in seen)
    moves = [features.style[:TIMBRE].std() for features, is_plain in zip(seen, plain, strict=True) if not is_plain]
    assert 0.03 < min(moves) < 0.06
    assert 0.1 < max(moves) < 0.15


def test_silence_at_the_ends_is_left_out_but_for_a_little() -> None:
    features = fake().encoder([0, *range(1, 9), 0], np.zeros(256, dtype=np.float32), 1.0)
    long_ends = np.array([40, *[3] * 7, 50, 1])
    frames = int(long_ends.sum())
    features = Features(
        np.zeros((512, frames), dtype=np.float32), features.f0, features.energy, features.style, long_ends
    )
    begin, end = spoken(features)
    assert begin == 40 - dataset.LEAD
    assert end == 40 + 21 + dataset.TAIL


def test_a_clip_is_read_as_it_was_written(tmp_path: Path) -> None:
    clip = clause()
    dataset.save(tmp_path / "clip.npz", clip)
    again = dataset.load(tmp_path / "clip.npz")
    np.testing.assert_array_equal(again.sound, clip.sound)
    np.testing.assert_array_equal(again.features.inner, clip.features.inner)


def _run(folder: Path, *stops: int) -> tuple[list[float], list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
    """Trains in as many runs as there are stops. The losses, and the weights."""
    from services.speech.model.vocoder.command import USUAL
    from services.speech.model.vocoder.train import Clips, Vocoding
    from services.training.loop import fit
    from services.training.report import rows

    options = replace(USUAL, steps=stops[-1], batch=2)
    task = Vocoding(Clips([CLAUSE]), options)
    for stop in stops:
        network = fit(task, folder, options, stop)
    return [float(row["loss"]) for row in rows(folder)], [value.numpy() for value in network.state_dict().values()]


def test_training_lowers_the_loss_and_resumes_as_if_never_stopped(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch comes with the extra `train`")
    losses, straight = _run(tmp_path / "straight", 20)
    _, stopped = _run(tmp_path / "stopped", 10, 20)
    assert losses[-1] < 0.97 * losses[0]
    for first, second in zip(straight, stopped, strict=True):
        np.testing.assert_array_equal(first, second)


def test_the_exported_model_computes_what_the_network_does(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch comes with the extra `train`")
    from services.speech.model.vocoder.export import TOLERANCE, export
    from services.speech.model.vocoder.network import Network

    path = tmp_path / "vocoder.onnx"
    assert export(Network(), path) <= TOLERANCE
    assert path.stat().st_size < 6e6


def test_vowels_have_no_noise_between_their_lowest_harmonics_and_consonants_do() -> None:
    torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")
    from services.speech.model.vocoder.network import CLEAR_HZ, ROUGH_HZ, Network

    f0 = torch.cat((torch.full((1, 20), 220.0), torch.zeros(1, 20)), dim=1)
    _, _, noise = Network()(torch.zeros(1, 512, 20), f0, torch.zeros(1, 40), torch.zeros(1, 128))

    hertz = torch.linspace(0, 12_000, noise.shape[2])
    voiced, voiceless = noise[0].chunk(2)
    assert voiced[:, hertz <= CLEAR_HZ].max() == 0
    assert voiced[:, hertz >= ROUGH_HZ].min() > 0
    assert voiceless.min() > 0


def test_pulses_that_fade_where_noise_gives_way_are_made_as_loud_as_the_teachers() -> None:
    torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")
    from services.speech.model.vocoder.calibrate import calibrate
    from services.speech.model.vocoder.network import CLEAR_HZ, HOPS, ROUGH_HZ, Network
    from services.speech.model.vocoder.train import Batch, Clips

    network, clips = Network(), Clips([CLAUSE])
    network.start_at(clips.mean_log_spectrum())
    gains = network.gains.bias.detach().view(HOPS, 2, -1)

    def draw(size: int, random: np.random.Generator) -> Batch:
        return clips.batch(size, random, slice(None))

    calibrate(network, draw, seed=1)
    right = gains.clone()
    hertz = np.linspace(0, 12_000, right.shape[2])
    middle = (hertz > CLEAR_HZ + 300) & (hertz < ROUGH_HZ - 300)
    gains[:, 0, middle] -= 0.7
    louder = calibrate(network, draw, seed=1)

    assert louder[middle].min() > 3
    assert np.abs(louder[(hertz < CLEAR_HZ - 500) | (hertz > ROUGH_HZ + 500)]).max() == 0
    assert torch.abs(gains[:, 0] - right[:, 0])[:, middle].mean() < 0.15
    assert torch.equal(gains[:, 1], right[:, 1])


def test_noise_is_not_traded_for_a_buzz() -> None:
    """The energy distance is smallest for noise of the teacher's level, not for less random sound."""
    torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")
    from services.speech.model.vocoder.losses import energy_distance

    def draws(level: float, steady: float) -> float:
        generator = torch.Generator().manual_seed(1)
        white = torch.randn((3, 4, 24_000), generator=generator)
        fixed = torch.sign(torch.sin(torch.arange(24_000) / 17.0)) * steady
        loss, _, _ = energy_distance(white[0], level * white[1] + fixed, level * white[2] + fixed, (1024, 256))
        return float(loss)

    right = draws(1.0, 0.0)
    assert right < min(draws(0.7, 0.0), draws(1.4, 0.0), draws(0.5, 0.7))


def test_the_whole_clip_makes_its_own_features_longer_than_a_crop() -> None:
    """What the other tests stand on: the kept clause is long enough to train on."""
    clip: Clip = clause()
    assert clip.features.inner.shape[1] >= 60
    assert len(clip.sound) == 600 * clip.features.inner.shape[1]


def test_setting_up_keeps_every_voice_that_training_and_testing_draw() -> None:
    drawn = [
        name for group in (dataset.TRAINED, dataset.MEN, dataset.UNSEEN) for names in group.values() for name in names
    ]

    assert [name for name in drawn if not name.startswith(KEPT_VOICES)] == []
