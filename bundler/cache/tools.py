"""Versions of installed distributions, read off the names of their dist-info folders.

`importlib.metadata` takes 25 ms to import and reads every METADATA file it meets; a no-change build has 150 ms
altogether. It remains the fallback for what has no dist-info folder (eggs, zipped installs).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

BUILD_TOOLS = ("ml-dtypes", "numpy", "onnx", "onnx-ir", "onnxruntime", "onnxsim", "protobuf")
"""Whose behaviour a build's bytes depend on, whatever its loaders are."""


def versions(names: Iterable[str]) -> dict[str, str]:
    """Version of each distribution, "absent" where it is not installed. Sorted by name."""
    found = _installed(tuple(sys.path))
    return {name: found.get(_normal(name)) or _metadata_version(name) for name in sorted(set(names))}


def interpreter() -> dict[str, str]:
    """Python and the machine: constant folding computes in floating point, on this kind of processor."""
    machine = os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", "")
    return {"python": ".".join(map(str, sys.version_info[:3])), "machine": f"{sys.platform} {machine}"}


def _installed(path: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for folder in path:
        for item in _listing(folder or "."):
            if item.endswith(".dist-info"):
                name, _, version = item[: -len(".dist-info")].partition("-")
                found.setdefault(_normal(name), version)  # the first folder on the path is the one that is imported
    return found


def _listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _metadata_version(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"
