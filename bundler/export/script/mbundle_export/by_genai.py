"""By onnxruntime-genai's builder: decoders whose attention is one operator, GroupQueryAttention.

It writes the graph itself, from the weights by their names, and traces nothing.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import shutil
import sys
import tempfile
from typing import Any

from .compare import empty_past, figures, next_past, open_onnx, run_onnx, run_torch, worse
from .request import Pipe, Refused, Request
from .tasks import read_config

MODEL = "model.onnx"
_BUILDER = "onnxruntime_genai.models.builder"
_KEPT = (MODEL, f"{MODEL}.data", "tokenizer.json")
"""Of what it writes. The rest is for its own runtime, or what the checkpoint has already."""


def by_genai(request: Request, task: str, pipe: Pipe) -> dict[str, Any]:
    if task not in ("text-generation", "text-generation-with-past"):
        raise Refused("task", f"onnxruntime-genai builds decoders, for text-generation, not for {task}")
    pipe.say(progress=f"building the decoder as {request['precision']}")
    with tempfile.TemporaryDirectory(dir=request["out"]) as folder:
        _build(request, folder)
        for name in _KEPT:
            with contextlib.suppress(FileNotFoundError):
                shutil.move(os.path.join(folder, name), os.path.join(request["out"], name))
    _name_sizes(request, os.path.join(request["out"], MODEL))
    pipe.say(progress="comparing with torch")
    compared = _compared(request, os.path.join(request["out"], MODEL))
    return {
        "parts": [MODEL],
        "task": "text-generation-with-past",
        "exporter": "genai",
        "precision": request["precision"],
        "why": "",
        "compared": compared,
    }


def _build(request: Request, folder: str) -> None:
    """By its command line, which is what it promises to keep. The graph for WebGPU is one that runs on wasm, too; of
    those for other providers some hold operators that no page has. A checkpoint's own code is never run."""
    cache = os.path.join(folder, "cache")
    wish = ["-i", request["folder"], "-o", folder, "-c", cache, "-p", request["precision"], "-e", "webgpu"]
    before = sys.argv
    sys.argv = [_BUILDER, *wish, "--extra_options", "hf_remote=false", *_options(request)]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            runpy.run_module(_BUILDER, run_name="__main__", alter_sys=True)
    except ImportError as error:
        raise Refused("versions", f"onnxruntime-genai does not go with what is installed there ({error})") from error
    except NotImplementedError as error:
        raise Refused("unsupported", f"onnxruntime-genai does not know this architecture ({error})") from error
    finally:
        sys.argv = before


def _name_sizes(request: Request, path: str) -> None:
    """As optimum does: the sum of two sizes must not look like a third that is free. Newer builders leave the width of
    a head open, too, for caches that are quantized as the model is opened."""
    import onnx

    config = read_config(request).get_text_config()
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    model = onnx.load(path, load_external_data=False)
    for port in (*model.graph.input, *model.graph.output):
        dims = port.type.tensor_type.shape.dim
        if port.name.startswith(("past_key_values.", "present.")):
            dims[3].dim_value = width
        for dim in dims:
            if dim.dim_param == "total_sequence_length":
                dim.dim_param = "past_sequence_length + sequence_length"
    onnx.save(model, path)


def _options(request: Request) -> list[str]:
    """Embedding and head stay one table where the checkpoint has one; activations of 4-bit weights are float32, which
    every device has."""
    return ["use_webgpu_fp32=true", "shared_embeddings=true"] if request["precision"] == "int4" else []


def _compared(request: Request, path: str) -> dict[str, Any]:
    """Made-up texts, each in two steps: from nothing, and on from the past that the first step left. For several texts
    at once the operator goes on by one token only."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(request["folder"], local_files_only=True, torch_dtype=torch.float32)
    session, random = open_onnx(path), torch.Generator().manual_seed(0)
    found: dict[str, Any] = {}
    for batch, length, more in ((1, 7, 2), (3, 24, 1)):
        ids = torch.randint(model.config.vocab_size, (batch, length + more), generator=random)
        scores = run_torch(model.eval(), {"input_ids": ids})["logits"].numpy()
        past = empty_past(session, batch)
        for begin, end in ((0, length), (length, length + more)):
            got = run_onnx(session, _feeds(ids.numpy(), begin, end) | past)
            past = next_past(got)
            worse(found, {"logits": figures("logits", scores[:, begin:end], got["logits"])})
    return found


def _feeds(ids: Any, begin: int, end: int) -> dict[str, Any]:
    """Of a step over the tokens from `begin` to `end`."""
    import numpy as np

    batch = len(ids)
    places = np.broadcast_to(np.arange(begin, end), (batch, end - begin))
    return {"input_ids": ids[:, begin:end], "attention_mask": np.ones((batch, end), np.int64), "position_ids": places}
