"""The exported model and the checkpoint in torch on the same inputs."""

from __future__ import annotations

from typing import Any

from .request import Refused

_PAST = "past_key_values."


def run_torch(model: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    import copy

    import torch

    with torch.inference_mode():
        outputs = model(**copy.deepcopy(inputs))
    return dict(outputs.items())


def difference(path: str, feeds: dict[str, Any], expected: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Output -> its largest error, relative to its largest magnitude, and its cosine similarity."""
    session = open_onnx(path)
    got = run_onnx(session, feeds)
    found: dict[str, Any] = {}
    renamed = {names.get(name, name): value for name, value in expected.items()}
    for name in got:
        if name not in renamed or renamed[name].dtype.kind != "f":
            continue
        found[name] = figures(name, renamed[name], got[name])
    return found


def in_steps(path: str, feeds: dict[str, Any], tokens: Any, expected: Any) -> dict[str, Any]:
    """The same for the logits of an encoder-decoder that gets `tokens` [batch, n] one by one. `feeds`: the encoder's.
    `expected`: [batch, n, words]."""
    import numpy as np

    session = open_onnx(path)
    batch, count = tokens.shape
    past = empty_past(session, batch)
    rows = []
    for step in range(count):
        given = {**feeds, **past, "decoder_input_ids": tokens[:, step : step + 1]}
        got = run_onnx(session, given)
        past = next_past(got)
        rows.append(got["logits"])
    return {"logits": figures("logits", expected, np.concatenate(rows, axis=1))}


def empty_past(session: Any, batch: int) -> dict[str, Any]:
    """Of no tokens, by the names of the inputs."""
    import numpy as np

    kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
    ports = [port for port in session.get_inputs() if port.name.startswith(_PAST)]
    return {port.name: np.zeros((batch, port.shape[1], 0, port.shape[3]), kinds[port.type]) for port in ports}


def next_past(outputs: dict[str, Any]) -> dict[str, Any]:
    """What came out as present, as what goes in."""
    return {name.replace("present.", _PAST): value for name, value in outputs.items() if name.startswith("present.")}


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


def figures(name: str, expected: Any, found: Any) -> dict[str, float]:
    import numpy as np

    left, right = expected.astype(np.float64).ravel(), found.astype(np.float64).ravel()
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
