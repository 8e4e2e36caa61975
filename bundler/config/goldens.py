"""From a Golden that the user declared to a GoldenSpec: its inputs, and the metrics with their bars."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

from . import values
from .declare import Golden
from .files import existing, gathered, readable
from .findings import Bad
from .frame import Path
from .options import FUNCTION
from .part import Part
from .schema import GoldenSpec, MetricSpec
from .steps import digest_of_own, golden_place, name_of, takes

METRICS = ("cosine", "iou", "labels", "tokens", "top1", "top5")
"""Named golden metrics; `loaders.verify.metrics` computes them."""


def read_golden(entry: Part) -> GoldenSpec | None:
    part = entry.part("golden", Golden)
    if part is None:
        return None
    root = part.reading.env.root
    inputs = part.get("path", lambda value: FUNCTION if callable(value) else _inputs(value, root)) or ()
    own_inputs = f"{entry.entry}/golden/inputs" if inputs == FUNCTION else ""
    one = len(inputs) == 1 and not own_inputs and not inputs[0].lower().endswith(".npy")
    path = inputs[0] if one else recorded_file(root, entry.entry)
    files = () if one or own_inputs else tuple(inputs)
    first, *also = _several(part) if part.given.get("metrics") is not None else [_single(part)]
    seen = part.get("calibration", values.optional(lambda value: file_of(value, root))) or ""
    own = (first.metric, first.at_least, first.where, first.digest)
    return GoldenSpec(path, *own, inputs=files, inputs_where=own_inputs, also=tuple(also), calibration=seen)


def recorded_file(root: str, entry: str) -> str:
    """Where `mbundle golden record` keeps an entry's samples; "" when it has not done so."""
    path = os.path.join(root, "golden", f"{entry}.npz")
    return path if os.path.isfile(path) else ""


def _inputs(value: Any, root: str) -> tuple[str, ...]:
    """Absolute paths: of the file, or of the files in the folder."""
    if not os.path.isdir(os.path.join(root, values.path(value))):
        return (file_of(value, root),)
    return tuple(os.path.join(root, name) for name in gathered(value, root, (".npz", ".npy")))


def _single(part: Part) -> MetricSpec:
    metric = part.get("metric", _metric)
    return _spec(part, 0, metric, part.get("at_least", values.optional(_least(metric))))


def _several(part: Part) -> list[MetricSpec]:
    """Those of `metrics`; the default one where it says nothing that can be used."""
    for other in ("metric", "at_least"):
        if other in part.given:
            what = f"Golden has `metrics`, so it takes no `{other}`."
            part.report("MB131", what, (other,), fix="Write all of them into `metrics`.", key=True)
    raw = part.given["metrics"]
    if not isinstance(raw, Mapping) or not raw:
        fix = 'Write metrics={top10_overlap: 0.95, "labels": 0.9}; None in place of a number is no bar.'
        what = f"`metrics` of Golden must map metrics to the least that each may be, not {values.shown(raw)}."
        part.report("MB112", what, ("metrics",), fix=fix)
        return [MetricSpec()]
    found = list(_each(part, raw))
    names = [one.metric for one in found]
    for name in sorted({name for name in names if names.count(name) > 1}):
        part.report("MB117", f"Two metrics are called {values.shown(name)}.", ("metrics",), fix="Rename one.")
    return found or [MetricSpec()]


def _each(part: Part, raw: Mapping[Any, Any]) -> Iterator[MetricSpec]:
    for index, (given, bar) in enumerate(raw.items()):
        where: Path = ("metrics", given) if isinstance(given, str) else ("metrics",)
        try:
            metric = _metric(given)
            yield _spec(part, index, metric, values.optional(_least(metric))(bar))
        except Bad as bad:
            what = f"`metrics` of Golden, {values.shown(given)}: it {bad.what}."
            part.report(bad.code, what, where, fix=bad.fix)


def _least(metric: Any) -> values.Check[float]:
    return values.number(-1, 1) if isinstance(metric, str) else values.number(-math.inf)


def _spec(part: Part, index: int, metric: Any, least: float | None) -> MetricSpec:
    if isinstance(metric, str):
        return MetricSpec(metric, least)
    where = golden_place(part.entry, index)
    return MetricSpec(name_of(metric), least, where, digest_of_own(metric, where, part.reading))


def _metric(value: Any) -> Any:
    if not callable(value):
        return values.choice(*METRICS)(value)
    if isinstance(value, type) or inspect.iscoroutinefunction(value) or not (takes(value, 2) or takes(value, 3)):
        raise Bad("must be a function of (outputs, reference) or (outputs, reference, feeds)", code="MB122")
    return value


def file_of(value: Any, root: str) -> str:
    """Absolute path of an existing regular file."""
    written = values.path(value)
    path = os.path.normpath(os.path.join(root, written))
    status = existing(path, "MB148", written, root)
    if os.path.isdir(path):
        raise Bad(f"must be a file, but {values.shown(written)} is a folder")
    readable(path, status)
    return path
