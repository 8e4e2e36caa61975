"""By torch's own exporter, for what optimum does not know: one graph, without a cache of past tokens."""

from __future__ import annotations

import os
from typing import Any

from .compare import difference, run_torch, worse
from .request import Pipe, Refused, Request
from .tasks import read_config


def by_dynamo(request: Request, task: str, pipe: Pipe, why: str) -> dict[str, Any]:
    """`why`: not by optimum; "" where nobody wanted that."""
    import torch
    import transformers

    pipe.say(progress="loading the checkpoint")
    config = read_config(request)
    name = next(
        (one for one in getattr(config, "architectures", None) or () if hasattr(transformers, one)), "AutoModel"
    )
    kind = getattr(transformers, "AutoModel" if request["task"] == "feature-extraction" else name)
    model = kind.from_pretrained(request["folder"], torch_dtype=torch.float32, local_files_only=True).eval()
    if hasattr(model.config, "use_cache"):
        model.config.use_cache = False
    inputs, axes = _example(model, 2, 16)
    path = os.path.join(request["out"], "model.onnx")
    outputs = [key for key, value in run_torch(model, inputs).items() if hasattr(value, "detach")]
    tries = [_example(model, *size)[0] for size in ((1, 7), (3, 24))]
    compared = exported(model, inputs, axes, tries, outputs, path, pipe)
    return {"parts": ["model.onnx"], "task": task, "exporter": "dynamo", "why": why, "compared": compared}


def exported(
    model: Any,
    inputs: dict[str, Any],
    axes: dict[str, Any],
    tries: list[dict[str, Any]],
    outputs: list[str],
    path: str,
    pipe: Pipe,
) -> dict[str, Any]:
    """Writes the model to `path`, and says how far it is from torch on `tries`. `inputs`: an example of two rows at
    least. `axes`: which of their dimensions may vary."""
    import torch

    pipe.say(progress=f"exporting {type(model).__name__} by torch.onnx.export")
    try:
        torch.onnx.export(
            model,
            kwargs=inputs,
            f=path,
            dynamo=True,
            external_data=_bytes(model) > 1_900_000_000,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=axes,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:  # which says three lines of how to report it before why
        why = error.__cause__ or error
        raise Refused("export", f"torch.onnx.export: {type(why).__name__}: {str(why).splitlines()[0]}") from error
    pipe.say(progress="comparing with torch")
    compared: dict[str, Any] = {}
    for more in tries:
        expected = {key: value.numpy() for key, value in run_torch(model, more).items() if key in outputs}
        worse(compared, difference(path, {k: v.numpy() for k, v in more.items()}, expected, {}))
    return compared


def named(student: Any, inputs: list[str], names: list[str]) -> Any:
    """The module with its outputs by name, whatever it returns."""
    import inspect

    import torch

    from .matching import outputs_of

    class Student(torch.nn.Module):  # type: ignore[misc]  # torch is not where mypy runs
        def __init__(self) -> None:
            super().__init__()
            self.student = student

        def forward(self, **feeds: Any) -> dict[str, Any]:
            found = outputs_of(self.student, feeds, names)
            return {name: found[name] for name in names}

    kinds = inspect.Parameter
    fed = [kinds(name, kinds.POSITIONAL_OR_KEYWORD) for name in inputs]
    Student.forward.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # torch looks the names up in it
        [kinds("self", kinds.POSITIONAL_OR_KEYWORD), *fed]
    )
    return Student().eval()


def _bytes(model: Any) -> int:
    return sum(one.numel() * one.element_size() for one in model.parameters())


def _example(model: Any, batch: int, length: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Made-up inputs of a model by what it is mainly fed with, and which of their dimensions may vary."""
    import torch

    main, config = model.main_input_name, model.config
    if main == "pixel_values":
        size = getattr(config, "image_size", None) or 224
        height, width = size if isinstance(size, list | tuple) else (size, size)
        return {main: torch.rand(batch, getattr(config, "num_channels", 3), height, width)}, {main: {0: "batch_size"}}
    if main != "input_ids":
        raise Refused("unsupported", f"torch's exporter is only used for texts and images, and this takes {main}")
    axes = {0: "batch_size", 1: "sequence_length"}
    ids = torch.randint(0, config.get_text_config().vocab_size, (batch, length))
    names = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return names, dict.fromkeys(names, axes)
