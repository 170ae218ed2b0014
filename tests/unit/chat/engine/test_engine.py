"""The engine says what a plain implementation says, for many rooms at once, and stops with the epoch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from services.chat.model.engine.decoder import Decoder
from services.chat.model.engine.engine import Engine, Full, Request, Said
from services.chat.model.engine.sampling import CANDIDATES, sample
from services.chat.model.engine.shape import CannotDecode, Shape
from services.chat.model.engine.stepper import Inputs, Stepper
from services.chat.model.engine.weights import Weights, read
from tests.unit.chat.engine.plain import LLAMA, QWEN, STRETCHED, greedy, logits, published, random_weights

CPU = torch.device("cpu")
DEVICES = ("cpu", *(("cuda",) if torch.cuda.is_available() else ()))
SHAPES = {"llama": LLAMA, "qwen2": QWEN, "llama 3.1": STRETCHED}


def decoder(
    shape: dict[str, Any] = LLAMA, rows: int = 4, length: int = 160, device: str = "cpu", **more: Any
) -> Decoder:
    weights = Weights.of(Shape.of(shape), random_weights(shape), torch.device(device), torch.float32)
    return Decoder(weights, rows, length, **more)


def request(room: str, tokens: tuple[int, ...], most: int = 6, **more: Any) -> Request:
    return Request(room=room, epoch=more.pop("epoch", 1), tokens=tokens, most=most, ends=frozenset(), **more)


def all_said(engine: Engine) -> list[Said]:
    said = []
    while not engine.idle:
        said += engine.step()
    return said


def told(said: list[Said], room: str) -> list[int]:
    return [part.token for part in said if part.request.room == room and part.token is not None]


@pytest.mark.parametrize("kind", SHAPES)
def test_reading_and_each_step_give_the_logits_of_a_plain_implementation(kind: str) -> None:
    shape, own = SHAPES[kind], decoder(SHAPES[kind])
    text = [5, 17, 3, 88, 41, 9, 60]
    wanted = logits(shape, random_weights(shape), text)
    torch.testing.assert_close(own.begin(0, torch.tensor(text[:4]))[0], wanted[3], rtol=0, atol=2e-3)
    for place in (4, 5, 6):
        given = own.step(torch.tensor([text[place]]), torch.tensor([place]), place + 1)
        torch.testing.assert_close(given[0], wanted[place], rtol=0, atol=2e-3)


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_compiled_steps_give_the_same_logits(kind: str) -> None:
    plain, compiled = (decoder(SHAPES[kind], compiled=which) for which in (False, True))
    with torch.inference_mode():
        for rooms in (1, 3):
            for own in (plain, compiled):
                own.begin(rooms - 1, torch.tensor([5, 17, 3]))
            tokens, positions = torch.arange(rooms) + 40, torch.full((rooms,), 3)
            wanted, given = (own.step(tokens, positions, 8) for own in (plain, compiled))
            torch.testing.assert_close(given, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("files", [1, 3])
def test_a_published_checkpoint_is_read_from_one_file_or_several(tmp_path: Path, files: int) -> None:
    weights = random_weights(QWEN)
    own = Decoder(read(published(tmp_path, QWEN, weights, files), CPU, torch.float32), 1, 32)
    wanted = logits(QWEN, weights, [5, 17, 3])[-1]
    torch.testing.assert_close(own.begin(0, torch.tensor([5, 17, 3]))[0], wanted, rtol=0, atol=2e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_rooms_that_come_and_go_each_hear_what_they_would_alone(device: str) -> None:
    engine = Engine(decoder(rows=2, device=device))
    texts = {"a": (5, 17, 3), "b": (88, 41), "c": (9, 60, 12, 7), "d": (33,)}
    lengths = {"a": 3, "b": 9, "c": 5, "d": 7}
    said: list[Said] = []
    for room, text in texts.items():
        engine.add(request(room, text, lengths[room]))
        said += engine.step()
    said += all_said(engine)
    weights = random_weights(LLAMA)
    for room, text in texts.items():
        wanted = greedy(LLAMA, weights, list(text), lengths[room])
        assert told(said, room) == wanted
    assert [part.ended for part in said if part.ended] == ["length"] * 4


def test_an_epoch_that_is_over_says_no_more_and_others_go_on() -> None:
    engine = Engine(decoder(rows=2))
    for room in ("a", "b", "waiting"):
        engine.add(request(room, (5, 17), 8))
    engine.step()
    engine.step()
    engine.stop("a", 2)
    engine.stop("b", 1)
    engine.stop("waiting", 2)
    rest = all_said(engine)
    stopped = [part for part in rest if part.ended == "stopped"]
    assert [(part.request.room, part.token) for part in stopped] == [("a", None), ("waiting", None)]
    assert told(rest, "a") == []
    assert len(told(rest, "b")) == 6


def test_an_end_token_ends_it() -> None:
    third = greedy(LLAMA, random_weights(LLAMA), [5, 17, 3], 3)[2]
    engine = Engine(decoder())
    engine.add(Request("a", 1, (5, 17, 3), 20, frozenset({third})))
    said = all_said(engine)
    assert (len(said), said[-1].token, said[-1].ended) == (3, third, "end")


@pytest.mark.parametrize("device", DEVICES)
def test_what_a_seed_says_depends_on_nobody_else(device: str) -> None:
    warm = {"heat": 1.0, "top_p": 0.95, "seed": 7}
    alone, together = Engine(decoder(device=device)), Engine(decoder(device=device))
    alone.add(request("a", (5, 17), 12, **warm))
    for room, seed in (("b", 8), ("a", 7), ("c", 9)):
        together.add(request(room, (5, 17), 12, **{**warm, "seed": seed}))
    one, many = all_said(alone), all_said(together)
    assert told(one, "a") == told(many, "a")
    assert told(many, "a") != told(many, "b") != told(many, "c")


@pytest.mark.parametrize("changed", [{"positions": (1,)}, {"seeds": (5,)}, {"heat": (0.0,)}, {"tokens": (9,)}])
def test_whatever_is_new_in_a_step_is_told_to_the_device(changed: dict[str, Any]) -> None:
    def asked(*steps: Inputs) -> list[int]:
        stepper = Stepper(decoder(rows=1))
        return [stepper(each, 8)[0] for each in steps]

    first = Inputs((5,), (0,), (3.0,), (1.0,), (1,))
    usual = replace(first, tokens=(asked(first)[0],), positions=(1,))
    other = replace(usual, **({"positions": (0,)} if "positions" in changed else changed))
    stepper = Stepper(decoder(rows=1))
    stepper(first, 8)
    stepper(other, 8)
    assert [stepper._numbers[:, 0].tolist(), stepper._chances[:, 0].tolist()] == [
        [stepper._numbers[0, 0].item(), other.positions[0] + 1, other.seeds[0]],
        [other.heat[0], other.top_p[0]],
    ]


def test_a_text_too_many_is_refused_and_the_others_are_not_lost() -> None:
    engine = Engine(decoder(rows=1), waiting=2)
    for room in ("a", "b"):
        engine.add(request(room, (5,), 2))
    with pytest.raises(Full, match="2 texts wait"):
        engine.add(request("c", (5,), 2))
    assert {part.request.room for part in all_said(engine)} == {"a", "b"}


@pytest.mark.parametrize(("tokens", "most"), [((), 5), ((1,), 0), ((1,) * 100, 61)])
def test_a_text_without_place_or_words_is_refused(tokens: tuple[int, ...], most: int) -> None:
    with pytest.raises(ValueError, match="Mend"):
        Engine(decoder()).add(request("a", tokens, most))


def _draws(heat: float, top_p: float, count: int = 4000) -> torch.Tensor:
    scores = torch.tensor([2.0, 1.0, 0.0, -1.0]).log_softmax(-1).expand(count, 4)
    full = torch.full((count,), 1.0)
    seeds = torch.arange(count)
    return sample(scores, heat * full, top_p * full, seeds, torch.zeros_like(seeds)).bincount(minlength=4) / count


def test_draws_follow_the_softmax_at_every_temperature() -> None:
    for heat in (0.5, 1.0, 2.0):
        wanted = (torch.tensor([2.0, 1.0, 0.0, -1.0]) / heat).softmax(-1)
        torch.testing.assert_close(_draws(heat, 1.0), wanted, rtol=0, atol=0.03)


def test_draws_keep_to_the_likeliest_share() -> None:
    kept = torch.tensor([2.0, 1.0]).softmax(-1)
    torch.testing.assert_close(_draws(1.0, 0.7), torch.cat((kept, torch.zeros(2))), rtol=0, atol=0.03)
    assert _draws(0.0, 1.0).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_only_likely_tokens_can_be_drawn_from_a_large_vocabulary() -> None:
    even = torch.linspace(0, 0.1, 4 * CANDIDATES).expand(500, -1)
    drawn = sample(even, torch.ones(500), torch.ones(500), torch.arange(500), torch.zeros(500, dtype=torch.long))
    assert int(drawn.min()) >= 3 * CANDIDATES
    assert len(drawn.unique()) > CANDIDATES // 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "mamba"}, "kind mamba"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "the way yarn"),
        ({"num_hidden_layers": 4}, "model.layers.3.* is missing"),
        ({"intermediate_size": 40}, "is .48, 32. and not .40, 32. large"),
    ],
)
def test_a_checkpoint_that_cannot_be_decoded_is_refused_with_the_reason(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    folder = published(tmp_path, {**LLAMA, **change}, random_weights(LLAMA))
    with pytest.raises(CannotDecode, match=said):
        read(folder, CPU, torch.float32)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    published(tmp_path, LLAMA, random_weights(LLAMA))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CannotDecode, match=r"missing\. Mend: download"):
        read(tmp_path, CPU, torch.float32)
