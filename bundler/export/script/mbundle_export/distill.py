"""From a teacher to a student that does nearly the same: makes it, trains it, and writes it down as a checkpoint."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Any

from . import lesson, matching, pupil
from .examiner import Examiner
from .request import Lesson, Pipe, Refused
from .tasks import task_of
from .training import Training

_COPIED = (".json", ".txt", ".model", ".jinja")
_OF_THE_TEACHER = ("config.json", "generation_config.json")
_INDEX = ".index.json"


def distill(request: Lesson, pipe: Pipe) -> dict[str, Any]:
    """Files in the request's folder `out`: of a checkpoint, or, where the student is a module of the user's, of the
    model that it exports to (`parts`)."""
    import torch

    torch.use_deterministic_algorithms(True)
    torch.manual_seed(request["seed"])
    pipe.say(progress="loading the teacher")
    task = task_of(request)
    teacher = pupil.load_teacher(request, task)
    student = pupil.student_of(request, teacher)
    pipe.say(progress="reading the data")
    rows = lesson.read(request, teacher)
    learnt, held = lesson.parted(rows, request)
    feeds = rows.feeds(lesson.batches(learnt, rows.lengths(), 2, "first")[0])
    names = _outputs(student, teacher, feeds)
    examiner = Examiner(request, teacher, student, names, rows, held)
    training = Training(request, teacher, student, names, rows, learnt)
    training.run(lambda: examiner.value(pipe), pipe)
    progress = training.progress
    facts = {
        "task": task,
        "rows": len(learnt),
        "epochs": progress.epoch,
        "best": progress.at,
        "metric": progress.best,
        "history": progress.history,
        "parameters": {"teacher": _count(teacher), "student": _count(student)},
        "parts": [],
    }
    pipe.say(progress="writing the student")
    if request["module"]:
        facts |= _exported(request, student.eval(), names, feeds, pipe)
    else:
        student.save_pretrained(request["out"])
    _copy_files(request["folder"], request["out"], "" if request["module"] else _OF_THE_TEACHER)
    return facts


def _outputs(student: Any, teacher: Any, feeds: Mapping[str, Any]) -> list[str]:
    """Names of what is matched. Refused "student" where the student has not got it."""
    import torch

    with torch.no_grad():
        theirs = matching.outputs_of(teacher, feeds)
        names = [name for name in theirs if name != "hidden"]
        try:
            mine = matching.outputs_of(student, feeds, names)
        except Exception as error:
            said = str(error).split("\n")[0]
            raise Refused("student", f"it fails on the data: {type(error).__name__}: {said}") from error
    matching.refuse_others(mine, theirs)
    return names


def _count(model: Any) -> int:
    return sum(one.numel() for one in model.parameters())


def _exported(request: Lesson, student: Any, names: list[str], feeds: Mapping[str, Any], pipe: Pipe) -> dict[str, Any]:
    """At once, for nothing but the user's function can make that module again."""
    from .by_dynamo import exported, named

    widths = {name: one.shape[1:] for name, one in feeds.items()}
    moving = {name: {0: "batch_size"} | ({1: "sequence_length"} if _is_text(name, widths) else {}) for name in feeds}
    tries = [_bent(feeds, moving, *size) for size in ((1, 7), (3, 24))]
    path = os.path.join(request["out"], "model.onnx")
    compared = exported(named(student, list(feeds), names), dict(feeds), moving, tries, names, path, pipe)
    return {"parts": ["model.onnx"], "exporter": "dynamo", "why": "", "compared": compared}


def _is_text(name: str, widths: Mapping[str, Any]) -> bool:
    return name in lesson.TOKENS and len(widths[name]) == 1


def _bent(feeds: Mapping[str, Any], moving: Mapping[str, Any], batch: int, length: int) -> dict[str, Any]:
    """The same numbers in another shape."""
    import torch

    found = {}
    for name, tensor in feeds.items():
        wide = tensor[:1].repeat(batch, *[1] * (tensor.dim() - 1))
        if 1 in moving[name]:
            wide = torch.cat([wide] * (length // wide.shape[1] + 1), 1)[:, :length]
        found[name] = wide.contiguous()
    return found


def _copy_files(source: str, target: str, own: tuple[str, ...] | str) -> None:
    """The tokenizer and the like: what a page needs beside the model."""
    for name in sorted(os.listdir(source)):
        wanted = name.endswith(_COPIED) and not name.endswith(_INDEX) and not name.startswith(".")
        if wanted and name not in own and not os.path.exists(os.path.join(target, name)):
            shutil.copyfile(os.path.join(source, name), os.path.join(target, name))
