"""The same model in native onnxruntime: a quick look without a browser. Runs in a child."""

from __future__ import annotations

import time
from typing import Any

from .interval import percentile
from .tensor import Feeds


def time_natively(path: str, feeds: Feeds, warmup: int, runs: int) -> dict[str, float]:
    """Milliseconds, as in `metrics.METRICS`. onnxruntime's defaults: all optimizations, all cores."""
    import numpy as np
    import onnxruntime as ort

    arrays: dict[str, Any] = {n: np.frombuffer(t.data, t.dtype).reshape(t.dims) for n, t in feeds.items()}
    options = ort.SessionOptions()
    options.log_severity_level = 4
    began = time.perf_counter()
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    loaded = time.perf_counter()
    session.run(None, arrays)
    first = time.perf_counter()
    for _ in range(warmup):
        session.run(None, arrays)
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        session.run(None, arrays)
        taken.append((time.perf_counter() - start) * 1000)
    return {
        "sessionMs": (loaded - began) * 1000,
        "firstMs": (first - loaded) * 1000,
        "latencyMs": percentile(taken, 0.5),
        "p95Ms": percentile(taken, 0.95),
    }
