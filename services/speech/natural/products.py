"""Convolutions in 8 bits as products of matrices: the same whole numbers, in a part of the time.

ONNX Runtime packs the constant side of MatMulInteger once, and with signed weights uses the processor's instructions
for products in 8 bits, where it has them; its ConvInteger does neither. A convolution of width k over [channels, time]
is the product of [time, k · channels], k shifted copies side by side, with the weights. Sums of whole numbers do not
depend on their order, so what comes out is equal to the last bit.
https://onnx.ai/onnx/operators/onnx__ConvInteger.html, https://onnx.ai/onnx/operators/onnx__MatMulInteger.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW = 8
"""A convolution with fewer outputs stays what it is: turning its input round would cost more than it saves."""
TO_SIGNED = 128
"""What is taken off unsigned weights, and off their zero point."""
END = int(np.iinfo(np.int64).max)


def with_products(model: Any) -> Any:
    """An ONNX model with products in place of its 8-bit convolutions along one axis, as far as they go step by step.

    `model` itself is changed.
    """
    from onnx import numpy_helper

    graph = model.graph
    constants = {constant.name: constant for constant in graph.initializer}
    nodes: list[Any] = []
    made: dict[str, NDArray[Any]] = {}
    for node in graph.node:
        fixed = [numpy_helper.to_array(constants[name]) for name in node.input[1::2] if name in constants]
        if node.op_type == "ConvInteger" and _fits(node, fixed):
            nodes.extend(_product(node, fixed[0], fixed[1], made))
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [constant for name, constant in constants.items() if name in used]
    kept += [numpy_helper.from_array(array, name) for name, array in made.items()]
    for field, values in ((graph.node, nodes), (graph.initializer, kept)):
        del field[:]
        field.extend(values)
    return model


def _numbers(node: Any, name: str, otherwise: list[int]) -> list[int]:
    return next((list(each.ints) or [each.i] for each in node.attribute if each.name == name), otherwise)


def _fits(node: Any, fixed: list[NDArray[Any]]) -> bool:
    if len(fixed) != 2 or fixed[0].dtype != np.uint8 or fixed[0].ndim != 3 or fixed[1].size != 1:
        return False
    plain = _numbers(node, "strides", [1]) == _numbers(node, "group", [1]) == [1]
    padded_as_told = all(each.s in (b"", b"NOTSET") for each in node.attribute if each.name == "auto_pad")
    return plain and padded_as_told and len(fixed[0]) >= FEW


def _product(node: Any, weights: NDArray[Any], zero: NDArray[Any], made: dict[str, NDArray[Any]]) -> Iterator[Any]:
    """The nodes in place of a convolution. `weights`: [outputs, inputs, width]. Their constants are put into `made`."""
    from onnx import helper

    def constant(name: str, array: NDArray[Any]) -> str:
        made[f"{node.name}/{name}"] = array
        return f"{node.name}/{name}"

    def step(kind: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        return helper.make_node(kind, inputs, [output], output, **attributes)

    silence = node.input[2]
    outputs, inputs, width = weights.shape
    signed = (weights.astype(np.int16) - TO_SIGNED).astype(np.int8)
    matrix = constant("matrix", signed.transpose(2, 1, 0).reshape(width * inputs, outputs))
    around = constant("around", np.array(int(zero.item()) - TO_SIGNED, dtype=np.int8))
    rows = f"{node.name}/rows"
    yield step("Transpose", [node.input[0]], rows, perm=[0, 2, 1])
    before, after = _numbers(node, "pads", [0, 0])
    if before or after:
        edges = constant("edges", np.array([0, before, 0, 0, after, 0], dtype=np.int64))
        yield step("Pad", [rows, edges, silence], f"{node.name}/padded")
        rows = f"{node.name}/padded"
    if width > 1:
        (apart,) = _numbers(node, "dilations", [1])
        axis = constant("axis", np.array([1], dtype=np.int64))
        copies = [f"{node.name}/copy {number}" for number in range(width)]
        for number, copy in enumerate(copies):
            begin = constant(f"begin {number}", np.array([number * apart], dtype=np.int64))
            end = constant(f"end {number}", np.array([(number + 1 - width) * apart or END], dtype=np.int64))
            yield step("Slice", [rows, begin, end, axis], copy)
        rows = f"{node.name}/copies"
        yield step("Concat", copies, rows, axis=2)
    yield step("MatMulInteger", [rows, matrix, silence, around], f"{node.name}/product")
    yield step("Transpose", [f"{node.name}/product"], node.output[0], perm=[0, 2, 1])
