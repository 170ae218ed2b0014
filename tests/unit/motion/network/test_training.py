"""The network computes what the rules' mouth does, as a file too, and its training resumes as if it never stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from services.motion import face, lips  # noqa: E402
from services.motion.frames import CHANNELS  # noqa: E402
from services.motion.model.network import controls, features  # noqa: E402
from services.motion.model.network.calibrate import FULLY, MISSED, calibrate, held_back  # noqa: E402
from services.motion.model.network.clips import VARIANTS, Clip, path_of, save  # noqa: E402
from services.motion.model.network.export import example, export  # noqa: E402
from services.motion.model.network.hearing import FRAMES, Hearing  # noqa: E402
from services.motion.model.network.network import Network  # noqa: E402
from services.motion.model.network.rung import AHEAD, EMOTIONS, STATE, WIDTH, Net  # noqa: E402
from services.motion.performance import MOODS  # noqa: E402
from services.training.loop import fit  # noqa: E402
from services.training.task import Options  # noqa: E402


def test_controls_become_the_mouth_that_the_rules_make() -> None:
    random = np.random.default_rng(1)
    wanted = random.random((40, controls.SIZE))
    moods = np.stack(list(MOODS.values()))
    mood = random.random((40, 1)) * moods[random.integers(len(moods), size=40)]
    values = mood + wanted[:, controls.NOD_AMOUNT, None] * controls.NOD_POSE
    gain = controls.LEAST_GAIN + wanted[:, controls.GAIN] * (controls.MOST_GAIN - controls.LEAST_GAIN)
    lips.mouth(values[:, : face.SIZE], wanted[:, : lips.WIDTH], gain)
    np.clip(values[:, : face.SHAPES], 0, 1, out=values[:, : face.SHAPES])
    given = Network().decoded(torch.from_numpy(wanted).float(), torch.from_numpy(mood).float())
    np.testing.assert_allclose(given.numpy(), values, atol=1e-5)


def test_the_file_computes_what_the_network_does_in_any_pieces(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = Network().eval()
    assert export(network, tmp_path / "motion.onnx") < 1e-4
    net = Net(tmp_path / "motion.onnx")
    heard, emotion, _ = (part[0].numpy() for part in example(90, seed=3).values())
    state = np.zeros((STATE, WIDTH), np.float32)
    with torch.no_grad():
        whole, _, _ = network(*(torch.from_numpy(part)[None] for part in (heard, emotion, state)))
    rows = []
    for first, last in ((0, 1), (1, 7), (7, 60), (60, 90)):
        part, _, state = net(heard[first:last], emotion[first:last], state)
        rows.append(part)
    assert whole.shape == (1, 90, CHANNELS)
    np.testing.assert_allclose(np.concatenate(rows), whole[0].numpy(), atol=1e-5)


def test_it_looks_neither_further_ahead_nor_further_back_than_it_says() -> None:
    torch.manual_seed(2)
    network = Network().eval()
    heard, emotion, _ = example(160, seed=4).values()
    other = heard.clone()
    other[:, 100] += 1
    state = torch.zeros(1, STATE, WIDTH)
    with torch.no_grad():
        differs = (network(heard, emotion, state)[0] - network(other, emotion, state)[0]).abs().amax((0, 2)) > 0
    changed = torch.nonzero(differs).flatten().tolist()
    assert changed[0] == 100, f"frame {100 - AHEAD} hears feature row 100, and no frame before it"
    assert changed[-1] <= 100 + STATE


def clips(folder: Path) -> list[Path]:
    random = np.random.default_rng(5)
    for index in range(3):
        frames = FRAMES + AHEAD + 10 * index
        heard = random.normal(size=(VARIANTS, frames, features.WIDTH)).astype(np.float32)
        save(path_of(folder, index), Clip(heard, random.random((frames, controls.SIZE)).astype(np.float32)))
    return [path_of(folder, index) for index in range(3)]


def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path: Path) -> None:
    paths = clips(tmp_path)
    options = Options(steps=6, batch=2, keep=2, warm_up=2, average=0.9, seed=7)

    def trained(folder: Path, until: int | None = None) -> dict[str, object]:
        network = fit(Hearing(paths, batch=2, seed=7), folder, options, until)
        return {name: value.clone() for name, value in network.state_dict().items()}

    unbroken = trained(tmp_path / "unbroken")
    trained(tmp_path / "stopped", until=3)
    resumed = trained(tmp_path / "stopped")
    for name, value in unbroken.items():
        assert torch.equal(value, resumed[name]), name


def test_a_batch_depends_on_its_step_alone_and_is_shared_out(tmp_path: Path) -> None:
    task = Hearing(clips(tmp_path), batch=4, seed=7)
    whole, again, other = task.batch(3, 0, 0, 1), task.batch(3, 0, 0, 1), task.batch(4, 0, 0, 1)
    halves = [task.batch(3, 0, rank, 2) for rank in range(2)]
    assert torch.equal(whole.heard, again.heard)
    assert not torch.equal(whole.heard, other.heard)
    assert torch.equal(torch.cat([half.wanted for half in halves]), whole.wanted)
    assert whole.emotion.shape == (4, FRAMES, EMOTIONS)


def test_what_must_be_seen_is_seen_after_calibration(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    wanted = np.zeros((300, controls.SIZE), np.float32)
    for begin in range(20, 280, 25):
        wanted[begin : begin + 5, lips.CLOSED] = 1
    heard = random.normal(size=(VARIANTS, 300, features.WIDTH)).astype(np.float32)
    save(path_of(tmp_path, 0), Clip(heard, wanted))
    torch.manual_seed(4)
    network = Network().eval()
    threshold = calibrate(network, [path_of(tmp_path, 0)])[lips.CLOSED]

    def shown(variant: int) -> list[float]:
        steps = [torch.from_numpy(heard[variant])[None], torch.zeros(1, 300, EMOTIONS), torch.zeros(1, STATE, WIDTH)]
        with torch.no_grad():
            closed = network(*steps)[1][0, AHEAD:, lips.CLOSED]
        return [float(closed[begin : begin + 5].max()) for begin in range(20, 280, 25)]

    tops = [top for variant in range(1, VARIANTS) for top in shown(variant)]
    assert np.isfinite(threshold)
    fully = 1 / (1 + np.exp(-FULLY))
    assert np.mean(np.array(tops) < fully - 0.01) <= 1.5 * MISSED


def test_clips_to_calibrate_on_are_not_learned_from_unless_there_are_too_few() -> None:
    paths = [Path(f"{number}.npz") for number in range(100)]
    learned, back = held_back(paths)
    assert len(back) == 5 and not set(learned) & set(back)
    assert sorted([*learned, *back]) == sorted(paths)
    assert held_back(paths[:3]) == (paths[:3], paths[:3])


def test_there_is_no_training_without_clips() -> None:
    with pytest.raises(ValueError, match="no clips"):
        Hearing([], batch=1, seed=1)
