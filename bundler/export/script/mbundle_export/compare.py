"""The exported model and the checkpoint in torch on the same inputs."""

from __future__ import annotations

from typing import Any

from .request import Refused


def run_torch(model: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    import copy

    import torch

    with torch.inference_mode():
        outputs = model(**copy.deepcopy(inputs))
    return dict(outputs.items())


def difference(path: str, feeds: dict[str, Any], expected: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Output -> its largest error, relative to its largest magnitude, and its cosine similarity."""
    renamed = {names.get(name, name): value for name, value in expected.items()}
    got = run_onnx(open_onnx(path), feeds)
    return {name: figures(name, renamed[name], got[name]) for name in got if is_float(renamed.get(name))}


def open_onnx(path: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run_onnx(session: Any, feeds: dict[str, Any]) -> dict[str, Any]:
    """All outputs by name; feeds that the model does not take are left out."""
    wanted = {port.name for port in session.get_inputs()}
    outputs = [port.name for port in session.get_outputs()]
    found = session.run(outputs, {name: value for name, value in feeds.items() if name in wanted})
    return dict(zip(outputs, found, strict=True))


def is_float(value: Any) -> bool:
    return value is not None and value.dtype.kind == "f"


def figures(name: str, expected: Any, got: Any) -> dict[str, Any]:
    import numpy as np

    left, right = expected.astype(np.float64).ravel(), got.astype(np.float64).ravel()
    if left.size != right.size:
        raise Refused("differs", f"{name} has another shape than in torch")
    scale = float(np.abs(left).max(initial=0.0)) or 1.0
    norm = float(np.linalg.norm(left) * np.linalg.norm(right))
    error = float(np.abs(left - right).max(initial=0.0)) / scale
    cosine = float(left @ right) / norm if norm else float(np.array_equal(left, right))
    return {
        "maxError": error if np.isfinite(error) else 1e9,
        "cosine": cosine if np.isfinite(cosine) else 0.0,
    }


def worse(found: dict[str, Any], more: dict[str, Any]) -> None:
    """The worse of two runs."""
    for name, figures in more.items():
        known = found.setdefault(name, figures)
        known["maxError"] = max(known["maxError"], figures["maxError"])
        known["cosine"] = min(known["cosine"], figures["cosine"])
