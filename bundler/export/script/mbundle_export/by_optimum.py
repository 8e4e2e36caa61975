"""By optimum, which knows how each architecture is fed and what of it is a cache of past tokens."""

from __future__ import annotations

import os
from typing import Any

from . import join
from .compare import difference, in_steps, run_torch, worse
from .naming import name_weights
from .request import Pipe, Refused, Request
from .tasks import read_config


def refuses(request: Request, task: str) -> str:
    """Why optimum cannot export this; "" if it can."""
    try:
        import optimum.exporters.onnx.model_configs  # noqa: F401  # registers what it can export
        from optimum.exporters.tasks import TasksManager
    except ImportError as error:
        return f"optimum-onnx is not there ({error})"
    kind = read_config(request).model_type
    try:
        known = TasksManager.get_supported_tasks_for_model_type(kind, "onnx", library_name="transformers")
    except KeyError:
        return f"optimum does not know {kind}"
    plain = TasksManager.map_from_synonym(task)
    if plain in known or task in known:
        return ""
    if request["exporter"] == "auto" and request["task"] == "auto":
        return f"optimum does not export {kind} for {task}"
    raise Refused("task", f"optimum exports {kind} for {', '.join(sorted(known))}, not for {task}")


def by_optimum(request: Request, task: str, pipe: Pipe) -> dict[str, Any]:
    import torch
    from optimum.exporters.onnx import onnx_export_from_model
    from optimum.exporters.tasks import TasksManager

    pipe.say(progress="loading the checkpoint")
    task = TasksManager.map_from_synonym(task)
    folder, out = request["folder"], request["out"]
    where = {"framework": "pt", "library_name": "transformers", "local_files_only": True, "torch_dtype": torch.float32}
    model = TasksManager.get_model_from_task(task, folder, **where).eval()
    kind = model.config.model_type
    known = TasksManager.get_supported_tasks_for_model_type(kind, "onnx", library_name="transformers")
    if request["task"] == "auto" and f"{task}-with-past" in known:
        task = f"{task}-with-past"
    if getattr(model.config, "use_cache", None) is not None:
        model.config.use_cache = task.endswith("-with-past")
    if task == "text-classification" and getattr(model.config, "pad_token_id", None) is None:
        model.config.pad_token_id = 0
    pipe.say(progress=f"exporting for {task}")
    onnx_export_from_model(model=model, output=out, task=task, do_validation=False)
    config = _onnx_config(model, task)
    found: dict[str, Any] = {"task": task, "exporter": "optimum", "why": "", "apart": "", "compared": None}
    if os.path.isfile(os.path.join(out, "encoder_model.onnx")):
        found["apart"], found["compared"] = _joined(config, model, out, pipe)
    parts = sorted(name for name in os.listdir(out) if name.endswith(".onnx"))
    if len(parts) == 1:
        name_weights(os.path.join(out, parts[0]))
        pipe.say(progress="comparing with torch")
        found["compared"] = _compared_by(config, model, os.path.join(out, parts[0]))
    return {"parts": parts, **found}


def _joined(config: Any, model: Any, out: str, pipe: Pipe) -> tuple[str, dict[str, Any] | None]:
    """Encoder and decoder in one model: why there is none, and how it compares with torch. One that does not give what
    torch gives is none."""
    pipe.say(progress="joining encoder and decoder")
    try:
        join.joined(out)
        pipe.say(progress="comparing with torch")
        compared = _compared_in_steps(config, model, os.path.join(out, join.NAME))
    except (join.Unjoinable, Refused) as reason:
        join.parted(out)
        return str(reason), None
    worst = min(figures["cosine"] for figures in compared.values())
    if worst >= _LOWEST_COSINE:
        return "", compared
    join.parted(out)
    return f"token by token the logits have a cosine similarity of {worst:.4g} to what torch gives", None


def _onnx_config(model: Any, task: str) -> Any:
    from optimum.exporters.tasks import TasksManager

    plain = task.removesuffix("-with-past")
    make = TasksManager.get_exporter_config_constructor(
        exporter="onnx", model=model, task=plain, library_name="transformers"
    )
    past = {"use_past": True, "use_past_in_inputs": True} if task.endswith("-with-past") else {}
    return make(model.config, **past)


def _compared_by(config: Any, model: Any, path: str) -> dict[str, Any]:
    """Two runs of both on made-up inputs of another shape than the trace had."""
    found: dict[str, Any] = {}
    for batch, length in ((1, 7), (3, 24)):
        made = config.generate_dummy_inputs(framework="pt", batch_size=batch, sequence_length=length)
        inputs = config.rename_ambiguous_inputs(made)
        with config.patch_model_for_export(model):
            expected = _flat(config, run_torch(model, inputs), "present")
        feeds = _flat(config, inputs, "past_key_values")
        worse(found, difference(path, feeds, expected, config.torch_to_onnx_output_map))
    return found


_TOKENS = 4
_LOWEST_COSINE = 0.999
"""As `bundler.export.agreement` has it."""


def _compared_in_steps(config: Any, model: Any, path: str) -> dict[str, Any]:
    """The joined model token by token from an empty past, and torch on all tokens at once."""
    import torch

    model.get_encoder().config.use_cache = False  # the export has left it on, which T5's encoder takes for an error
    reader = config.with_behavior("encoder")
    sizes = model.config.get_text_config(decoder=True)
    words = getattr(sizes, "decoder_vocab_size", None) or sizes.vocab_size
    found: dict[str, Any] = {}
    for batch, length in ((1, 7), (3, 24)):
        made = reader.generate_dummy_inputs(framework="pt", batch_size=batch, sequence_length=length)
        if "attention_mask" in made:
            made["attention_mask"] = torch.ones_like(made["attention_mask"])
            made["attention_mask"][-1, length // 2 :] = 0 if batch > 1 else 1
        tokens = torch.randint(0, words, (batch, _TOKENS))
        expected = run_torch(model, {**made, "decoder_input_ids": tokens, "use_cache": False})["logits"]
        feeds = {name: value.numpy() for name, value in made.items()}
        worse(found, in_steps(path, feeds, tokens.numpy(), expected.detach().numpy()))
    return found


def _flat(config: Any, values: dict[str, Any], side: str) -> dict[str, Any]:
    """Numpy arrays under the names of the ONNX file. `side`: what it calls the past, "past_key_values" where it goes in
    and "present" where it comes out; torch has one name for both."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if hasattr(value, "detach"):
            flat[name] = value.detach().numpy()
        elif name == "past_key_values" and value is not None:
            pairs = value.to_legacy_cache() if hasattr(value, "to_legacy_cache") else value
            named = config.flatten_output_collection_property(side, pairs)
            flat |= {key: tensor.detach().numpy() for key, tensor in named.items()}
    return flat
