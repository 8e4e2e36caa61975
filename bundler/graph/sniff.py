"""Looks at the first bytes of a file: is this a model at all, and if not, what is it?

Each answer is a message of its own, because each has another remedy. Nothing but a regular file is ever opened:
a FIFO would wait for ever and a device has no end.
"""

from __future__ import annotations

import os
import stat

from ..catalogue import problem
from ..errors import InputError, printable

HEAD = 512
LFS = b"version https://git-lfs.github.com/spec/"
_CONVERT = "Export or convert it to ONNX first, and name the .onnx file as the source."

_FORMATS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"PK\x03\x04", "a zip archive (PyTorch checkpoints, Keras models and .npz files are such)", _CONVERT),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras weights are such)", _CONVERT),
    (0, b"\x1f\x8b", "gzip-compressed", "Decompress it with gunzip and name the result."),
    (0, b"\x28\xb5\x2f\xfd", "zstd-compressed", "Decompress it with unzstd and name the result."),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it and name the .onnx file inside."),
    (0, b"GGUF", "a GGUF file, which llama.cpp reads", _CONVERT),
    (0, b"\x93NUMPY", "a NumPy array", _CONVERT),
    (0, b"\x89PNG", "a PNG image", "Name the .onnx file of the model."),
    (0, b"\x00asm", "a WebAssembly module", "Name the .onnx file of the model."),
    (4, b"TFL3", "a TensorFlow Lite model", "Convert it to ONNX with tf2onnx --tflite, and name the result."),
    (4, b"ORTM", "a model in ONNX Runtime's .ort format", "Name the .onnx file that it was made from."),
)


def sniff(path: str) -> os.stat_result:
    """The stat of the file at `path`. Raises InputError when it is no file, or plainly something else than a model."""
    status = _regular(path)
    if status.st_size == 0:
        raise InputError(problem("MB204", "the file is empty", file=path))
    refuse_foreign(path, _head(path), status.st_size)
    return status


def _regular(path: str) -> os.stat_result:
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        code = "MB203" if isinstance(error, PermissionError) else "MB201"
        raise InputError(problem(code, f"cannot open the model: {_reason(error)}", file=path)) from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(problem("MB202", "this is a folder, not a file", file=path))
    if not stat.S_ISREG(status.st_mode):
        raise InputError(problem("MB202", "this is a device, pipe or socket, not a file", file=path))
    return status


def _head(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(problem("MB203", f"cannot read the model: {_reason(error)}", file=path)) from error
    with open(descriptor, "rb") as file:
        return file.read(HEAD)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).lower()


def refuse_foreign(path: str, head: bytes, size: int) -> None:
    """Raises InputError when `head` is that of a format which is not ONNX."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise InputError(problem("MB205", "this is an HTML page, not a model", file=path))
    if head.startswith(LFS):
        raise InputError(problem("MB206", "this is a Git LFS pointer; the model itself was not downloaded", file=path))
    name, fix = _format(head, text, size)
    if name:
        raise InputError(problem("MB207", f"this is {name}, not an ONNX model", fix=fix, file=path))


def _format(head: bytes, text: bytes, size: int) -> tuple[str, str]:
    for offset, magic, name, fix in _FORMATS:
        if head[offset : offset + len(magic)] == magic:
            return name, fix
    if head[8:10] == b'{"' and 2 <= int.from_bytes(head[:8], "little") <= size - 8:
        return "a safetensors file: weights without a graph", _CONVERT
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a Python pickle (old PyTorch checkpoints are such)", _CONVERT
    if text.startswith((b"<?xml", b"<net ")):
        return "XML (OpenVINO models are such)", _CONVERT
    return _text_format(head, text)


def _text_format(head: bytes, text: bytes) -> tuple[str, str]:
    if text[:1] in (b"{", b"[") and _is_text(head):
        return "JSON text", "Name the binary .onnx file; a JSON rendering of a model cannot be run."
    if text.startswith((b"ir_version:", b"opset_import", b"graph {")):
        return "a text rendering of a model", "Name the binary .onnx file."
    if _is_text(head) and len(head) > 16:
        return f'plain text that begins "{printable(head[:24].decode("ascii"), 24)}"', "Name the binary .onnx file."
    return "", ""


def _is_text(head: bytes) -> bool:
    return head.isascii() and all(byte >= 32 or byte in b"\t\n\r\f" for byte in head)
