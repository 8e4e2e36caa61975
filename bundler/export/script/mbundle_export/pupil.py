"""The student: the teacher with fewer layers or narrower ones and what it knows of that, or a user's own module."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any

from .request import Lesson, Refused


def load_teacher(request: Lesson, task: str) -> Any:
    import torch
    import transformers

    from .tasks import read_config

    config = read_config(request)
    if getattr(config, "is_encoder_decoder", False):
        raise Refused("student", f"{config.model_type} has an encoder and a decoder, which cannot be distilled")
    names = [name for name in getattr(config, "architectures", None) or () if hasattr(transformers, name)]
    kind = getattr(transformers, "AutoModel" if request["task"] == "feature-extraction" or not names else names[0])
    if request["task"] not in ("auto", "feature-extraction", task):
        raise Refused("task", f"its config names {', '.join(names)}, which is for {task}")
    model = kind.from_pretrained(request["folder"], torch_dtype=torch.float32, local_files_only=True).eval()
    if getattr(model.config, "use_cache", None) is not None:
        model.config.use_cache = False
    return model.requires_grad_(False)


def student_of(request: Lesson, teacher: Any) -> Any:
    """Refused "student". A smaller teacher learns without dropout, for the teacher has none either; a module of the
    user's as it was made for."""
    if request["module"]:
        return _of_function(request["module"], request["function"], teacher).train()
    return _smaller(teacher, request["student"]).eval()


def kept_layers(many: int, few: int) -> list[int]:
    """Of `many` layers the last one of each of `few` groups: whose output the student's layer is to give."""
    return [round((index + 1) * many / few) - 1 for index in range(few)]


def _smaller(teacher: Any, wished: Mapping[str, int]) -> Any:
    import torch

    config = copy.deepcopy(teacher.config)
    for name, value in wished.items():
        was = getattr(config, name, None)
        if not isinstance(was, int) or isinstance(was, bool):
            known = sorted(key for key, one in config.to_dict().items() if type(one) is int and one > 1)
            raise Refused("student", f"{config.model_type} has no {name}; it has {', '.join(known)}")
        if not 1 <= value <= was:
            raise Refused("student", f"{name} of the teacher is {was}, so the student cannot have {value}")
        setattr(config, name, value)
    many = teacher.config.num_hidden_layers
    kept = kept_layers(many, config.num_hidden_layers)
    for name, value in list(vars(config).items()):
        if isinstance(value, list) and len(value) == many != len(kept):  # the kind of each layer
            setattr(config, name, [value[layer] for layer in kept])
    config._name_or_path = ""
    try:
        student = type(teacher)(config)
    except (ValueError, AssertionError, RuntimeError, ZeroDivisionError) as error:
        raise Refused("student", f"it cannot be made: {str(error).splitlines()[0]}") from error
    with torch.no_grad():
        _learn_by_heart(student, teacher, kept)
    if hasattr(student, "tie_weights"):
        student.tie_weights()
    _keep_words(student, teacher)
    return student


def _learn_by_heart(student: Any, teacher: Any, kept: Sequence[int]) -> None:
    """Every tensor of the student is what the teacher has there, or the part of it that there is room for."""
    stacks = _stacks(teacher, teacher.config.num_hidden_layers)
    known, places = teacher.state_dict(), student.state_dict()
    sources = {name: _source(name, stacks, kept) for name in places}
    wide, narrow = (getattr(one.config, "intermediate_size", 0) for one in (teacher, student))
    best: dict[str, Any] = {}
    if wide != narrow:
        best = _strongest([(_layer(sources[name]), known[sources[name]]) for name in places], wide, narrow)
    for name, place in places.items():
        found = known[sources[name]]
        for axis, (had, has) in enumerate(zip(found.shape, place.shape, strict=True)):
            if had != has:
                chosen = best.get(_layer(sources[name])) if (had, has) == (wide, narrow) else None
                found = found.narrow(axis, 0, has) if chosen is None else found.index_select(axis, chosen)
        place.copy_(found)


def _stacks(model: Any, count: int) -> list[str]:
    """Names of the lists that hold the layers."""
    from torch.nn import ModuleList

    found: list[str] = []
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{one}.") for one in found)
        if isinstance(module, ModuleList) and len(module) == count and not inside:
            found.append(name)
    if not found:
        raise Refused("student", f"no list of {count} layers is found in {type(model).__name__}")
    return found


def _source(name: str, stacks: Sequence[str], kept: Sequence[int]) -> str:
    for stack in stacks:
        if name.startswith(f"{stack}."):
            index, _, rest = name[len(stack) + 1 :].partition(".")
            return f"{stack}.{kept[int(index)]}.{rest}"
    return name


def _layer(name: str) -> str:
    """All before what follows the first number: "encoder.layer.3"."""
    parts = name.split(".")
    place = next((index for index, part in enumerate(parts) if part.isdecimal()), -1)
    return ".".join(parts[: place + 1])


def _strongest(tensors: Sequence[tuple[str, Any]], wide: int, narrow: int) -> dict[str, Any]:
    """Layer -> the inner neurons with the largest weights, in their order."""
    import torch

    strength: dict[str, Any] = {}
    for layer, tensor in tensors:
        for axis, size in enumerate(tensor.shape):
            if size == wide:
                others = [one for one in range(tensor.dim()) if one != axis]
                strength[layer] = strength.get(layer, 0) + (tensor.pow(2).sum(others) if others else tensor.pow(2))
    return {layer: torch.topk(found, narrow).indices.sort().values for layer, found in strength.items()}


def _keep_words(student: Any, teacher: Any) -> None:
    """Embeddings that are the teacher's whole stay so: most words are not in the lesson, and would drift."""
    import torch

    mine, theirs = student.get_input_embeddings(), teacher.get_input_embeddings()
    if mine is not None and theirs is not None and hasattr(mine, "weight") and torch.equal(mine.weight, theirs.weight):
        mine.weight.requires_grad_(False)


def _of_function(path: str, name: str, teacher: Any) -> Any:
    """What the user's `name(teacher)` in the file `path` returns. Refused "student"."""
    import importlib.util

    import torch

    spec = importlib.util.spec_from_file_location("mbundle_student", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    shown = os.path.basename(path)
    try:
        spec.loader.exec_module(module)
        make = getattr(module, name, None)
        if not callable(make):
            raise Refused("student", f"{shown} has no function {name}")
        made = make(teacher)
    except Refused:
        raise
    except Exception as error:
        said = str(error).split("\n")[0]
        raise Refused("student", f"{name} of {shown} raised {type(error).__name__}: {said}") from error
    if not isinstance(made, torch.nn.Module):
        raise Refused("student", f"{name} of {shown} returned {type(made).__name__}, not a torch.nn.Module")
    return made
