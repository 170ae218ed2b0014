"""How long a training takes, what it needs in memory, and how it is spread over GPUs.

Time: T = FLOP / (utilisation · peak · GPUs). A token costs 6·N + 12·L·h·s FLOP, forwards and backwards: N parameters
twice in each direction that needs them (2104.04473, appendix), and attention to s tokens in L layers of width h
(2204.02311, appendix B, which does not halve it for the causal mask). Recomputing every layer adds a forward pass, a
third more.

Memory, mixed precision with Adam: 2 bytes for a parameter, 2 for its gradient, 12 for the optimizer's fp32 copy, mean
and variance (1910.02054, §3.1). Activations of a layer: s·b·h·(34 + 5·a·s/h)/t bytes with a heads, b sequences in a
micro batch and tensor parallelism t with sequence parallelism; 34 alone when attention is recomputed or computed in
blocks, 2 when only a layer's input is kept (2205.05198, equation 4 and table 2). Pipelines run one forward, one
backward: the first stage then holds the activations of all L layers, however many stages there are (2104.04473, §2.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from services.training.gpus import PER_NODE, Gpu

Recompute = Literal["none", "attention", "all"]
Shard = Literal["none", "optimizer", "all"]
RECOMPUTE: tuple[Recompute, ...] = ("none", "attention", "all")
ASPECT = 128
"""Width over depth where only the number of parameters is known: GPT-3 175B and Llama 3 8B have it."""
HEAD = 128
"""Width of an attention head: GPT-3, Llama."""
USABLE = 0.9
"""Share of a GPU's memory that a plan may fill; the rest is for the context, communication and gaps."""
DAY_S = 86_400


class NoFit(Exception):
    """No layout fits. The text says what to change."""


@dataclass(frozen=True, slots=True)
class Network:
    """A decoder. Widths in numbers of values."""

    parameters: float
    layers: int
    hidden: int
    heads: int
    sequence: int = 2048
    vocabulary: int = 32_000

    @staticmethod
    def of(parameters: float, sequence: int = 2048, vocabulary: int = 32_000) -> Network:
        """The usual shape of so many parameters: 12·L·h² of them are in the layers, h = 128·L."""
        layers = max(round((parameters / (12 * ASPECT**2)) ** (1 / 3)), 2)
        heads = max(round((parameters / (12 * layers)) ** 0.5 / HEAD), 1)
        return Network(parameters, layers, heads * HEAD, heads, sequence, vocabulary)

    def flop_per_token(self, recompute: Recompute = "none") -> float:
        """Arithmetic of one token of a training, recomputed work included."""
        dense, attention = 6 * self.parameters, 12 * self.layers * self.hidden * self.sequence
        match recompute:
            case "none":
                return dense + attention
            case "attention":  # the forward third of it once more
                return dense + attention * 4 / 3
            case "all":
                return (dense + attention) * 4 / 3


@dataclass(frozen=True, slots=True)
class Layout:
    """How a training is spread: `tensor` × `pipeline` × `data` GPUs."""

    tensor: int
    pipeline: int
    data: int
    micro_batch: int
    """Sequences at once."""
    micro_batches: int
    """Of one pipeline, for one step of the optimizer."""
    recompute: Recompute
    shard: Shard
    """What is spread over the data-parallel GPUs instead of copied."""

    @property
    def bubble(self) -> float:
        """How long a pipeline waits to fill and drain, as a share of its work: (p - 1)/m (2104.04473, §2.2.1)."""
        return (self.pipeline - 1) / self.micro_batches


@dataclass(frozen=True, slots=True)
class Memory:
    """Of the fullest GPU, in GB (10⁹ bytes)."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    activations_recomputed: float
    """What they would take if only a layer's input were kept."""

    @property
    def total(self) -> float:
        """With the layout's own activations."""
        return self.weights + self.gradients + self.optimizer + self.activations


@dataclass(frozen=True, slots=True)
class Plan:
    """One training."""

    gpu: Gpu
    gpus: int
    tokens: float
    network: Network
    layout: Layout
    memory: Memory
    utilisation: float
    days: float

    @property
    def mfu(self) -> float:
        """Share of the peak that does new work: what was recomputed does not count."""
        return self.utilisation * self.network.flop_per_token() / self.network.flop_per_token(self.layout.recompute)


