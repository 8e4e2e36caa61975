"""What goes with what, operator by operator. One without a rule pins all that it touches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...graph.attributes import attribute
from ...graph.visit import subgraphs
from .coupling import Coupling
from .elements import Elements
from .products import SPATIAL, attention, conv, deconv, gemm, matmul, unknown
from .survey import Survey

Rule = Callable[[Any, Coupling], None]
_MICROSOFT = "com.microsoft"


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
    for axis in range(SPATIAL):
        view.tie(source, axis, out, axis)
    view.pin(source, *range(SPATIAL, view.rank(source)))
    view.pin(out, *range(SPATIAL, view.rank(out)))
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
    "FusedGemm": gemm,
    "Gemm": gemm,
    "MultiHeadAttention": attention,
    "Shape": shape,
    "Split": split,
    "Transpose": transpose,
}
