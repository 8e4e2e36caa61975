"""The chains that a search tries as a whole: what comes before the weights get their precision, and what after.

A chain is steps that a config could name, so that a recipe can be written down. To let a search try another loader,
put it into a chain here: everything else goes by measured bytes, metric and latency.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import asdict, dataclass, replace
from typing import Any

from ... import process
from ...config.schema import LoaderSpec
from ...errors import MbundleError
from ...graph.model import Model
from ...process import Limits
from ..base import Context, nothing, silent
from ..float16 import Float16
from ..fuse import Fuse
from ..prune import Prune
from ..quantize_dynamic import QuantizeDynamic
from ..quantize_weights import QuantizeWeights
from ..regression import of_form
from ..simplify import Simplify
from ..step import StepResult

Chain = tuple[Any, ...]
BEFORE: tuple[Chain, ...] = ((Simplify(),), (Simplify(), Fuse()))
"""Beside the model as it comes."""
AFTER: tuple[Chain, ...] = ((Float16(),),)
"""On what the precision search has found, and on the chain by itself."""
FAST: tuple[Chain, ...] = (
    (QuantizeDynamic(),),
    (QuantizeWeights(block_size=128),),
    (QuantizeWeights(bits=4, symmetric=False),),
)
"""What a search for a latency tries, too: whole models, as the speed of one weight cannot be told from another's."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the steps of a chain have made. Steps that had nothing to do are not in it."""

    steps: Chain
    model: Model


def made(chain: Chain, start: Made, context: Context) -> Made | None:
    """`start` through `chain`, each step in a child of its own, as in a build. None: it changes nothing, or breaks."""
    done = start
    for step in chain:
        result = _applied(step, done.model, context)
        if result is not None and result != done.model:
            done = Made((*done.steps, step), result)
    if done is start or of_form(start.model, done.model) is not None:
        return None
    return done


def pruned(start: Made, context: Context, accuracy: float, minutes: float) -> Made | None:
    """`start` without the heads, neurons and channels that can go at `accuracy`. None: less than 1 % of its FLOPs.

    The search says how much that is; what is kept is the step that cuts so much without a search.
    """
    found = _result(Prune(accuracy=accuracy, minutes=minutes), start.model, context)
    flops = found.details.get("flops") if found is not None and not found.skipped else None
    share = math.floor((1 - flops["after"] / flops["before"]) * 1e4) / 1e4 if flops else 0.0
    return made((Prune(structured=share),), start, context) if share >= 0.01 else None


def _applied(step: Any, model: Model, context: Context) -> Model | None:
    result = _result(step, model, context)
    usable = result is not None and not result.skipped and not result.refused
    return result.model if result is not None and usable else None


def _result(step: Any, model: Model, context: Context) -> StepResult | None:
    scratch = tempfile.mkdtemp(prefix="chain-", dir=context.scratch)
    spec = LoaderSpec(step.name, tuple(sorted(asdict(step).items())))
    bare = replace(context, scratch=scratch, detail=nothing, log=silent)
    limits = Limits.for_model(model.nbytes)
    try:
        result: StepResult = process.run(
            "bundler.loaders.step:apply_step", spec, model, bare, "", limits=limits, label=step.name, tmp=scratch
        )
    except MbundleError:
        return None
    return result


def label(steps: Chain) -> str:
    """For people: "simplify, 12×8bit/row": twelve weights become 8 bits with a scale a row; c: calibrated."""
    return ", ".join(map(_named, steps)) or "as it is"


def _named(step: Any) -> str:
    if isinstance(step, Prune):
        return f"prune {step.structured or 0:.1%}"
    if not isinstance(step, QuantizeWeights):
        return str(step.name)
    seen = "c" if step.calibrate else ""
    return f"{len(step.tensors) or 'all'}×{step.bits}bit/{step.block_size}{seen}"
