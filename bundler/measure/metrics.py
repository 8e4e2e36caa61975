"""The figures of a benchmark: what each means, its unit, and how far two benchmarks of one thing may lie apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["ms", "bytes"]


@dataclass(frozen=True, slots=True)
class Metric:
    """`margin`: what `benchmarks/bench_noise.py` calibrates, a share of the value."""

    title: str
    unit: Unit
    margin: float
    meaning: str


METRICS: dict[str, Metric] = {
    "wireBytes": Metric("bytes, first visit", "bytes", 0, "all that a first visit downloads, onnxruntime-web included"),
    "modelBytes": Metric(
        "of these, the model", "bytes", 0, "graph and weights as they are sent, compressed where they are"
    ),
    "warmBytes": Metric("bytes, second visit", "bytes", 0, "what a visit with everything in the cache still downloads"),
    "loadMs": Metric("cold load", "ms", 0.25, "first visit, from `import` to a model that can run (like LCP)"),
    "warmMs": Metric("warm load", "ms", 0.30, "the same on the second visit, with what the first one stored"),
    "sessionMs": Metric("session", "ms", 0.30, "the part of the cold load after the last byte: onnxruntime builds"),
    "firstMs": Metric("first inference", "ms", 0.70, "the first run; later ones find memory and code ready"),
    "latencyMs": Metric("inference", "ms", 0.12, "a run like those that follow: the median (like INP)"),
    "p95Ms": Metric("inference, p95", "ms", 0.35, "19 of 20 runs are at least as fast"),
    "longestMs": Metric("longest task", "ms", 1.10, "the page cannot react for so long, up to the first result"),
    "blockedMs": Metric("blocked (TBT)", "ms", 0.40, "what tasks take over 50 ms each, up to the first result"),
    "memory": Metric("peak memory", "bytes", 0.10, "what the page's processes held over an empty page, at most"),
}
