"""How far an exported model is from the checkpoint in torch, judged and told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..catalogue import problem
from ..errors import InputError

LOWEST_COSINE = 0.999
"""Both compute in float32: sound exports differ by some 1e-6; a wrong mask or a lost weight is far below this."""


def accepted(result: Mapping[str, Any]) -> None:
    """InputError MB353 when an output is another than torch's."""
    for name, figures in (result["compared"] or {}).items():
        if not figures["cosine"] >= LOWEST_COSINE:
            what = f"Its output {name} has a cosine similarity of {figures['cosine']:.4g} to what torch gives."
            raise InputError(problem("MB353", what))


def story(result: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """One line: what was exported, by what, and how well it agrees."""
    tool = "torch.onnx.export" if result["exporter"] == "dynamo" else f"optimum-onnx {versions.get('optimum-onnx', '')}"
    because = f" ({result['why']})" if result["why"] else ""
    made = f"exported for {result['task']} by {tool}{because}, torch {versions.get('torch', '')}"
    compared = result["compared"]
    if not compared:
        return f"{made}; not compared with torch"
    worst = max(figures["maxError"] for figures in compared.values())
    cosine = min(figures["cosine"] for figures in compared.values())
    return f"{made}; against torch: cosine {cosine:.7f}, largest error {worst:.1e} of the output's range"
