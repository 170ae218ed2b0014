"""A convolution in 8 bits and the product that takes its place give the same numbers, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.speech.natural.encoder import session
from services.speech.natural.products import FEW, with_products

onnx = pytest.importorskip("onnx")
TIME = 40


def convolution(outputs: int, width: int, **attributes: Any) -> Any:
    """Sound [1, 16, TIME] → quantised → convolution → [1, outputs, …]."""
    chance = np.random.default_rng(7)
    constants = {
        "weights": chance.integers(0, 256, (outputs, 16 // attributes.get("group", 1), width), dtype=np.uint8),
        "around": np.array(119, dtype=np.uint8),
    }
    nodes = [
        onnx.helper.make_node("DynamicQuantizeLinear", ["sound"], ["levels", "step", "zero"]),
        onnx.helper.make_node("ConvInteger", ["levels", "weights", "zero", "around"], ["out"], "conv", **attributes),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "one",
        [onnx.helper.make_tensor_value_info("sound", onnx.TensorProto.FLOAT, [1, 16, None])],
        [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.INT32, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)


def kinds(model: Any) -> list[str]:
    return [node.op_type for node in model.graph.node]


def out_of(model: Any, sound: Any, folder: Path) -> Any:
    file = folder / "one.onnx"
    file.write_bytes(model.SerializeToString())
    return session(file).run(None, {"sound": sound})[0]


SHAPES: tuple[tuple[int, dict[str, Any]], ...] = (
    (1, {}),
    (3, {"pads": [1, 1]}),
    (5, {"pads": [2, 2]}),
    (3, {"pads": [5, 5], "dilations": [5]}),
    (4, {"pads": [0, 3]}),
    (3, {}),
)


@pytest.mark.parametrize(("width", "attributes"), SHAPES)
def test_the_product_equals_the_convolution(width: int, attributes: dict[str, Any], tmp_path: Path) -> None:
    sound = np.random.default_rng(3).normal(size=(1, 16, TIME)).astype(np.float32)
    before = out_of(convolution(24, width, **attributes), sound, tmp_path)
    model = with_products(convolution(24, width, **attributes))
    assert "ConvInteger" not in kinds(model)
    assert np.array_equal(out_of(model, sound, tmp_path), before)


UNFIT: tuple[tuple[int, dict[str, Any]], ...] = (
    (FEW - 1, {}),
    (24, {"strides": [2]}),
    (16, {"group": 2}),
    (24, {"auto_pad": "SAME_UPPER"}),
)


@pytest.mark.parametrize(("outputs", "attributes"), UNFIT)
def test_what_is_no_plain_convolution_stays_what_it_is(outputs: int, attributes: dict[str, Any]) -> None:
    assert kinds(with_products(convolution(outputs, 3, **attributes)))[-1] == "ConvInteger"
