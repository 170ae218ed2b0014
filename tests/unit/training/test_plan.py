"""The training calculator against what others published."""

from __future__ import annotations

import json

import pytest

from services.cli import main
from services.training.gpus import GPUS
from services.training.original import readings
from services.training.plan import USABLE, Layout, Network, NoFit, Recompute, Shard, days, memory, plan
from services.training.published import RUNS, TOLERANCE, Run

GPT3 = Network(175e9, 96, 12_288, 96, 2048, 51_200)
MT_NLG = Network(530e9, 105, 20_480, 128, 2048, 51_200)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.name} on {run.gpus} {run.gpu}")
def test_published_trainings_come_out_within_a_quarter_or_it_is_said_why_not(run: Run) -> None:
    assert (abs(run.off) <= TOLERANCE) is not bool(run.misfit)


@pytest.mark.parametrize(("shard", "published_gb"), [("none", 120.0), ("optimizer", 31.4), ("all", 1.9)])
def test_memory_of_weights_gradients_and_optimizer_is_that_of_the_zero_paper(shard: Shard, published_gb: float) -> None:
    """Figure 1 of arXiv 1910.02054: 7.5 B parameters on 64 GPUs."""
    found = memory(Network.of(7.5e9), Layout(1, 1, 64, 1, 1, "all", shard))
    assert found.weights + found.gradients + found.optimizer == pytest.approx(published_gb, rel=0.02)


@pytest.mark.parametrize(("network", "saved"), [(GPT3, 0.70), (MT_NLG, 0.65)])
def test_recomputing_attention_alone_saves_as_much_as_published(network: Network, saved: float) -> None:
    """Section 5 of arXiv 2205.05198."""

    def activations(recompute: Recompute) -> float:
        return memory(network, Layout(8, network.layers, 1, 1, 1, recompute, "none")).activations

    assert 1 - activations("attention") / activations("none") == pytest.approx(saved, abs=0.01)
    assert activations("all") < activations("attention") / 5


def test_recomputing_everything_costs_a_third_more_time() -> None:
    gpu = GPUS["A100-80"]
    assert days(GPT3, 1e9, gpu, 64, "all") == pytest.approx(days(GPT3, 1e9, gpu, 64) * 4 / 3)


def test_a_pipeline_waits_p_minus_one_over_m_of_its_work() -> None:
    assert Layout(1, 8, 1, 1, 56, "none", "none").bubble == pytest.approx(7 / 56)


@pytest.mark.parametrize(
    ("parameters", "gpu", "gpus"), [(125e6, "V100-32", 1), (7e9, "A100-80", 8), (175e9, "H100", 256)]
)
def test_a_plan_uses_every_gpu_and_fits_into_it(parameters: float, gpu: str, gpus: int) -> None:
    made = plan(Network.of(parameters), 20 * parameters, GPUS[gpu], gpus)
    assert made.layout.tensor * made.layout.pipeline * made.layout.data == gpus
    assert made.memory.total <= USABLE * GPUS[gpu].memory_gb
    assert made.network.heads % made.layout.tensor == made.network.layers % made.layout.pipeline == 0


def test_a_small_network_is_not_split() -> None:
    assert plan(Network.of(1.3e9), 26e9, GPUS["A100-80"], 8).layout.data == 8


def test_what_does_not_fit_is_told_with_a_number_of_gpus_that_does() -> None:
    network = Network.of(175e9)
    with pytest.raises(NoFit, match=r"do not fit on 8 × A100-80\. Mend: --gpus (\d+) with --shard all") as problem:
        plan(network, 300e9, GPUS["A100-80"], 8)
    gpus = int(str(problem.value).split("--gpus ")[1].split()[0])
    plan(network, 300e9, GPUS["A100-80"], gpus, shard="all")
    with pytest.raises(NoFit):
        plan(network, 300e9, GPUS["A100-80"], gpus // 2, shard="all")


def test_the_usual_shape_has_about_as_many_parameters_as_asked() -> None:
    for parameters in (125e6, 1.3e9, 8e9, 175e9):
        shape = Network.of(parameters)
        assert 12 * shape.layers * shape.hidden**2 == pytest.approx(parameters, rel=0.2)


def test_the_original_claim_holds_for_filtered_text_but_not_for_ten_clean_terabytes() -> None:
    verdicts = {reading.reads: reading.verdict for reading in readings()}
    assert verdicts["10 TB of clean text, all of it read once"].startswith("plausible only for a network that needs no")
    assert verdicts["10 TB raw, filtered as GPT-3's, read three times"] == "plausible"


def test_a_reading_trains_in_the_claimed_days_and_not_much_faster() -> None:
    for reading in readings():
        assert days(Network.of(reading.largest), reading.tokens, GPUS["A100-80"], 100, "all") == pytest.approx(
            5, rel=0.1
        )


def test_the_command_prints_a_plan_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan-training", "--parameters", "7B", "--tokens", "2T", "--gpus", "1024", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["days"] * 1024 * 24 == pytest.approx(184_320, rel=TOLERANCE)  # Llama 2 7 B
    assert made["layout"]["data"] == 1024


def test_the_command_prints_tables(capsys: pytest.CaptureFixture[str]) -> None:
    for words, shown in ((["--published"], "GPT-3 175 B"), (["--original"], "days for the other two"), ([], "MFU")):
        assert main(["plan-training", *words]) == 0
        assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--parameters", "many"], "Write it like 125M"),
        (["--gpus", "0"], "whole number from 1"),
        (["--utilisation", "40"], "share of the peak"),
        (["--gpu", "TPU"], "invalid choice"),
    ],
)
def test_wrong_numbers_are_refused_with_how_to_write_them(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["plan-training", *words])
    assert told in capsys.readouterr().err


def test_half_a_shape_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan-training", "--layers", "12"]) == 1
    assert "give both or none" in capsys.readouterr().err
