"""From an entry's `source` to the absolute path of one .onnx file. No model is opened: names and stats are enough."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from ..errors import printable
from .files import existing, names, readable
from .findings import Bad
from .packages import add_command, installed, node_module, python_command, records
from .suggest import closest

_DISTRIBUTION = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
_NPM = r"(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*"
_SCHEME = r"(?s)([A-Za-z][A-Za-z0-9+.-]+):(?!\\)(.*)"
_FORMATS = {
    ".bin": "PyTorch or Hugging Face weights",
    ".gguf": "a llama.cpp model",
    ".h5": "a Keras model",
    ".keras": "a Keras model",
    ".mlmodel": "a Core ML model",
    ".ort": "a model in onnxruntime's own format",
    ".pb": "a TensorFlow graph",
    ".pt": "a PyTorch checkpoint",
    ".pth": "a PyTorch checkpoint",
    ".safetensors": "weights without a graph",
    ".tflite": "a TensorFlow Lite model",
}


class Candidates(NamedTuple):
    """`.onnx` files of a folder, by name. With `nested`, they lie deeper, as relative paths."""

    names: list[str]
    nested: bool = False


def resolve(source: str, root: str) -> str:
    """Absolute path of the .onnx file that `source` stands for. Raises Bad."""
    scheme = re.fullmatch(_SCHEME, source)
    if scheme is None:
        return model_file(os.path.join(root, source), source, root)
    kind, rest = scheme[1], scheme[2]
    if kind == "package":
        return _from_distribution(rest, source)
    if kind == "npm":
        return _from_npm(rest, source, root)
    raise Bad(*_no_scheme(kind, rest, source), code="MB146")


def _no_scheme(kind: str, rest: str, source: str) -> tuple[str, str | None]:
    near = closest(kind, ("package", "npm", "hf"))
    if kind.lower() == "huggingface":
        return 'starts with "huggingface:", which is no kind of source', f'Write "hf:{printable(rest)}".'
    if rest.startswith("//"):
        return f'is an address, "{printable(source)}": mbundle downloads nothing', None
    known = {"pip": "package", "pypi": "package", "python": "package", "node": "npm"}
    meant = known.get(kind.lower(), near)
    fix = f'Did you mean "{meant}:{printable(rest)}"?' if meant else None
    return f'starts with "{kind}:", which is no kind of source', fix


def model_file(path: str, source: str, base: str, prefix: str = "") -> str:
    """`path` if it is an .onnx file, or the one .onnx file in the folder `path`."""
    path = os.path.normpath(path)
    status = existing(path, "MB140", source, base, prefix)
    if stat.S_ISDIR(status.st_mode):
        return _only_model(path, source)
    readable(path, status)
    extension = os.path.splitext(path)[1].lower()
    if extension == ".onnx":
        return path
    what = _FORMATS.get(extension, f'a "{extension}" file' if extension else "a file without an extension")
    raise Bad(f'is "{printable(source)}", {what}, not an .onnx file', code="MB141")


def _only_model(folder: str, source: str) -> str:
    found = _candidates(folder)
    if len(found.names) == 1 and not found.nested:
        path = os.path.join(folder, found.names[0])
        readable(path, os.stat(path))
        return path
    shown = source.rstrip("/")
    if not found.names:
        raise Bad(f'is the folder "{printable(source)}", which holds no .onnx file', code="MB142")
    listed = ", ".join(printable(name) for name in found.names[:8]) + (", …" if len(found.names) > 8 else "")
    fix = f'Name one, for example source="{printable(shown)}/{printable(found.names[0])}".'
    where = "holds its .onnx files deeper" if found.nested else f"holds {len(found.names)} .onnx files"
    raise Bad(f'is the folder "{printable(source)}", which {where}: {listed}', fix, code="MB142")


def _candidates(folder: str) -> Candidates:
    direct = [name for name in names(folder) if _is_model(name) and os.path.isfile(os.path.join(folder, name))]
    return Candidates(direct) if direct else Candidates(sorted(islice(_deeper(folder), 20)), nested=True)


def _deeper(folder: str) -> Iterator[str]:
    """.onnx files up to two folders down, in a walk of at most 500 folders."""
    for top, folders, files in islice(os.walk(folder), 500):
        below = os.path.relpath(top, folder)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if below.count(os.sep) < 1 else []
        yield from (os.path.normpath(os.path.join(below, name)) for name in files if _is_model(name))


def _is_model(name: str) -> bool:
    return name.lower().endswith(".onnx") and not name.startswith(".")


def _from_distribution(rest: str, source: str) -> str:
    name, _, inside = rest.partition("/")
    if not re.fullmatch(_DISTRIBUTION, name) or not inside.strip("/"):
        raise Bad(f'must be "package:<distribution>/<path>", not "{printable(source)}"', code="MB146")
    _contained(inside, source)
    found = installed(name)
    if found is None:
        fix = f"Run `{python_command()} -m pip install {name}`."
        raise Bad(f'needs the Python package "{name}", which is not installed here', fix, code="MB143")
    path = model_file(os.path.join(found.folder, inside), source, found.folder, f"package:{name}/")
    if not records(found, os.path.relpath(path, found.folder)):
        raise Bad(f'is "{printable(source)}", which is a file of another package than {name}', code="MB145")
    return path


def _from_npm(rest: str, source: str, root: str) -> str:
    parts = rest.split("/")
    size = 2 if rest.startswith("@") else 1
    name, inside = "/".join(parts[:size]), "/".join(parts[size:])
    if not re.fullmatch(_NPM, name) or not inside.strip("/"):
        raise Bad(f'must be "npm:<package>/<path>", not "{printable(source)}"', code="MB146")
    _contained(inside, source)
    package = node_module(name, root)
    if package is None:
        fix = f"Run `{add_command(root)} {name}`."
        raise Bad(f'needs the npm package "{name}", which is not in node_modules', fix, code="MB144")
    path = model_file(os.path.join(package, inside), source, package, f"npm:{name}/")
    _below(path, package, source)
    return path


def _contained(inside: str, source: str) -> None:
    if inside.startswith("/") or "\\" in inside or ".." in inside.split("/"):
        raise Bad(f'is "{printable(source)}", which leads out of the package', code="MB145")


def _below(path: str, folder: str, source: str) -> None:
    """Refuses a file that a link inside the package leads elsewhere; a link to the package itself (pnpm) is fine."""
    base = os.path.realpath(folder)
    real = os.path.realpath(path)
    if real != base and not real.startswith(base + os.sep):
        raise Bad(f'is "{printable(source)}", a link that leads out of the package', code="MB145")