def days(
    network: Network,
    tokens: float,
    gpu: Gpu,
    gpus: int,
    recompute: Recompute = "none",
    utilisation: float | None = None,
) -> float:
    """How long. The utilisation is the GPU's unless it is given; layouts' losses are in it already."""
    speed = (gpu.utilisation if utilisation is None else utilisation) * gpu.peak_tflops * 1e12 * gpus
    return network.flop_per_token(recompute) * tokens / speed / DAY_S


def memory(network: Network, layout: Layout) -> Memory:
    """What the fullest GPU holds. Parameters count as spread evenly, the embedding too."""
    own = network.parameters / (layout.tensor * layout.pipeline)
    spread: dict[bool, int] = {True: layout.data, False: 1}
    everything, optimizer = spread[layout.shard == "all"], spread[layout.shard != "none"]
    logits = (
        4 * network.sequence * layout.micro_batch * network.vocabulary / layout.tensor if layout.pipeline == 1 else 0
    )
    return Memory(
        weights=2 * own / everything / 1e9,
        gradients=2 * own / everything / 1e9,
        optimizer=12 * own / optimizer / 1e9,
        activations=(_activations(network, layout, layout.recompute) + logits) / 1e9,
        activations_recomputed=(_activations(network, layout, "all") + logits) / 1e9,
    )


def _activations(network: Network, layout: Layout, recompute: Recompute) -> float:
    """Bytes on the first stage."""
    values = network.sequence * layout.micro_batch * network.hidden / layout.tensor
    attention = 5 * network.heads * network.sequence / network.hidden
    match recompute:
        case "none":
            return values * network.layers * (34 + attention)
        case "attention":
            return values * network.layers * 34
        case "all":  # the inputs, and one layer while it is computed again
            return values * (network.layers * 2 + 34 + attention)


def layouts(network: Network, gpus: int, batch_tokens: float, micro_batch: int, shard: Shard) -> Iterator[Layout]:
    """Every way to spread it, whether it fits or not."""
    sequences = max(round(batch_tokens / network.sequence), 1)
    for tensor in (1, 2, 4, 8):
        if tensor > PER_NODE or network.heads % tensor or gpus % tensor:
            continue
        for pipeline in range(1, network.layers + 1):
            data = gpus // (tensor * pipeline)
            if network.layers % pipeline or gpus % (tensor * pipeline) or sequences < data * micro_batch:
                continue
            for recompute in RECOMPUTE:
                yield Layout(tensor, pipeline, data, micro_batch, sequences // (data * micro_batch), recompute, shard)


def plan(
    network: Network,
    tokens: float,
    gpu: Gpu,
    gpus: int,
    *,
    batch_tokens: float = 4e6,
    micro_batch: int = 1,
    shard: Shard = "optimizer",
    utilisation: float | None = None,
) -> Plan:
    """The layout that loses least among those that fit: to recomputing, to pipelines, then to tensor parallelism.

    Raises NoFit.
    """
    fitting = [
        (network.flop_per_token(layout.recompute) * (1 + layout.bubble), layout.tensor * layout.pipeline, layout)
        for layout in layouts(network, gpus, batch_tokens, micro_batch, shard)
        if memory(network, layout).total <= USABLE * gpu.memory_gb
    ]
    if not fitting:
        raise NoFit(_mend(network, gpu, gpus, batch_tokens, micro_batch))
    layout = min(fitting, key=lambda found: found[:2])[2]
    share = gpu.utilisation if utilisation is None else utilisation
    return Plan(
        gpu, gpus, tokens, network, layout, memory(network, layout), share,
        days(network, tokens, gpu, gpus, layout.recompute, share),
    )  # fmt: skip


def _mend(network: Network, gpu: Gpu, gpus: int, batch_tokens: float, micro_batch: int) -> str:
    """Why nothing fits, and what would."""
    problem = f"{network.parameters / 1e9:g} B parameters do not fit on {gpus} × {gpu.name}. Mend:"
    for more in (2**power for power in range(15)):
        if more > gpus and any(
            memory(network, layout).total <= USABLE * gpu.memory_gb
            for layout in layouts(network, more, batch_tokens, micro_batch, "all")
        ):
            return f"{problem} --gpus {more} with --shard all is the smallest power of two that holds them."
    return f"{problem} a GPU with more memory, or shorter sequences."
