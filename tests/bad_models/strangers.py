"""Bad models: not a model at all."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import zipfile
from pathlib import Path

from .table import bad, raw_file


@bad("MB201")
def file_missing(folder: Path) -> str:
    return str(folder / "nowhere.onnx")


@bad("MB201")
def link_to_nowhere(folder: Path) -> str:
    (folder / "model.onnx").symlink_to(folder / "gone.onnx")
    return str(folder / "model.onnx")


@bad("MB202")
def folder_named_as_a_model(folder: Path) -> str:
    (folder / "model.onnx").mkdir()
    return str(folder / "model.onnx")


@bad("MB202")
def fifo(folder: Path) -> str:
    os.mkfifo(folder / "model.onnx")
    return str(folder / "model.onnx")


@bad("MB202")
def link_to_a_device(folder: Path) -> str:
    (folder / "model.onnx").symlink_to("/dev/zero")
    return str(folder / "model.onnx")


@bad("MB207")
def zip_archive(folder: Path) -> str:
    with zipfile.ZipFile(folder / "model.onnx", "w") as archive:
        archive.writestr("archive/data.pkl", b"weights")
    return str(folder / "model.onnx")


_HEADER = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()

raw_file("empty-file", "MB204", b"")
raw_file("html-page", "MB205", b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>")
raw_file("html-page-after-a-bom", "MB205", b"\xef\xbb\xbf  <HTML lang=en><head></head></HTML>")
raw_file(
    "lfs-pointer", "MB206", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 90\n"
)
raw_file("safetensors", "MB207", len(_HEADER).to_bytes(8, "little") + _HEADER + bytes(16))
raw_file("tflite", "MB207", b"\x1c\0\0\0TFL3" + bytes(200))
raw_file("ort-format", "MB207", b"\x20\0\0\0ORTM" + bytes(200))
raw_file("json", "MB207", b'{"irVersion": 8, "graph": {"node": []}}')
raw_file("pickle", "MB207", pickle.dumps({"weight": [1.0, 2.0]}))
raw_file("hdf5", "MB207", b"\x89HDF\r\n\x1a\n" + bytes(100))
raw_file("gzip", "MB207", gzip.compress(b"\x08\x08" * 100))
raw_file("gguf", "MB207", b"GGUF\x03\0\0\0" + bytes(100))
raw_file("numpy", "MB207", b"\x93NUMPY\x01\0v\0{'descr': '<f4'}")
raw_file("xml", "MB207", b"<?xml version='1.0'?><net name='m'></net>")
raw_file("plain-text", "MB207", b"Please log in to download this model.\n")
raw_file("text-proto", "MB207", b'ir_version: 8\ngraph {\n  name: "g"\n}\n')
