"""What the golden metric says of a student while it learns, in torch: no model is run here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .archive import Column
from .baseline import Baseline
from .compare import compare
from .measured import evaluate, recorded
from .metric import Metric


def agreement(question: Mapping[str, Any], metric: Metric | None) -> float:
    """Child's function. `question`: as `export/script/mbundle_export/examiner.py` asks it. None: the cosine. Raises
    ConfigError (MB325)."""
    names, samples = question["outputs"], question["samples"]
    baseline = Baseline(question["reference"], tuple(question["inputs"]), tuple(names), samples)
    with np.load(question["found"], allow_pickle=False) as found, np.load(baseline.path, allow_pickle=False) as given:
        outputs = {
            name: Column(found, lambda n, i=i: f"{n}/{i}", samples)  # type: ignore[misc]
            for i, name in enumerate(names)
        }
        reference, feeds = recorded(baseline, given, names)
        if metric is not None:
            return evaluate(metric, outputs, reference, feeds)
        pairs = (([reference[one][n] for one in names], [outputs[one][n] for one in names]) for n in range(samples))
        return float(compare(names, pairs).cosine)
