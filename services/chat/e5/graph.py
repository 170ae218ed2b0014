"""The sentence embedding as an ONNX graph: the package's own four bits, and its own way to multiply by them.

MatMulNBits takes the blocks as they are and, at accuracy level 4, rounds what comes in to 8 bits block by block, as the
package's engine does; on processors of the last years it needs less than half the time.
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.chat.e5.weights import BLOCK, Weights, nibbles

MICROSOFT = "com.microsoft"
EIGHT_BITS = 4
"""The accuracy level at which whole numbers are multiplied."""
INPUT, OUTPUT = "pieces", "meaning"


def built(weights: Weights) -> bytes:
    """The model: `pieces` [1, n, 384], what each piece and its place say, → `meaning` [1, 384], of unit length."""
    return _Builder(weights).model()


class _Builder:
    """Grows one graph."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def model(self) -> bytes:
        from onnx import TensorProto, helper

        shape = self._weights.shape
        self._node("LayerNormalization", [INPUT, *self._scale_and_shift("emb.ln")], "layer 0", epsilon=shape.epsilon)
        for number in range(shape.layers):
            self._layer(f"l{number}.", f"layer {number}", f"layer {number + 1}")
        along = self._constant("along", np.array([1]))
        self._node("ReduceMean", [f"layer {shape.layers}", along], "mean", keepdims=0)
        self._node("LpNormalization", ["mean"], OUTPUT, axis=-1, p=2)
        graph = helper.make_graph(
            self._nodes,
            "meaning",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, None, shape.width])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, shape.width])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
        model: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
        return model

    def _layer(self, of: str, given: str, out: str) -> None:
        shape = self._weights.shape
        queries, keys, values = (self._product(f"{of}{name}", given, shape.width) for name in "qkv")
        looked = f"{of}looked"
        self._node("MultiHeadAttention", [queries, keys, values], looked, MICROSOFT, num_heads=shape.heads)
        seen = self._product(f"{of}ao", looked, shape.width)
        self._added(given, seen, f"{of}aln", f"{of}middle")
        wide = self._product(f"{of}fi", f"{of}middle", shape.inner)
        self._node("Gelu", [wide], f"{of}bent", MICROSOFT)
        self._added(f"{of}middle", self._product(f"{of}fo", f"{of}bent", shape.width), f"{of}oln", out)

    def _added(self, given: str, more: str, name: str, out: str) -> None:
        inputs = [given, more, *self._scale_and_shift(name)]
        self._node("SkipLayerNormalization", inputs, out, MICROSOFT, epsilon=self._weights.shape.epsilon)

    def _product(self, name: str, given: str, rows: int) -> str:
        packed = self._weights.packed(f"{name}.w", rows)
        weights = nibbles(packed)
        pairs = weights[..., 0::2] | weights[..., 1::2] << 4  # neighbours share a byte here
        constants = [
            self._constant(f"{name}.w", pairs),
            self._constant(f"{name}.scales", packed["scale"].astype(np.float32).reshape(-1)),
            "",  # zero points: MIDDLE is what is meant without
            "",
            self._constant(f"{name}.b", self._weights.floats(f"{name}.b")),
        ]
        sizes = {"K": packed.shape[1] * BLOCK, "N": rows, "bits": 4, "block_size": BLOCK}
        return self._node("MatMulNBits", [given, *constants], name, MICROSOFT, accuracy_level=EIGHT_BITS, **sizes)

    def _scale_and_shift(self, name: str) -> list[str]:
        return [self._constant(f"{name}.{part}", self._weights.floats(f"{name}.{part}")) for part in "wb"]

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, [output], output, domain=domain, **attributes))
        return output
