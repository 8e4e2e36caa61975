"""`distill(...)` as a source: a student to be trained, and all that this will read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import printable
from . import values
from .checkpoints import find_checkpoint, with_options
from .declare import distill
from .files import existing, gathered, readable
from .findings import Bad
from .part import Part
from .schema import DistillSpec, ExportSpec, GoldenSpec

LAYERS = "num_hidden_layers"
_DATA = (".txt", ".npz")
_FUNCTION = r"(.+\.py):([A-Za-z_]\w*)"


def read_distill(top: Part, entry: Part, declared: distill) -> tuple[str, ExportSpec | None]:
    """(as people know it, what is to be done); None where something is wrong, which is reported."""
    part = Part(declared, top.reading, entry.entry)
    root = part.reading.env.root
    known = len(part.findings.problems)
    written = part.get("teacher", values.path)
    teacher = part.get("teacher", lambda value: _teacher(value, root))
    student, module, function = part.get("student", lambda value: _student(value, root)) or ((), "", "")
    data = part.get("data", lambda value: _data(value, root)) or ()
    spec = DistillSpec(
        teacher=teacher.folder if teacher else "",
        student=student,
        module=module,
        function=function,
        data=data,
        data_folder=_folder_of(part.given.get("data"), root),
        epochs=part.get("epochs", values.whole(1, 100_000)),
        batch_size=part.get("batch_size", values.whole(1, 100_000)),
        learning_rate=part.get("learning_rate", values.number(1e-9, 1)),
        max_length=part.get("max_length", values.whole(1, 100_000)),
        patience=part.get("patience", values.whole(1, 100_000)),
        seed=part.get("seed", values.whole(0, 1_000_000)),
    )
    source = f"distill({written})"
    if len(part.findings.problems) > known or not teacher:
        return source, None
    read = (*teacher.files, *data, *filter(None, (module,)))
    return source, replace(with_options(teacher, top, entry, root), folder="", files=read, distill=spec)


def with_golden(export: ExportSpec | None, golden: GoldenSpec | None) -> ExportSpec | None:
    """A student stops learning when the golden set says so: once there is one."""
    if export is None or export.distill is None or golden is None or not golden.path:
        return export
    return replace(export, distill=replace(export.distill, golden=replace(golden, at_least=None, also=())))


def _teacher(value: Any, root: str) -> ExportSpec:
    written = values.path(value)
    found = find_checkpoint(written, root)
    if found is None:
        if not written.startswith("hf:"):
            existing(os.path.normpath(os.path.join(root, written)), "MB140", written, root)
        raise Bad(f'is "{printable(written)}", which is no checkpoint', code="MB360")
    return found


def _student(value: Any, root: str) -> tuple[tuple[tuple[str, int], ...], str, str]:
    """(numbers of the config, file, function)."""
    if isinstance(value, str):
        return (), *_function(value, root)
    if isinstance(value, Mapping):
        if not value:
            raise Bad("must name what is smaller, and is empty", f'Write {{"{LAYERS}": 3}}.', code="MB113")
        return tuple(sorted(_number(name, one) for name, one in value.items())), "", ""
    if isinstance(value, bool) or not isinstance(value, int):
        fix = f'Write a number of layers, {{"{LAYERS}": 3, "intermediate_size": 768}}, or "student.py:make".'
        raise Bad(f"must be a number of layers, numbers of the config or a function, not {values.shown(value)}", fix)
    return (_number(LAYERS, value),), "", ""


def _number(name: Any, value: Any) -> tuple[str, int]:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z]\w*", name, re.ASCII):
        raise Bad(f"must map names of the teacher's config.json to numbers, not {values.shown(name)}", path=(name,))
    try:
        return name, values.whole(1, 100_000)(value)
    except Bad as bad:
        raise Bad(bad.what if name == LAYERS else f"[{name}] {bad.what}", bad.fix, code=bad.code) from None


def _function(value: str, root: str) -> tuple[str, str]:
    match = re.fullmatch(_FUNCTION, values.text(value))
    if match is None:
        raise Bad(
            f'must be "<file>.py:<function>", not {values.shown(value)}', 'Write "student.py:make".', code="MB113"
        )
    path = os.path.normpath(os.path.join(root, match[1]))
    readable(path, existing(path, "MB148", match[1], root))
    return path, match[2]


def _data(value: Any, root: str) -> tuple[str, ...]:
    found = gathered(value, root, _DATA)
    if len({os.path.splitext(name)[1].lower() for name in found}) > 1:
        raise Bad(f"is {values.shown(value)}, a folder with both texts and feeds", "Keep one kind.", code="MB113")
    return tuple(os.path.normpath(os.path.join(root, name)) for name in found)


def _folder_of(value: Any, root: str) -> str:
    path = os.path.normpath(os.path.join(root, value)) if isinstance(value, str | os.PathLike) else ""
    return path if path and os.path.isdir(path) else ""
