"""From a Budget that the user declared to a BudgetSpec; also how limits are written anywhere else, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import values
from .declare import Budget
from .findings import Bad
from .part import Part
from .schema import BudgetSpec, GoldenSpec
from .steps import name_of
from .suggest import closest, listing

NETWORKS = ("slow-3g", "3g", "slow-4g", "4g", "lte", "cable", "fios")
"""Those of `serve.networks`, which a config does not import; a test compares them."""


def read_budget(entry: Part, golden: GoldenSpec | None) -> BudgetSpec | None:
    """`golden`: whose metrics `accuracy` may name."""
    part = entry.part("budget", Budget)
    if part is None:
        return None
    size, time = values.optional(values.size), values.optional(values.milliseconds)
    known = [one.metric for one in (golden or GoldenSpec("")).metrics]
    given: dict[str, float] | None = part.get("accuracy", values.optional(lambda value: _scores(value, known)))
    scores = given or {}
    return BudgetSpec(
        size=part.get("size", size),
        first_load=part.get("first_load", size),
        load=part.get("load", values.optional(_load)),
        first_inference=part.get("first_inference", time),
        latency=part.get("latency", time),
        latency_p95=part.get("latency_p95", time),
        memory=part.get("memory", size),
        accuracy=scores.pop(known[0], None),
        scores=tuple(scores.items()),
        growth=part.get("growth", values.optional(values.percent)),
        device=part.get("device", values.choice("wasm", "wasm-threads", "webgpu")),
        warn=part.get("warn", values.sequence(values.choice(*BudgetSpec.NAMES))),
    )


def _scores(value: Any, known: Sequence[str]) -> dict[str, float]:
    """Metric -> the least that it may be; a number alone is about the first."""
    least = values.number(-1e9)
    if not isinstance(value, Mapping):
        return {known[0]: least(value)}
    found = {}
    for given, bar in value.items():
        metric = name_of(given) if callable(given) else given
        if metric not in known:
            near = closest(metric, known) if isinstance(metric, str) else None
            fix = f'Did you mean "{near}"?' if near else f"The golden set has {listing(known)}."
            raise Bad(f"names a metric that the golden set does not have, {values.shown(metric)}", fix, code="MB113")
        found[metric] = least(bar)
    return found


def _load(value: Any) -> tuple[float, str]:
    """("2 s @ 4g") -> (2000.0, "4g"); "" is the network as it is."""
    time, at, network = values.text(value).partition("@")
    limit, name = values.milliseconds(time.strip()), network.strip()
    if at and name not in NETWORKS:
        raise Bad(f"names a network that there is not, {values.shown(name)}", f"Write one of {', '.join(NETWORKS)}.")
    return limit, name
