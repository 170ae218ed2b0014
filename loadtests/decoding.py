"""The decoding engine against PyTorch eager on the same weights: `python -m loadtests.decoding --shape 1.3b`.

Random weights, for speed does not depend on them. Both decode greedily after a prompt; eager is her own network as it
is written for training, with keys and values that grow. On a GPU it also says which part of the memory's bandwidth,
measured by copying, the engine makes use of: that bounds decoding for few rooms.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import torch

from services.chat.model.config import SIZES
from services.chat.model.engine.decoder import Decoder
from services.chat.model.engine.shape import Shape
from services.chat.model.engine.stepper import Inputs, Stepper
from services.chat.model.engine.weights import Weights
from services.chat.model.network import Network

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
ROUNDS = 5


def wait(device: torch.device) -> None:
    """Until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds(device: torch.device, work: Callable[[], object]) -> float:
    """The median of some rounds, after one that does not count."""
    taken = []
    for _ in range(ROUNDS + 1):
        wait(device)
        begun = time.perf_counter()
        work()
        wait(device)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken[1:])


def bandwidth(device: torch.device) -> float:
    """Bytes that can be read a second: a large copy reads and writes each once."""
    source = torch.empty(2**30 if device.type == "cuda" else 2**25, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    moved: int = 2 * source.nbytes
    return moved / seconds(device, lambda: target.copy_(source))


def eager(network: Network, rooms: int, prompt: int, new: int, device: torch.device) -> float:
    """Seconds for a step."""
    text = torch.randint(100, (rooms, prompt), device=device)
    logits, past = network(text)
    token = logits[:, -1:].argmax(-1)

    def work() -> None:
        own, last = past, token
        for _ in range(new):
            logits, own = network(last, own)
            last = logits[:, -1:].argmax(-1)
            last.tolist()  # as a server, which sends each token out

    return seconds(device, work) / new


def engine(decoder: Decoder, rooms: int, prompt: int, new: int, device: torch.device) -> float:
    """Seconds for a step."""
    stepper = Stepper(decoder)
    for row in range(rooms):
        decoder.begin(row, torch.randint(100, (prompt,), device=device))

    def work() -> None:
        tokens = (1,) * rooms
        for position in range(prompt, prompt + new):
            given = Inputs(tokens, (position,) * rooms, (0.0,) * rooms, (1.0,) * rooms, (0,) * rooms)
            tokens = tuple(stepper(given, position + 1))

    return seconds(device, work) / new


def main(arguments: Sequence[str]) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.decoding", description="Measure the decoding engine.")
    parser.add_argument("--shape", choices=sorted(SIZES), default="small", help="of the network")
    parser.add_argument("--precision", choices=sorted(DTYPES), help="default: bf16 on a GPU, fp32 on a processor")
    parser.add_argument("--rooms", type=int, nargs="+", default=[1, 8, 32], help="numbers of rooms (default 1 8 32)")
    parser.add_argument("--prompt", type=int, default=128, help="tokens before the answer (default 128)")
    parser.add_argument("--new", type=int, default=64, help="tokens of the answer (default 64)")
    given = parser.parse_args(arguments)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = given.precision or ("bf16" if device.type == "cuda" else "fp32")
    torch.manual_seed(0)
    config = SIZES[given.shape]
    with device:
        network = Network(config).to(DTYPES[precision]).eval()
    shape = Shape.of(config.published(bos=1, eos=2))
    weights = Weights.of(shape, dict(network.named_parameters()), device, DTYPES[precision])
    most, read = bandwidth(device), weights.bytes
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
    print(f"{given.shape}, {precision}, {where}: {read / 1e6:.0f} MB of weights a step, memory {most / 1e9:.0f} GB/s\n")
    print("| rooms | eager, tokens/s | engine, tokens/s | times | step, ms | of the bandwidth's limit |")
    print("|---|---|---|---|---|---|")
    for rooms in given.rooms:
        decoder = Decoder(weights, rooms, given.prompt + given.new)
        with torch.inference_mode():
            slow = eager(network, rooms, given.prompt, given.new, device)
            fast = engine(decoder, rooms, given.prompt, given.new, device)
        kept = 2 * shape.layers * shape.kv_heads * shape.size * weights.embedding.element_size()
        share = (read + rooms * kept * (given.prompt + given.new / 2)) / most / fast
        print(
            f"| {rooms} | {rooms / slow:.0f} | {rooms / fast:.0f} | {slow / fast:.2f} | {1000 * fast:.2f} "
            f"| {100 * share:.0f} % |"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
