"""Models of real sizes, made from a seed: `python -m benchmarks.made_models big|base|encoder|small <path> [seed]`.

A process of its own, so that the benchmark that measures memory holds none of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Array = NDArray[Any]
OPSET, IR = 17, 8
BIG_LAYERS, BIG_WIDTH = 40, 4096
"""40 matrices of 64 MiB: 2.5 GiB."""
TOKENS = 128


class Size(NamedTuple):
    vocabulary: int
    hidden: int
    layers: int
    heads: int


MINILM = Size(30522, 384, 6, 12)
BERT_BASE = Size(30522, 768, 12, 12)


def big(path: Path, seed: int) -> None:
    """A chain of MatMul and Relu; the weights lie in one file beside the graph."""
    random = np.random.default_rng(seed)
    data = path.with_suffix(".bin")
    tensors, nodes = [], []
    with open(data, "wb") as file:
        for layer in range(BIG_LAYERS):
            tensors.append(_external(f"w{layer}", (BIG_WIDTH, BIG_WIDTH), data.name, file.tell()))
            file.write(random.random((BIG_WIDTH, BIG_WIDTH), np.float32).tobytes())
            nodes.append(helper.make_node("MatMul", [f"x{layer}", f"w{layer}"], [f"m{layer}"]))
            nodes.append(helper.make_node("Relu", [f"m{layer}"], [f"x{layer + 1}"]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", BIG_WIDTH]) for name in ("x0", f"x{BIG_LAYERS}")
    ]
    path.write_bytes(_model(nodes, ends[:1], ends[1:], tensors).SerializeToString())


def _external(name: str, shape: tuple[int, ...], location: str, offset: int) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
    length = 4 * int(np.prod(shape))
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def encoder(path: Path, seed: int) -> None:
    """6 layers of 384, 90 MB."""
    _bert(path, seed, MINILM)


def base(path: Path, seed: int) -> None:
    """12 layers of 768, 435 MB."""
    _bert(path, seed, BERT_BASE)


def _bert(path: Path, seed: int, size: Size) -> None:
    """A BERT as PyTorch exports one: decomposed norms, shapes computed in the graph."""
    graph = _Graph(seed, size)
    ids, mask = "input_ids", "attention_mask"
    hidden = graph.node("Gather", graph.weight("vocabulary", size.vocabulary, size.hidden), ids)
    hidden = graph.node("Add", hidden, graph.weight("positions", 1, TOKENS, size.hidden))
    hidden = graph.norm("embeddings", hidden)
    bias = graph.mask(mask)
    for layer in range(size.layers):
        hidden = graph.layer(f"layer.{layer}", hidden, bias)
    graph.nodes.append(helper.make_node("Identity", [hidden], ["last_hidden_state"]))
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", TOKENS]) for name in (ids, mask)]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", TOKENS, size.hidden])
    path.write_bytes(_model(graph.nodes, inputs, [output], graph.tensors).SerializeToString())


def small(path: Path, seed: int) -> None:
    """Two layers of 64."""
    graph = _Graph(seed)
    hidden = graph.node("MatMul", "x", graph.weight("up", 64, 64))
    graph.nodes.append(helper.make_node("MatMul", [hidden, graph.weight("down", 64, 64)], ["y"]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 64]) for name in ("x", "y")]
    path.write_bytes(_model(graph.nodes, ends[:1], ends[1:], graph.tensors).SerializeToString())


class _Graph:
    """Nodes and weights as they are added; methods return the name of a value."""

    def __init__(self, seed: int, size: Size = MINILM) -> None:
        self.size = size
        self._random = np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []

    def weight(self, name: str, *shape: int) -> str:
        array = self._random.standard_normal(shape, np.float32) * np.float32(0.05)
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def constant(self, array: Array) -> str:
        return self.node("Constant", value=numpy_helper.from_array(array))

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        output = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def scalar(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def linear(self, name: str, value: str, inputs: int, outputs: int) -> str:
        product = self.node("MatMul", value, self.weight(f"{name}.weight", inputs, outputs))
        return self.node("Add", product, self.weight(f"{name}.bias", outputs))

    def norm(self, name: str, value: str) -> str:
        centred = self.node("Sub", value, self.node("ReduceMean", value, axes=[-1]))
        variance = self.node("ReduceMean", self.node("Pow", centred, self.scalar(2)), axes=[-1])
        spread = self.node("Sqrt", self.node("Add", variance, self.scalar(1e-12)))
        scaled = self.node("Mul", self.node("Div", centred, spread), self.weight(f"{name}.gamma", self.size.hidden))
        return self.node("Add", scaled, self.weight(f"{name}.beta", self.size.hidden))

    def mask(self, mask: str) -> str:
        wide = self.node("Unsqueeze", mask, self.constant(np.array([1, 2])))
        inverse = self.node("Sub", self.scalar(1), self.node("Cast", wide, to=TensorProto.FLOAT))
        return self.node("Mul", inverse, self.scalar(-1e4))

    def heads(self, value: str) -> str:
        batch = self.node("Gather", self.node("Shape", value), self.constant(np.array([0])))
        shape = self.node(
            "Concat",
            batch,
            self.constant(np.array([TOKENS, self.size.heads, self.size.hidden // self.size.heads])),
            axis=0,
        )
        return self.node("Transpose", self.node("Reshape", value, shape), perm=[0, 2, 1, 3])

    def layer(self, name: str, value: str, bias: str) -> str:
        query, key, what = (
            self.heads(self.linear(f"{name}.{part}", value, self.size.hidden, self.size.hidden))
            for part in ("query", "key", "value")
        )
        scores = self.node("MatMul", query, self.node("Transpose", key, perm=[0, 1, 3, 2]))
        scores = self.node(
            "Add", self.node("Div", scores, self.scalar((self.size.hidden / self.size.heads) ** 0.5)), bias
        )
        mixed = self.node("Transpose", self.node("MatMul", self.node("Softmax", scores), what), perm=[0, 2, 1, 3])
        mixed = self.node("Reshape", mixed, self.constant(np.array([0, 0, self.size.hidden])))
        value = self.norm(
            f"{name}.norm1",
            self.node("Add", value, self.linear(f"{name}.out", mixed, self.size.hidden, self.size.hidden)),
        )
        up = self.linear(f"{name}.up", value, self.size.hidden, 4 * self.size.hidden)
        wave = self.node("Add", self.node("Erf", self.node("Div", up, self.scalar(2**0.5))), self.scalar(1))
        gelu = self.node("Mul", self.node("Mul", up, wave), self.scalar(0.5))
        return self.norm(
            f"{name}.norm2",
            self.node("Add", value, self.linear(f"{name}.down", gelu, 4 * self.size.hidden, self.size.hidden)),
        )


def _model(nodes: list[NodeProto], inputs: list[Any], outputs: list[Any], tensors: list[TensorProto]) -> ModelProto:
    graph = helper.make_graph(nodes, "main", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def _arguments(words: list[str]) -> Iterator[tuple[Callable[[Path, int], None], Path, int]]:
    kind, path, *seed = words
    yield {"big": big, "base": base, "encoder": encoder, "small": small}[kind], Path(path), int(seed[0]) if seed else 0


if __name__ == "__main__":
    for make, path, seed in _arguments(sys.argv[1:]):
        make(path, seed)
        if make is not big:
            onnx.checker.check_model(str(path), full_check=True)
