"""The GPUs that a training can be planned for, and how much of their arithmetic a training really gets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gpu:
    """One kind of GPU."""

    name: str
    peak_tflops: float
    """Dense, fp16 or bf16 with sums in fp32; NVIDIA's data sheets, without their figures for sparse matrices."""
    memory_gb: float
    """10⁹ bytes."""
    utilisation: float
    """Share of the peak that large trainings reach, recomputed work included, over a whole run of many GPUs."""
    because: str
    """Where the utilisation comes from."""


_V100 = "1909.08053: 39 of 125 TFLOP/s on one GPU, 77 % of it in groups of eight"
_A100 = "2104.04473: 45 to 52 %; torchtitan: 52 to 58 %"
_H100 = "Megatron Core: 41 to 48 %; torchtitan: 36 to 43 %, its tokens per second counted with attention"
GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu("V100-32", 125, 32, 0.24, _V100),
        Gpu("A100-40", 312, 40, 0.50, _A100),
        Gpu("A100-80", 312, 80, 0.50, _A100),
        Gpu("H100", 989, 80, 0.42, _H100),
        Gpu("H200", 989, 141, 0.42, "the arithmetic of an H100: " + _H100),
        Gpu("RTX3090", 71, 24, 0.40, "no large run known; as the H100"),
    )
}
PER_NODE = 8
"""GPUs that NVLink joins. Tensor parallelism stays inside: it needs two all-reduces a layer (1909.08053)."""
