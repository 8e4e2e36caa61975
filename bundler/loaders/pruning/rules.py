"""What goes with what, operator by operator. One without a rule pins all that it touches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...graph.visit import subgraphs
from ..origin import attribute
from .coupling import Coupling
from .elements import Elements
from .survey import Survey, captured

Rule = Callable[[Any, Coupling], None]
_MICROSOFT = "com.microsoft"
_SPATIAL = 2
"""Axes before the spatial ones: samples and channels."""


def coupled(survey: Survey) -> Coupling:
    """All ties of the graph."""
    found = Coupling(survey, Elements(survey.shapes))
    for value in (*survey.edit.graph.input, *survey.edit.graph.output):
        found.pin(value.name)
    for node in survey.nodes:
        if ruled(node) and _known(node, survey):
            RULES[node.op_type](node, found)
        else:
            unknown(node, found)
    return found


def ruled(node: Any) -> bool:
    """Whether it is known what the operator does to its axes."""
    return node.op_type in RULES and node.domain in ("", "ai.onnx", _MICROSOFT) and not any(subgraphs(node))


def _known(node: Any, survey: Survey) -> bool:
    return all(name in survey.shapes for name in (*node.input, *node.output) if name)


def unknown(node: Any, view: Coupling) -> None:
    for name in (*node.input, *node.output, *captured(node)):
        view.pin(name)


def elementwise(node: Any, view: Coupling) -> None:
    for name in filter(None, node.input):
        view.alike(name, node.output[0])
    for name in node.output[1:]:
        view.pin(name)


def along(default: int, *, onward: bool = False) -> Rule:
    """Elementwise, but for an axis that is summed over or sorted along. `onward`: all axes from there on."""

    def rule(node: Any, view: Coupling) -> None:
        rank = view.rank(node.output[0])
        axis = attribute(node, "axis", default if view.survey.opset >= 13 or onward else 1) % max(rank, 1)
        far = onward or view.survey.opset < 13
        view.pin(node.output[0], *(range(axis, rank) if far else (axis,)))
        elementwise(node, view)

    return rule


def skip_norm(node: Any, view: Coupling) -> None:
    """SkipLayerNormalization, whose last output is the sum before the norm."""
    view.pin(node.output[0], -1)
    for name in filter(None, (*node.input, *node.output[3:])):
        view.alike(name, node.output[0])
    for name in node.output[1:3]:
        view.pin(name)


def shape(node: Any, view: Coupling) -> None:
    """The number of channels may be computed with: what follows would not know that there are fewer."""
    view.pin(node.input[0])


def reshape(node: Any, view: Coupling) -> None:
    view.reshaped(node.input[0], node.output[0])


def transpose(node: Any, view: Coupling) -> None:
    rank = view.rank(node.input[0])
    for to, axis in enumerate(attribute(node, "perm", list(range(rank))[::-1])):
        view.tie(node.input[0], axis, node.output[0], to)


def concat(node: Any, view: Coupling) -> None:
    _pieces(list(filter(None, node.input)), node.output[0], attribute(node, "axis", 1), view)


def split(node: Any, view: Coupling) -> None:
    _pieces(list(filter(None, node.output)), node.input[0], attribute(node, "axis", 0), view)


def _pieces(parts: list[str], whole: str, axis: int, view: Coupling) -> None:
    axis %= max(view.rank(whole), 1)
    places, start = view.places(whole, axis), 0
    for name in parts:
        end = start + view.shape(name)[axis]
        view.elements.tie(view.places(name, axis), places[start:end])
        view.alike(name, whole, but=(axis,))
        start = end


def gather(node: Any, view: Coupling) -> None:
    """The axis that is looked up along stays; the others come after and before it in the output."""
    data, indices, out = node.input[0], node.input[1], node.output[0]
    axis = attribute(node, "axis", 0) % max(view.rank(data), 1)
    view.pin(data, axis)
    view.pin(indices)
    for one in range(view.rank(indices)):
        view.pin(out, axis + one)
    for one in range(view.rank(data)):
        if one != axis:
            view.tie(data, one, out, one if one < axis else one + view.rank(indices) - 1)


def resized(node: Any, view: Coupling) -> None:
    """Axes that keep their size keep their places; Pad, Slice and Resize say by numbers what they do to the others."""
    source, out = node.input[0], node.output[0]
    steps = view.survey.integers(node.input[4]) if node.op_type == "Slice" and len(node.input) > 4 else [1]
    if view.rank(source) != view.rank(out) or set(steps or [0]) != {1}:
        unknown(node, view)
        return
    for axis, (size, other) in enumerate(zip(view.shape(source), view.shape(out), strict=True)):
        if size == other:
            view.tie(source, axis, out, axis)
        else:
            view.pin(source, axis)
            view.pin(out, axis)


def windowed(node: Any, view: Coupling) -> None:
    """Pooling, and norms over what is spatial, with one parameter a channel."""
    source, out = node.input[0], node.output[0]
    for axis in range(_SPATIAL):
        view.tie(source, axis, out, axis)
    view.pin(source, *range(_SPATIAL, view.rank(source)))
    view.pin(out, *range(_SPATIAL, view.rank(out)))
    for name in filter(None, node.input[1:]):
        view.tie(name, 0, source, 1)
    for name in node.output[1:]:
        view.pin(name)


def batch_norm(node: Any, view: Coupling) -> None:
    view.alike(node.input[0], node.output[0])
    for name in filter(None, node.input[1:]):
        view.tie(name, 0, node.input[0], 1)
    for name in node.output[1:]:
        view.pin(name)


def reduced(node: Any, view: Coupling) -> None:
    source, out = node.input[0], node.output[0]
    rank = view.rank(source)
    axes = attribute(node, "axes", None)
    if len(node.input) > 1 and node.input[1]:
        axes = view.survey.integers(node.input[1])
        if axes is None:
            unknown(node, view)
            return
    gone = {axis % max(rank, 1) for axis in (axes or range(rank))}
    if not axes and attribute(node, "noop_with_empty_axes", 0):
        gone = set()
    view.pin(source, *gone or (0,)) if rank and gone else None
    left = [axis for axis in range(rank) if axis not in gone]
    kept = attribute(node, "keepdims", 1)
    for index, axis in enumerate(left):
        view.tie(source, axis, out, axis if kept else index)


def matmul(node: Any, view: Coupling) -> None:
    """MatMul and FusedMatMul. Axes before the last two are broadcast."""
    a, b, out = node.input[0], node.input[1], node.output[0]
    odd = any(attribute(node, name, 0) for name in ("transBatchA", "transBatchB"))
    if min(view.rank(a), view.rank(b)) < 2 or odd:
        unknown(node, view)
        return
    rows, k = (-1, -2) if attribute(node, "transA", 0) else (-2, -1)
    over, cols = (-1, -2) if attribute(node, "transB", 0) else (-2, -1)
    view.tie(a, k, b, over)
    view.tie(a, rows, out, -2)
    view.tie(b, cols, out, -1)
    last = (view.rank(out) - 2, view.rank(out) - 1)
    view.alike(a, out, but=last)
    view.alike(b, out, but=last)
    view.contracts(node, "product", a, k, b, over)
    view.contracts(node, "product", b, over, a, k)
    if not view.origin(a, 0) and not view.origin(b, 0):
        view.heads |= {(out, axis) for axis in range(view.rank(out) - 2)}


def gemm(node: Any, view: Coupling) -> None:
    a, b, out = node.input[0], node.input[1], node.output[0]
    rows, k = (1, 0) if attribute(node, "transA", 0) else (0, 1)
    over, cols = (1, 0) if attribute(node, "transB", 0) else (0, 1)
    view.tie(a, k, b, over)
    view.tie(a, rows, out, 0)
    view.tie(b, cols, out, 1)
    for name in filter(None, node.input[2:]):
        view.alike(name, out)
    view.contracts(node, "product", a, k, b, over)


def conv(node: Any, view: Coupling) -> None:
    """Conv and FusedConv; with groups, whole groups go."""
    value, weight, out = node.input[0], node.input[1], node.output[0]
    groups = attribute(node, "group", 1)
    view.tie(value, 0, out, 0)
    for name in (value, weight, out):
        view.pin(name, *range(_SPATIAL, view.rank(name)))
    if groups == 1:
        view.tie(value, 1, weight, 1)
        view.tie(weight, 0, out, 1)
        view.contracts(node, "conv", value, 1, weight, 1)
    else:
        view.pin(weight, 1)
        whole = view.elements.fresh(groups)
        for places in (view.places(value, 1), view.places(weight, 0), view.places(out, 1)):
            view.tie_blocks(whole, places)
    _biased(node, view, out)


def deconv(node: Any, view: Coupling) -> None:
    value, weight, out = node.input[0], node.input[1], node.output[0]
    groups = attribute(node, "group", 1)
    view.tie(value, 0, out, 0)
    for name in (value, weight, out):
        view.pin(name, *range(_SPATIAL, view.rank(name)))
    if groups == 1:
        view.tie(value, 1, weight, 0)
        view.tie(weight, 1, out, 1)
        view.contracts(node, "deconv", value, 1, weight, 0)
    else:
        view.pin(weight, 1)
        whole = view.elements.fresh(groups)
        for places in (view.places(value, 1), view.places(weight, 0), view.places(out, 1)):
            view.tie_blocks(whole, places)
    _biased(node, view, out)


def _biased(node: Any, view: Coupling, out: str) -> None:
    view.convolved.add((out, 1))
    if len(node.input) > 2 and node.input[2]:
        view.tie(node.input[2], 0, out, 1)
    for name in filter(None, node.input[3:]):
        view.alike(name, out)


def attention(node: Any, view: Coupling) -> None:
    """MultiHeadAttention of three computed values side by side, without a cache."""
    inputs = [*node.input, *[""] * 8]
    three, out = inputs[:3], node.output[0]
    if not all(name and view.rank(name) == 3 for name in three) or any(inputs[6:]) or any(node.output[1:]):
        unknown(node, view)
        return
    heads = view.elements.fresh(attribute(node, "num_heads", 1))
    bias = inputs[3] and view.places(inputs[3], 0)
    start = 0
    for name in three:
        view.tie_blocks(heads, view.places(name, 2))
        view.tie(name, 0, out, 0)
        view.heads.add((name, 2))
        if inputs[3]:
            end = start + view.shape(name)[2]
            view.tie_blocks(heads, np.asarray(bias[start:end]))
            start = end
    view.tie_blocks(heads, view.places(out, 2))
    view.tie(three[0], 1, out, 1)
    view.pin(three[1], 1)
    view.pin(three[2], 1)
    view.pin(inputs[4])
    if inputs[5]:
        view.pin(inputs[5], 0, 2, 3)
        if view.shape(inputs[5])[1] > 1:
            view.elements.tie(heads, view.places(inputs[5], 1))


_ELEMENTWISE = frozenset(
    """Abs Acos Acosh Add And Asin Asinh Atan Atanh BiasGelu BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast
    CastLike Ceil Celu Clip Cos Cosh Div Dropout Elu Equal Erf Exp FastGelu Floor Gelu Greater GreaterOrEqual
    HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu
    Pow QuickGelu Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh
    ThresholdedRelu Where Xor""".split()  # noqa: SIM905  (seventy lines otherwise)
)
_POOLS = ("AveragePool", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "LpPool", "MaxPool")
_REDUCTIONS = {f"Reduce{kind}" for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod")}
_NORMS = ("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")

RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE, elementwise),
    **dict.fromkeys((*_POOLS, "InstanceNormalization"), windowed),
    **dict.fromkeys((*_REDUCTIONS, "ReduceSum", "ReduceSumSquare"), reduced),
    **dict.fromkeys(_NORMS, along(-1, onward=True)),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), along(-1)),
    **dict.fromkeys(("Pad", "Resize", "Slice", "Upsample"), resized),
    **dict.fromkeys(("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), skip_norm),
    **dict.fromkeys(("MatMul", "FusedMatMul"), matmul),
    **dict.fromkeys(("Conv", "FusedConv"), conv),
    "BatchNormalization": batch_norm,
    "Concat": concat,
    "ConvTranspose": deconv,
    "Gather": gather,
    "Gemm": gemm,
    "MultiHeadAttention": attention,
    "Shape": shape,
    "Split": split,
    "Transpose": transpose,
}
