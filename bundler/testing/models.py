"""Small models to try loaders on, made from a seed: the same bytes on every run and machine.

Each builder returns an `onnx.ModelProto`. Weights are noise: these models test plumbing, not quality.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
OPSET, IR = 17, 8


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(seed: int, *shape: int) -> np.ndarray[Any, Any]:
    """float32, standard normal, scaled so that deep stacks stay finite."""
    return (rng(seed).standard_normal(shape) * 0.1).astype(np.float32)


def tensor(name: str, array: np.ndarray[Any, Any]) -> TensorProto:
    return numpy_helper.from_array(array, name)


def port(name: str, shape: Sequence[int | str | None] | None, dtype: int = FLOAT) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def make(
    nodes: Iterable[NodeProto],
    inputs: Iterable[ValueInfoProto],
    outputs: Iterable[ValueInfoProto],
    initializers: Iterable[TensorProto] = (),
    *,
    opset: int = OPSET,
    ir: int = IR,
    domains: Sequence[tuple[str, int]] = (),
    functions: Iterable[onnx.FunctionProto] = (),
    name: str = "main",
) -> ModelProto:
    """A ModelProto, unchecked: also what the bad models are made with."""
    graph = helper.make_graph(list(nodes), name, list(inputs), list(outputs), list(initializers))
    imports = [helper.make_opsetid(domain, version) for domain, version in (("", opset), *domains)]
    return helper.make_model(
        graph, opset_imports=imports, ir_version=ir, functions=list(functions), producer_name="fixtures"
    )


def mlp(seed: int = 0, width: int = 64, layers: int = 2, *, opset: int = OPSET, ir: int = IR) -> ModelProto:
    """x [batch, width] -> y [batch, width]: layers of MatMul, Add, Relu."""
    nodes, weights, value = [], [], "x"
    for layer in range(layers):
        names = [f"{kind}{layer}" for kind in ("w", "b", "mm", "add", "relu")]
        weight, bias, product, total, result = names
        weights += [
            tensor(weight, noise(seed + 2 * layer, width, width)),
            tensor(bias, noise(seed + 2 * layer + 1, width)),
        ]
        nodes += [
            helper.make_node("MatMul", [value, weight], [product], name=f"matmul{layer}"),
            helper.make_node("Add", [product, bias], [total], name=f"bias{layer}"),
            helper.make_node("Relu", [total], [result], name=f"relu{layer}"),
        ]
        value = result
    nodes.append(helper.make_node("Identity", [value], ["y"], name="out"))
    return make(nodes, [port("x", ["batch", width])], [port("y", ["batch", width])], weights, opset=opset, ir=ir)


def conv_net(seed: int = 0, channels: int = 16) -> ModelProto:
    """image [n, 3, 32, 32] -> scores [n, 10]: two convolutions, pooling, a Gemm."""
    weights = [
        tensor("c1", noise(seed, channels, 3, 3, 3)),
        tensor("c2", noise(seed + 1, channels, channels, 3, 3)),
        tensor("fc", noise(seed + 2, channels, 10)),
        tensor("fb", noise(seed + 3, 10)),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "c1"], ["a"], name="conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], name="relu1"),
        helper.make_node("Conv", ["b", "c2"], ["c"], name="conv2", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["d"], name="relu2"),
        helper.make_node("GlobalAveragePool", ["d"], ["e"], name="pool"),
        helper.make_node("Flatten", ["e"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "fc", "fb"], ["scores"], name="head"),
    ]
    return make(nodes, [port("image", ["n", 3, 32, 32])], [port("scores", ["n", 10])], weights)


def constant_weights(seed: int = 0, width: int = 32) -> ModelProto:
    """As exporters of other frameworks write it: every weight in a Constant node."""
    nodes = [
        helper.make_node("Constant", [], ["w"], name="weight", value=tensor("", noise(seed, width, width))),
        helper.make_node("Constant", [], ["b"], value_floats=[float(v) for v in noise(seed + 1, width * 16)]),
        helper.make_node("Constant", [], ["shape"], value_ints=[16, width]),
        helper.make_node("Reshape", ["b", "shape"], ["b2"]),
        helper.make_node("MatMul", ["x", "w"], ["m"], name="matmul"),
        helper.make_node("Add", ["m", "b2"], ["y"], name="add"),
    ]
    return make(nodes, [port("x", [16, width])], [port("y", [16, width])])


def if_model(seed: int = 0, width: int = 32) -> ModelProto:
    """flag, x -> y. Two branches hold a weight of the same name, and one hands a constant out."""
    big = noise(seed, width, width)
    deep_then = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["m"])], "deep_then", [], [port("m", None)], [tensor("w", big + 1)]
    )
    deep_else = helper.make_graph(
        [helper.make_node("Constant", [], ["k"], value=tensor("", big * 2))], "deep_else", [], [port("k", None)]
    )
    then = helper.make_graph(
        [helper.make_node("If", ["flag"], ["r"], then_branch=deep_then, else_branch=deep_else)],
        "then",
        [],
        [port("r", None)],
    )
    other = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["m2"])], "else", [], [port("m2", None)], [tensor("w", big)]
    )
    nodes = [
        helper.make_node("If", ["flag"], ["picked"], name="choose", then_branch=then, else_branch=other),
        helper.make_node("Identity", ["picked"], ["y"], name="out"),
    ]
    return make(nodes, [port("flag", [], TensorProto.BOOL), port("x", [width, width])], [port("y", [width, width])])


def tied_model(seed: int = 0, words: int = 100, width: int = 32) -> ModelProto:
    """ids -> logits: one table, used to embed and, transposed, to predict."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"], name="embed"),
        helper.make_node("Transpose", ["table"], ["t"], perm=[1, 0], name="untie"),
        helper.make_node("MatMul", ["e", "t"], ["logits"], name="predict"),
    ]
    inputs = [port("ids", ["length"], TensorProto.INT64)]
    return make(nodes, inputs, [port("logits", ["length", words])], [tensor("table", noise(seed, words, width))])


