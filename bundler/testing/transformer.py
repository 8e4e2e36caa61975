"""One layer of a transformer with all that makes those hard: look-ups, attention, norms, free batch and length."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper

from .models import make, noise, port, tensor


def transformer(seed: int = 0, words: int = 96, width: int = 32, heads: int = 4) -> ModelProto:
    """ids [batch, length] -> state [batch, length, width]."""
    return _Writer(seed, width, heads).model(words)


class _Writer:
    def __init__(self, seed: int, width: int, heads: int) -> None:
        self._seed, self._width, self._heads = seed, width, heads
        self._nodes: list[NodeProto] = []
        self._weights: list[TensorProto] = []

    def model(self, words: int) -> ModelProto:
        table = self._weight("words", words, self._width)
        state = self._norm(self._node("Gather", [table, "ids"]), "first")
        state = self._norm(self._node("Add", [state, self._attention(state)]), "second")
        wide = self._node("Relu", [self._linear(state, "up", self._width, 4 * self._width)])
        state = self._norm(self._node("Add", [state, self._linear(wide, "down", 4 * self._width, self._width)]), "last")
        self._nodes.append(helper.make_node("Identity", [state], ["state"], name="out"))
        inputs = [port("ids", ["batch", "length"], TensorProto.INT64)]
        outputs = [port("state", ["batch", "length", self._width])]
        return make(self._nodes, inputs, outputs, self._weights)

    def _attention(self, state: str) -> str:
        query, key, value = (self._linear(state, name, self._width, self._width) for name in ("query", "key", "value"))
        scores = self._node("MatMul", [self._split(query, [0, 2, 1, 3]), self._split(key, [0, 2, 3, 1])])
        scale = self._constant(np.array((self._width / self._heads) ** -0.5, np.float32))
        chances = self._node("Softmax", [self._node("Mul", [scores, scale])], axis=-1)
        mixed = self._node("MatMul", [chances, self._split(value, [0, 2, 1, 3])])
        mixed = self._node("Transpose", [mixed], perm=[0, 2, 1, 3])
        whole = self._constant(np.array([0, 0, self._width]))
        return self._linear(self._node("Reshape", [mixed, whole]), "output", self._width, self._width)

    def _split(self, value: str, perm: list[int]) -> str:
        """Into heads: [batch, length, heads, each], turned by `perm`."""
        shape = self._constant(np.array([0, 0, self._heads, self._width // self._heads]))
        return self._node("Transpose", [self._node("Reshape", [value, shape])], perm=perm)

    def _linear(self, value: str, name: str, k: int, n: int) -> str:
        product = self._node("MatMul", [value, self._weight(f"{name}.weight", k, n)])
        return self._node("Add", [product, self._weight(f"{name}.bias", n)])

    def _norm(self, value: str, name: str) -> str:
        scale, bias = f"{name}.scale", f"{name}.bias"
        self._weights += [
            tensor(scale, np.ones(self._width, np.float32)),
            tensor(bias, np.zeros(self._width, np.float32)),
        ]
        return self._node("LayerNormalization", [value, scale, bias])

    def _weight(self, name: str, *shape: int) -> str:
        self._seed += 1
        self._weights.append(tensor(name, noise(self._seed, *shape)))
        return name

    def _constant(self, value: np.ndarray) -> str:
        name = f"constant{len(self._nodes)}"
        self._nodes.append(helper.make_node("Constant", [], [name], value=tensor("", value)))
        return name

    def _node(self, kind: str, inputs: list[str], **attributes: object) -> str:
        name = f"{kind.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name
