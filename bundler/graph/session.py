"""Opens an onnxruntime session on a Model in place: the runtime maps the weights from where they are.

Locations are real paths below "/", which onnxruntime is told to be the model's folder. With prepacking and
optimisation off, a model of 2.5 GiB costs no anonymous memory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..catalogue import problem
from ..errors import InputError, printable
from .model import INLINE_BELOW, Model
from .write import graph_file

Level = Literal["none", "basic", "extended"]
_FOLDER = "session.model_external_initializers_file_folder_path"
_WRITTEN = "session.optimized_model_external_initializers_file_name"
_WRITTEN_FROM = "session.optimized_model_external_initializers_min_size_in_bytes"
_SILENT = 4


def open_session(
    model: Model,
    *,
    level: Level = "none",
    prepack: bool = False,
    threads: int = 1,
    config: Mapping[str, str] | None = None,
) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU. `config`: further session config entries.

    Raises what onnxruntime raises, and InputError when a path cannot be told to it.
    """
    import onnxruntime as ort

    options = _options(level, threads)
    options.add_session_config_entry("session.disable_prepacking", "0" if prepack else "1")
    for key, value in (config or {}).items():
        options.add_session_config_entry(key, value)
    return ort.InferenceSession(in_place(model), options, providers=["CPUExecutionProvider"])


def optimize_to(model: Model, path: str, *, level: Level, leave_out: Sequence[str] = ()) -> None:
    """Writes what onnxruntime makes of the model to `path`, the weights beside it in "<path>.data".

    `leave_out`: names of onnxruntime's optimizers. Raises what onnxruntime raises.
    """
    import onnxruntime as ort

    options = _options(level, threads=1)
    options.optimized_model_filepath = path
    options.add_session_config_entry(_WRITTEN, os.path.basename(path) + ".data")
    options.add_session_config_entry(_WRITTEN_FROM, str(INLINE_BELOW))
    options.add_session_config_entry("session.disable_prepacking", "1")
    ort.InferenceSession(
        in_place(model), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(leave_out)
    )


def _options(level: Level, threads: int) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = {
        "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
        "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
        "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    }[level]
    options.intra_op_num_threads = threads
    options.log_severity_level = _SILENT
    options.add_session_config_entry(_FOLDER, "/")
    return options


def in_place(model: Model) -> bytes:
    """The graph with each weight's location as its real path below "/"."""
    regions = [weight.region for weight in model.weights]
    return graph_file(model, [(_below_root(region.path), region.offset) for region in regions])


def _below_root(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        shown = printable(path.encode("utf-8", "backslashreplace").decode())
        raise InputError(problem("MB264", f"the path {shown} is not UTF-8", file=shown)) from error
    return path.removeprefix("/")