def decoder(seed: int = 0, layers: int = 4, width: int = 64, words: int = 500) -> ModelProto:
    """ids -> logits: embedding, MLP layers with residuals, a head of its own. For chunk plans and updates."""
    weights = [tensor("embed", noise(seed, words, width)), tensor("head", noise(seed + 1, width, words))]
    nodes, value = [helper.make_node("Gather", ["embed", "ids"], ["h0"])], "h0"
    for layer in range(layers):
        up, down = f"layer{layer}.up", f"layer{layer}.down"
        weights += [
            tensor(up, noise(seed + 10 + layer, width, 4 * width)),
            tensor(down, noise(seed + 90 + layer, 4 * width, width)),
        ]
        names = [f"{kind}{layer}" for kind in ("u", "r", "d")]
        nodes += [
            helper.make_node("MatMul", [value, up], [names[0]], name=f"up{layer}"),
            helper.make_node("Relu", [names[0]], [names[1]]),
            helper.make_node("MatMul", [names[1], down], [names[2]], name=f"down{layer}"),
            helper.make_node("Add", [value, names[2]], [f"h{layer + 1}"]),
        ]
        value = f"h{layer + 1}"
    nodes.append(helper.make_node("MatMul", [value, "head"], ["logits"], name="head"))
    inputs = [port("ids", ["length"], TensorProto.INT64)]
    return make(nodes, inputs, [port("logits", ["length", words])], weights)


def save(model: ModelProto, path: str | Path) -> str:
    """The model in one file."""
    Path(path).write_bytes(model.SerializeToString())
    return str(path)


def refer(weight: TensorProto, location: str, offset: int | None = None, length: int | None = None) -> TensorProto:
    """Makes a TensorProto an external one, in place; its data is not written anywhere."""
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            weight.external_data.add(key=key, value=str(value))
    return weight


def save_external(model: ModelProto, path: str | Path, data: str = "weights.bin", least: int = 1024) -> str:
    """The model with its initializers of at least `least` bytes in one file `data` beside it. `model` is unchanged."""
    copy = ModelProto()
    copy.CopyFrom(model)
    target = Path(path).parent / data
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb") as file:
        for weight in copy.graph.initializer:
            raw = weight.raw_data
            if len(raw) >= least:
                refer(weight, data, file.tell(), len(raw))
                file.write(raw)
    return save(copy, path)
