"""The golden metrics that have names, but for the cosine: numbers from 0 to 1, higher is better.

Each takes what a result, the source and the samples hold: name -> arrays of all samples. Of several outputs the one
that fares worst counts; an output that the metric says nothing about (integers have no top 5) is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .feeds import Array

Arrays = Mapping[str, Sequence[Array]]


def top(k: int) -> Callable[[Arrays, Arrays, Arrays], float]:
    """How many of the `k` largest of each row (last dimension) are the same; classes, or tokens, or neighbours."""

    def share(found: Array, expected: Array) -> float | None:
        if expected.dtype.kind != "f" or expected.ndim == 0 or expected.shape[-1] <= k:
            return None
        best = [np.argsort(-one.reshape(-1, one.shape[-1]), axis=1, kind="stable")[:, :k] for one in (found, expected)]
        return float((best[0][:, :, None] == best[1][:, None, :]).any(2).mean())

    return lambda outputs, reference, feeds: _worst(share, outputs, reference, f"no output has more than {k} columns")


def tokens(outputs: Arrays, reference: Arrays, feeds: Arrays) -> float:
    """The share of positions with the same token: the largest of a row of scores, or the integer that stands there."""

    def share(found: Array, expected: Array) -> float | None:
        if expected.dtype.kind == "f" and expected.ndim and expected.shape[-1] > 1:
            return float((found.argmax(-1) == expected.argmax(-1)).mean())
        return float((found == expected).mean()) if expected.dtype.kind in "iu" else None

    return _worst(share, outputs, reference, "no output has scores or integers")


def iou(outputs: Arrays, reference: Arrays, feeds: Arrays) -> float:
    """Intersection over union of masks: what is above the threshold, 0.5 for probabilities and 0 for logits."""

    def share(found: Array, expected: Array) -> float | None:
        low, high = (float(expected.min()), float(expected.max())) if expected.size else (0.0, 0.0)
        threshold = 0.5 if low >= 0 and high <= 1 and expected.dtype.kind == "f" else 0
        a, b = found > threshold, expected > threshold
        union = int((a | b).sum())
        return int((a & b).sum()) / union if union else 1.0

    return _worst(share, outputs, reference, "there is no output")


def labels(outputs: Arrays, reference: Arrays, feeds: Arrays) -> float:
    """Accuracy: the share of rows of the first output whose largest score stands where "labels" says."""
    if "labels" not in feeds:
        raise ValueError('the golden inputs have no array "labels"')
    scores = next(iter(outputs.values()))
    right = [score.reshape(-1, score.shape[-1]).argmax(1) == np.ravel(label) for score, label in _paired(scores, feeds)]
    return float(np.concatenate(right).mean())


def _paired(scores: Sequence[Array], feeds: Arrays) -> list[tuple[Array, Array]]:
    return list(zip(scores, feeds["labels"], strict=True))


def _worst(share: Callable[[Array, Array], float | None], outputs: Arrays, reference: Arrays, nothing: str) -> float:
    """The mean over the samples, of the output where it is least."""
    means = []
    for name, expected in reference.items():
        shares = [share(a, b) for a, b in zip(outputs[name], expected, strict=True)]
        known = [one for one in shares if one is not None]
        means += [float(np.mean(known))] if known else []
    if not means:
        raise ValueError(nothing)
    return min(means)


NAMED: Mapping[str, Any] = {"iou": iou, "labels": labels, "tokens": tokens, "top1": top(1), "top5": top(5)}
