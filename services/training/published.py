"""What others have published of their trainings, beside what the calculator says with its own assumptions.

Only what is published goes in: the network's shape, the tokens, the GPUs. The utilisation is never taken from the run
itself but from the table of GPUs, or there would be nothing to compare. That table was drawn from the speeds among
these runs (V100 from the first, H100 from Megatron Core's and torchtitan's), so those show how far one figure for each
GPU carries; the days and GPU hours were not used for it and are the test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.training.gpus import GPUS
from services.training.plan import DAY_S, Network, Recompute, days

Unit = Literal["days", "GPU hours", "tokens/s per GPU", "PFLOP/s"]
TOLERANCE = 0.25


@dataclass(frozen=True, slots=True)
class Run:
    """A published run, or a measured throughput."""

    name: str
    source: str
    gpu: str
    gpus: int
    network: Network
    tokens: float
    published: float
    unit: Unit
    recompute: Recompute = "none"
    misfit: str = ""
    """Why the calculator is further off than its tolerance."""

    @property
    def computed(self) -> float:
        """The published quantity, as the calculator has it."""
        gpu = GPUS[self.gpu]
        took = days(self.network, self.tokens, gpu, self.gpus, self.recompute)
        match self.unit:
            case "days":
                return took
            case "GPU hours":
                return took * 24 * self.gpus
            case "tokens/s per GPU":
                return self.tokens / (took * DAY_S * self.gpus)
            case "PFLOP/s":
                return self.network.flop_per_token(self.recompute) * self.tokens / (took * DAY_S) / 1e15

    @property
    def off(self) -> float:
        """How much longer the calculator says it takes, as a share: negative is shorter."""
        slower = self.computed / self.published
        return (slower if self.unit in ("days", "GPU hours") else 1 / slower) - 1


def _mfu(gpu: str, network: Network, mfu: float) -> float:
    """Tokens per second and GPU of a run that published its MFU."""
    return mfu * GPUS[gpu].peak_tflops * 1e12 / network.flop_per_token()


_8B = Network(8.03e9, 32, 4096, 32, 8192, 128_256)
_70B = Network(70.6e9, 80, 8192, 64, 8192, 128_256)
_405B = Network(405.9e9, 126, 16_384, 128, 8192, 128_256)
_GPT3 = Network(175e9, 96, 12_288, 96, 2048, 51_200)
_2B = Network(2.1e9, 24, 2560, 20, 4096, 131_072)
_462B = Network(462e9, 112, 18_432, 96, 4096, 131_072)
_MEGATRON = "arXiv 1909.08053, abstract"
_SCALING = "arXiv 2104.04473, §5.1 and table 1"
_LLAMA2 = "arXiv 2307.09288, table 2"
_LLAMA3 = "Llama 3.1 model card"
_CORE = "Megatron Core README"
_TITAN = "torchtitan docs, performance"

RUNS = (
    Run(
        "GPT 8.3 B, sustained", _MEGATRON, "V100-32", 512, Network(8.3e9, 72, 3072, 24, 1024, 51_200),
        1e9, 15.1, "PFLOP/s", "all",
    ),
    Run("GPT-3 175 B", _SCALING, "A100-80", 1024, _GPT3, 300e9, 34, "days", "all"),
    Run(
        "GPT 1 T", _SCALING, "A100-80", 3072, Network(1008e9, 128, 25_600, 160, 2048, 51_200),
        450e9, 84, "days", "all",
    ),
    Run(
        "BLOOM 176 B", "arXiv 2211.05100, §3.4", "A100-80", 384, Network(176.2e9, 70, 14_336, 112, 2048, 250_680),
        366e9, 1_082_990, "GPU hours", "all",
    ),
    Run(
        "Llama 2 7 B", _LLAMA2, "A100-80", 1024, Network(6.74e9, 32, 4096, 32, 4096),
        2e12, 184_320, "GPU hours",
    ),
    Run(
        "Llama 2 13 B", _LLAMA2, "A100-80", 1024, Network(13.0e9, 40, 5120, 40, 4096),
        2e12, 368_640, "GPU hours",
    ),
    Run(
        "Llama 2 34 B", _LLAMA2, "A100-80", 1024, Network(33.7e9, 48, 8192, 64, 4096),
        2e12, 1_038_336, "GPU hours",
    ),
    Run(
        "Llama 2 70 B", _LLAMA2, "A100-80", 2048, Network(69.0e9, 80, 8192, 64, 4096),
        2e12, 1_720_320, "GPU hours",
    ),
    Run("torchtitan 8 B", _TITAN, "A100-80", 64, _8B, 1e9, _mfu("A100-80", _8B, 0.575), "tokens/s per GPU"),
    Run("torchtitan 70 B", _TITAN, "A100-80", 64, _70B, 1e9, _mfu("A100-80", _70B, 0.517), "tokens/s per GPU"),
    Run("torchtitan 8 B", _TITAN, "H100", 128, _8B, 1e9, 5_762, "tokens/s per GPU"),
    Run("torchtitan 8 B, compiled", _TITAN, "H100", 128, _8B, 1e9, 6_667, "tokens/s per GPU"),
    Run("torchtitan 70 B", _TITAN, "H100", 256, _70B, 1e9, 876, "tokens/s per GPU"),
    Run("Megatron 2 B", _CORE, "H100", 96, _2B, 1e9, _mfu("H100", _2B, 0.41), "tokens/s per GPU"),
    Run("Megatron 175 B", _CORE, "H100", 96, _GPT3, 1e9, _mfu("H100", _GPT3, 0.47), "tokens/s per GPU"),
    Run("Megatron 175 B", _CORE, "H100", 4608, _GPT3, 1e9, _mfu("H100", _GPT3, 0.42), "tokens/s per GPU"),
    Run("Megatron 462 B", _CORE, "H100", 6144, _462B, 1e9, _mfu("H100", _462B, 0.475), "tokens/s per GPU"),
    Run("Llama 3.1 405 B", _LLAMA3, "H100", 16_384, _405B, 15.6e12, 30.84e6, "GPU hours"),
    Run(
        "Llama 3.1 70 B", _LLAMA3, "H100", 8192, _70B, 15e12, 7.0e6, "GPU hours",
        misfit="the card says '15T+' tokens, and not whether its hours hold restarts and long-context stages",
    ),
    Run(
        "Llama 3.1 8 B", _LLAMA3, "H100", 8192, _8B, 15e12, 1.46e6, "GPU hours",
        misfit="17 % of the peak by its own figures, less than half of what the same network gets elsewhere: "
        "the card does not say what else its hours hold",
    ),
    Run(
        "MiniMind 26 M, an epoch", "jingyaogong/minimind README", "RTX3090", 2, Network(26e6, 8, 512, 16, 512, 6_400),
        10e9, 2 / 24, "days",
        misfit="10 billion tokens in two hours are more than both GPUs' peak: an epoch reads a part of the corpus",
    ),
)  # fmt: skip
"""Where no tokens were published there is only a speed: any number of tokens serves to compare it."""
FURTHER = {
    "nanochat d24 on 8 H100 in 3.04 h (4.33e19 FLOP)": "it counts its own FLOP and its tokens were not published "
    "with it; those FLOP at 42 % of the peak take 3.62 h, 19 % more",
    "nanochat d24, fp8, in 1.65 h": "fp8 has other peaks and the calculator plans for 16 bits",
    "torchtitan 8 B, float8, 8,532 tokens/s": "the same",
}
"""Published, but without what the calculator needs."""
