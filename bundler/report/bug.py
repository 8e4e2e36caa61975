"""The log of a bug of ours: what a maintainer needs, in one file that can be pasted."""

from __future__ import annotations

import os
import platform
import tempfile
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

_TOOLS = ("mbundle", "onnx", "onnxruntime", "onnxsim", "onnx-ir", "numpy", "protobuf", "click")


def write_log(error: BaseException, arguments: Sequence[str]) -> str:
    """Writes the log to the temporary folder and returns its path."""
    lines = [
        f"mbundle {' '.join(arguments)}",
        f"python {platform.python_version()} on {platform.platform()}",
        *(f"{tool} {_version(tool)}" for tool in _TOOLS),
        "",
        "".join(traceback.format_exception(error)),
    ]
    handle, path = tempfile.mkstemp(prefix="mbundle-bug-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as log:
        log.write("\n".join(lines))
    return path


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
