"""The models that a loader is tried on: each is hard in a way of its own, and small."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import numpy as np
from onnx import ModelProto, TensorProto, helper

from . import models
from .models import make, noise, port, save, save_external, tensor
from .transformer import transformer


def _wide() -> ModelProto:
    return models.mlp(width=128, layers=2)


def _conv() -> ModelProto:
    return models.conv_net(channels=24)


def _half() -> ModelProto:
    """x -> y with a float16 weight that is made wide again before it is used."""
    nodes = [
        helper.make_node("Cast", ["w"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "wide"], ["y"], name="matmul"),
    ]
    weight = tensor("w", noise(7, 64, 64).astype(np.float16))
    return make(nodes, [port("x", ["batch", 64])], [port("y", ["batch", 64])], [weight])


def _quantized() -> ModelProto:
    """x -> y: what a quantizer of an earlier day has left, with QuantizeLinear and DequantizeLinear."""
    values = np.clip(np.round(noise(8, 64, 64) * 300), -127, 127).astype(np.int8)
    weights = [
        tensor("w", values),
        tensor("w_scale", np.array(1 / 300, np.float32)),
        tensor("w_zero", np.array(0, np.int8)),
        tensor("x_scale", np.array(0.05, np.float32)),
        tensor("x_zero", np.array(128, np.uint8)),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "x_scale", "x_zero"], ["xq"], name="quantize"),
        helper.make_node("DequantizeLinear", ["xq", "x_scale", "x_zero"], ["xd"], name="dequantize"),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["wd"], name="weight"),
        helper.make_node("MatMul", ["xd", "wd"], ["y"], name="matmul"),
    ]
    return make(nodes, [port("x", ["batch", 64])], [port("y", ["batch", 64])], weights)


def _plain() -> ModelProto:
    """a, b -> y without any weight: nothing to do for most loaders."""
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Relu", ["sum"], ["y"])]
    return make(nodes, [port("a", ["n", 8]), port("b", ["n", 8])], [port("y", ["n", 8])])


CASES: Mapping[str, Callable[[], ModelProto]] = {
    "dense": _wide,
    "convolution": _conv,
    "transformer": transformer,
    "branches": models.if_model,
    "external": models.decoder,
    "tied": models.tied_model,
    "constants": models.constant_weights,
    "float16": _half,
    "quantized": _quantized,
    "weightless": _plain,
}
"""Name -> builder. dense, transformer and tied have free dimensions; branches nests If in If, with weights inside;
external has its weights in a file beside it; tied uses one weight twice, once transposed; constants has them in
Constant nodes; quantized is quantized already."""


def place(name: str, given: ModelProto | str | os.PathLike[str] | None, folder: str) -> str:
    """Path of the case `name`, written into `folder`; or of the author's own model, which stays where it is."""
    if isinstance(given, str | os.PathLike):
        return os.path.abspath(given)
    path = os.path.join(folder, f"{name}.onnx")
    proto = CASES[name]() if given is None else given
    return save_external(proto, path) if name == "external" else save(proto, path)
