"""The trained network as a folder: weights and `config.json` as other programs load them, and an ONNX file beside.

`decoder.onnx` holds the arithmetic alone; its weights are those of `model.safetensors`, in half precision, brought to
full precision when the runtime loads it. https://onnx.ai/onnx/repo-docs/ExternalData.html
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from services.chat.model import weights
from services.chat.model.config import Config
from services.chat.model.decoder import GRAPH, Decoder
from services.chat.model.tokenizer import BEGIN, END, Tokenizer

OPSET = 18
TOLERANCE = 0.03
"""Largest difference of a logit, relative to the largest one, that half precision of the weights may cause."""
HIDDEN = -1e9


class NotTheSame(Exception):
    """The exported network does not compute what the trained one does."""


def export(network: nn.Module, config: Config, tokenizer: Path, folder: Path) -> float:
    """Writes weights, shape, graph and the tokenizer into the folder. Returns the largest difference found.

    tokenizer: the `tokenizer.json`, beside which its own configuration lies. Raises NotTheSame above TOLERANCE, and
    replaces nothing then.
    """
    made = folder / "export.part"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    tensors = {name: value.detach().to(torch.float16).cpu().numpy() for name, value in network.state_dict().items()}
    if config.tied:
        del tensors["lm_head.weight"]
    weights.write(made / weights.NAME, tensors)
    marks = Tokenizer.read(tokenizer)
    said = config.published(bos=marks.mark(BEGIN), eos=marks.mark(END))
    (made / "config.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizer.with_name(name), made / name)
    onnx.save(graph(config, made / weights.NAME), str(made / GRAPH))
    worst = max(_difference(network, Decoder(made), config, length) for length in (1, 7, 40))
    if worst > TOLERANCE:
        shutil.rmtree(made)
        raise NotTheSame(f"logits differ by {worst:.3f} of their size; {TOLERANCE} is allowed")
    for path in made.iterdir():
        path.replace(folder / path.name)
    made.rmdir()
    return worst


def _difference(network: nn.Module, decoder: Decoder, config: Config, length: int) -> float:
    """Between the trained network on a whole text and the exported one, which reads its second half from the cache."""
    tokens = np.random.default_rng(length).integers(0, config.vocabulary, length)
    with torch.no_grad():
        wanted = network(torch.from_numpy(tokens)[None])[0][0, -1].float().numpy()
    past = decoder.begin()
    for part in (tokens[: length // 2], tokens[length // 2 :]):
        if len(part):
            given, past = decoder.read(part.tolist(), past)
    return float(np.abs(given - wanted).max() / np.abs(wanted).max())


def graph(config: Config, path: Path) -> Any:
    """The arithmetic of `Network` for one text, with the weights of the file at `path` beside it."""
    return _Graph(config, path).model()


class _Graph:
    """Collects nodes; every method returns the name of what it computes."""

    def __init__(self, config: Config, path: Path) -> None:
        self._config = config
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._places = weights.places(path)
        self._file = path.name
        self._count = 0

    def model(self) -> Any:
        config = self._config
        old, new = self._length("past", 4), self._length("tokens", 1)
        whole = self._op("Add", old, new)
        cos, sin = self._rotations(old, whole)
        hidden = self._hidden(old, new, whole)
        table = self._weight("model.embed_tokens.weight")
        values = self._op("Gather", table, "tokens", axis=0)
        presents = []
        for number in range(config.layers):
            layer = f"model.layers.{number}"
            past = self._op("Gather", "past", self._integers(number, scalar=True), axis=0)
            told, present = self._attention(
                layer, self._norm(values, f"{layer}.input_layernorm"), past, cos, sin, hidden
            )
            values = self._op("Add", values, told)
            inner = self._norm(values, f"{layer}.post_attention_layernorm")
            gate = self._linear(inner, f"{layer}.mlp.gate_proj")
            gate = self._op("Mul", gate, self._op("Sigmoid", gate))
            inner = self._op("Mul", gate, self._linear(inner, f"{layer}.mlp.up_proj"))
            values = self._op("Add", values, self._linear(inner, f"{layer}.mlp.down_proj"))
            presents.append(self._op("Unsqueeze", present, self._integers(0)))
        last = self._norm(self._op("Gather", values, self._integers(-1, scalar=True), axis=1), "model.norm")
        head = "model.embed_tokens" if config.tied else "lm_head"
        self._op("Identity", self._linear(last, head), to="logits")
        self._op("Concat", *presents, axis=0, to="present")
        cache = [config.layers, 2, 1, config.kv_heads]
        made = helper.make_graph(
            self._nodes,
            "decoder",
            [
                helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "new"]),
                helper.make_tensor_value_info("past", TensorProto.FLOAT, [*cache, "old", config.size]),
            ],
            [
                helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, config.vocabulary]),
                helper.make_tensor_value_info("present", TensorProto.FLOAT, [*cache, "whole", config.size]),
            ],
            self._constants,
        )
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = 9
        return model

    def _attention(self, layer: str, values: str, past: str, cos: str, sin: str, hidden: str) -> tuple[str, str]:
        """Groups of query heads share a head of keys and values: [1, kv heads, group, positions, size]."""
        config = self._config
        group = config.heads // config.kv_heads
        query, key, value = (
            self._heads(self._linear(values, f"{layer}.self_attn.{part}_proj")) for part in ("q", "k", "v")
        )
        query, key = self._turned(query, cos, sin), self._turned(key, cos, sin)
        key = self._op("Concat", self._op("Gather", past, self._integers(0, scalar=True), axis=0), key, axis=2)
        value = self._op("Concat", self._op("Gather", past, self._integers(1, scalar=True), axis=0), value, axis=2)
        queries = self._op("Reshape", query, self._integers(1, config.kv_heads, group, -1, config.size))
        keys = self._op("Unsqueeze", self._op("Transpose", key, perm=[0, 1, 3, 2]), self._integers(2))
        scores = self._op("Mul", self._op("MatMul", queries, keys), self._number(config.size**-0.5))
        shares = self._op("Softmax", self._op("Add", scores, hidden), axis=-1)
        told = self._op("MatMul", shares, self._op("Unsqueeze", value, self._integers(2)))
        told = self._op("Reshape", told, self._integers(1, config.heads, -1, config.size))
        told = self._op("Transpose", told, perm=[0, 2, 1, 3])
        told = self._op("Reshape", told, self._integers(1, -1, config.heads * config.size))
        pair = [self._op("Unsqueeze", part, self._integers(0)) for part in (key, value)]
        return self._linear(told, f"{layer}.self_attn.o_proj"), self._op("Concat", *pair, axis=0)

    def _heads(self, values: str) -> str:
        split = self._op("Reshape", values, self._integers(1, 0, -1, self._config.size), allowzero=0)
        return self._op("Transpose", split, perm=[0, 2, 1, 3])

    def _turned(self, values: str, cos: str, sin: str) -> str:
        half = self._config.size // 2
        first = self._slice(values, 0, half)
        second = self._slice(values, half, self._config.size)
        other = self._op("Concat", self._op("Neg", second), first, axis=-1)
        return self._op("Add", self._op("Mul", values, cos), self._op("Mul", other, sin))

    def _slice(self, values: str, begin: int, end: int) -> str:
        return self._op("Slice", values, self._integers(begin), self._integers(end), self._integers(-1))

    def _rotations(self, old: str, whole: str) -> tuple[str, str]:
        steps = np.arange(0, self._config.size, 2, dtype=np.float32) / self._config.size
        turns = (self._config.theta**-steps).astype(np.float32)
        places = self._op("Cast", self._range(old, whole), to_type=TensorProto.FLOAT)
        angles = self._op("Mul", self._op("Unsqueeze", places, self._integers(1)), self._constant(turns[None]))
        angles = self._op("Concat", angles, angles, axis=-1)
        return self._op("Cos", angles), self._op("Sin", angles)

    def _hidden(self, old: str, new: str, whole: str) -> str:
        """What is added to scores [new, whole]: nothing, and very much less than nothing for what comes later."""
        del new
        zero = self._integers(0, scalar=True)
        rows = self._op("Unsqueeze", self._range(old, whole), self._integers(1))
        columns = self._op("Unsqueeze", self._range(zero, whole), self._integers(0))
        later = self._op("Greater", columns, rows)
        return self._op("Where", later, self._number(HIDDEN), self._number(0.0))

    def _norm(self, values: str, name: str) -> str:
        square = self._op("ReduceMean", self._op("Mul", values, values), self._integers(-1), keepdims=1)
        length = self._op("Sqrt", self._op("Add", square, self._number(self._config.epsilon)))
        return self._op("Mul", self._op("Div", values, length), self._weight(f"{name}.weight"))

    def _linear(self, values: str, name: str) -> str:
        turned = self._op("Transpose", self._weight(f"{name}.weight"), perm=[1, 0])
        return self._op("MatMul", values, turned)

    def _range(self, begin: str, end: str) -> str:
        return self._op("Range", begin, end, self._integers(1, scalar=True))

    def _length(self, values: str, axis: int) -> str:
        shape = self._op("Shape", values)
        return self._op("Gather", shape, self._integers(axis, scalar=True), axis=0)

    def _weight(self, name: str) -> str:
        """A weight of the file, in full precision."""
        whole = f"{name}.whole"
        if any(node.output[0] == whole for node in self._nodes):
            return whole
        kind, shape, begin, size = self._places[name]
        tensor = TensorProto()
        tensor.name, tensor.data_location = name, TensorProto.EXTERNAL
        tensor.data_type = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}[kind]
        tensor.dims.extend(shape)
        for key, told in (("location", self._file), ("offset", str(begin)), ("length", str(size))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, told
        self._constants.append(tensor)
        return self._op("Cast", name, to_type=TensorProto.FLOAT, to=whole)

    def _number(self, number: float) -> str:
        return self._constant(np.array(number, np.float32))

    def _integers(self, *numbers: int, scalar: bool = False) -> str:
        return self._constant(np.array(numbers[0] if scalar else numbers, np.int64))

    def _constant(self, values: NDArray[Any]) -> str:
        name = self._name()
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def _op(self, kind: str, *inputs: str, to: str = "", to_type: int | None = None, **attributes: Any) -> str:
        name = to or self._name()
        if to_type is not None:
            attributes["to"] = to_type
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _name(self) -> str:
        self._count += 1
        return f"v{self._count}"
