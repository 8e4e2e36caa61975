"""The golden metrics of the icon search: does it find the icons that the source finds, and those that people want?

The first 500 rows of the samples are queries, the others names of icons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

QUERIES, TOP = 500, 10

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Sequence[Array]]


def top10_overlap(outputs: Arrays, reference: Arrays, feeds: Arrays) -> float:
    """1: every query finds the same ten icons as with the source."""
    found, wanted = (_nearest(one, feeds) for one in (outputs, reference))
    return float(np.mean([len(set(a) & set(b)) / TOP for a, b in zip(found, wanted, strict=True)]))


def hit_rate(outputs: Arrays, reference: Arrays, feeds: Arrays) -> float:
    """1: among the ten icons that a query finds there is always one that Lucide's authors gave it as a tag. Their names
    alone are compared; none of them has a word of the query."""
    wears = np.concatenate([one for one in feeds["wears"] if one.shape[1]])
    return float(np.take_along_axis(wears, _nearest(outputs, feeds), 1).any(1).mean())


def _nearest(outputs: Arrays, feeds: Arrays) -> Array:
    """Rows of the nearest icons, [500, 10] int64."""
    batches = zip(outputs["last_hidden_state"], feeds["attention_mask"], strict=True)
    vectors = np.concatenate([_pooled(state, mask[..., None]) for state, mask in batches])
    scores = vectors[:QUERIES] @ vectors[QUERIES:].T
    nearest: Array = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    return nearest


def _pooled(state: Array, mask: Array) -> Array:
    mean = (state * mask).sum(1) / mask.sum(1)
    pooled: Array = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return pooled
