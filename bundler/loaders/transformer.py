"""onnxruntime's fusions for transformers: Python rewrites that know how exporters write attention."""

from __future__ import annotations

import os
from typing import Any

from ..graph.model import Model
from .base import Context

_LIMIT = 1 << 30
"""Bytes. The optimizer holds the whole model in memory several times over."""


def has_attention(model: Model) -> bool:
    """Whether it may pay to look: attention is a Softmax between two MatMuls."""
    ops = dict(model.ops)
    return "Softmax" in ops and ops.get("MatMul", 0) >= 2 and model.nbytes < _LIMIT


def fused(model: Model, context: Context) -> Model:
    """`model` with MultiHeadAttention, SkipLayerNormalization and Gelu where the patterns are.

    Raises what the optimizer raises. Layer counts and head numbers are read off the graph.
    """
    import logging

    import onnx
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    from ..graph.read import read_result
    from ..graph.write import private_copy
    from .skeleton import without_additions

    folder = os.path.join(context.scratch, "transformer")
    os.mkdir(folder)
    options = FusionOptions("bert")
    options.use_multi_head_attention = True
    options.enable_embed_layer_norm = False
    logging.disable(logging.WARNING)  # one line for every pattern that does not match
    try:
        found: Any = optimize_model(
            private_copy(model, folder), "bert", opt_level=0, optimization_options=options, use_gpu=False
        )
    finally:
        logging.disable(logging.NOTSET)
    path = os.path.join(folder, "fused.onnx")
    onnx.save(found.model, path)
    result = read_result(path, folder, max_opset=context.target_opset, max_ir=context.target_ir)
    return without_additions(result, model)


def agrees(model: Model, result: Model, context: Context) -> bool:
    """Whether both do the same on generated inputs: these rewrites trust patterns, and a mask is easily lost. True when
    there is nothing to compare on."""
    from ..errors import MbundleError
    from .verify.examine import examine
    from .verify.samples import record

    baseline = record(model, os.path.join(context.scratch, "attention.npz"), "")
    try:
        found = examine(result, baseline)
    except MbundleError:
        return False
    return found is None or (not found.broken and found.relative < 1e-3 and found.cosine > 0.9999)
