"""What goes with what in products: MatMul, Gemm, convolutions and attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...graph.attributes import attribute
from ...graph.visit import subgraphs
from .coupling import Coupling
from .survey import captured

SPATIAL = 2
"""Axes before the spatial ones: samples and channels."""


def unknown(node: Any, view: Coupling) -> None:
    """All that it touches stays."""
    for name in (*node.input, *node.output, *(captured(node) if any(subgraphs(node)) else ())):
        view.pin(name)


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
    """Conv and FusedConv."""
    _convolution(node, view, "conv", reads=1, makes=0)


def deconv(node: Any, view: Coupling) -> None:
    """ConvTranspose, whose weight has its axes the other way round."""
    _convolution(node, view, "deconv", reads=0, makes=1)


def _convolution(node: Any, view: Coupling, kind: str, *, reads: int, makes: int) -> None:
    """`reads`, `makes`: the weight's axes of input and output channels. With groups, whole groups go."""
    value, weight, out = node.input[0], node.input[1], node.output[0]
    groups = attribute(node, "group", 1)
    view.tie(value, 0, out, 0)
    for name in (value, weight, out):
        view.pin(name, *range(SPATIAL, view.rank(name)))
    if groups == 1:
        view.tie(value, 1, weight, reads)
        view.tie(weight, makes, out, 1)
        view.contracts(node, kind, value, 1, weight, reads)
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
