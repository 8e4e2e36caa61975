"""From a Budget that the user declared to a BudgetSpec; also how limits are written anywhere else, as text."""

from __future__ import annotations

from typing import Any

from . import values
from .declare import Budget
from .findings import Bad
from .part import Part
from .schema import BudgetSpec

NETWORKS = ("slow-3g", "3g", "slow-4g", "4g", "lte", "cable", "fios")
"""Those of `serve.networks`, which a config does not import; a test compares them."""


def read_budget(entry: Part) -> BudgetSpec | None:
    part = entry.part("budget", Budget)
    if part is None:
        return None
    size, time = values.optional(values.size), values.optional(values.milliseconds)
    return BudgetSpec(
        size=part.get("size", size),
        first_load=part.get("first_load", size),
        load=part.get("load", values.optional(_load)),
        first_inference=part.get("first_inference", time),
        latency=part.get("latency", time),
        latency_p95=part.get("latency_p95", time),
        memory=part.get("memory", size),
        accuracy=part.get("accuracy", values.optional(values.number(-1e9))),
        growth=part.get("growth", values.optional(values.percent)),
        device=part.get("device", values.choice("wasm", "wasm-threads", "webgpu")),
        warn=part.get("warn", values.sequence(values.choice(*BudgetSpec.NAMES))),
    )


def _load(value: Any) -> tuple[float, str]:
    """("2 s @ 4g") -> (2000.0, "4g"); "" is the network as it is."""
    time, at, network = values.text(value).partition("@")
    limit, name = values.milliseconds(time.strip()), network.strip()
    if at and name not in NETWORKS:
        raise Bad(f"names a network that there is not, {values.shown(name)}", f"Write one of {', '.join(NETWORKS)}.")
    return limit, name
