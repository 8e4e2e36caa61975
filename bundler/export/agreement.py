"""How far an exported model is from the checkpoint in torch, judged and told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..catalogue import problem
from ..errors import InputError

LOWEST_COSINE = 0.999
"""Both compute in float32: sound exports differ by some 1e-6; a wrong mask or a lost weight is far below this."""
LOWEST_WITH_4_BITS = 0.9
"""A small model's scores keep 0.99 and a tiny one's 0.95; whether that will do, a golden set says."""


def accepted(result: Mapping[str, Any]) -> None:
    """InputError MB353 when an output is another than torch's."""
    lowest = LOWEST_WITH_4_BITS if result.get("precision") == "int4" else LOWEST_COSINE
    for name, figures in (result["compared"] or {}).items():
        if not figures["cosine"] >= lowest:
            what = f"Its output {name} has a cosine similarity of {figures['cosine']:.4g} to what torch gives."
            raise InputError(problem("MB353", what))


def story(result: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """One line: what was exported, by what, and how well it agrees."""
    tool = _tool(result, versions)
    because = f" ({result['why']})" if result["why"] else ""
    made = f"exported for {result['task']} by {tool}{because}, torch {versions.get('torch', '')}"
    compared = result["compared"]
    if not compared:
        return f"{made}; not compared with torch"
    worst = max(figures["maxError"] for figures in compared.values())
    cosine = min(figures["cosine"] for figures in compared.values())
    return f"{made}; against torch: cosine {cosine:.7f}, largest error {worst:.1e} of the output's range"


def _tool(result: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    if result["exporter"] == "dynamo":
        return "torch.onnx.export"
    if result["exporter"] == "genai":
        return f"onnxruntime-genai {versions.get('onnxruntime-genai', '')} as {result['precision']}"
    return f"optimum-onnx {versions.get('optimum-onnx', '')}"
