"""Bad models: broken protobuf."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fixtures import models as good

from .table import bad, field, product, raw_file, write

raw_file("random-bytes", "MB209", np.random.default_rng(7).bytes(4096))
raw_file("overlong-number", "MB209", b"\x08" + b"\xff" * 11 + b"\x01")
raw_file("number-over-64-bits", "MB209", b"\x08" + b"\xff" * 9 + b"\x7f")
raw_file("field-zero", "MB209", b"\x00\x01" * 40)
raw_file("wire-type-7", "MB209", b"\x0f\x01")
raw_file("length-of-2-gib", "MB208", b"\x08\x08\x3a\xff\xff\xff\xff\x07" + bytes(64))
raw_file("length-of-2-63", "MB208", b"\x08\x08\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(64))
raw_file("number-cut-off", "MB208", b"\x08\x88")
raw_file("no-graph", "MB212", b"\x08\x08\x12\x04tool")
raw_file("zero-bytes", "MB209", bytes(5000))


@bad("MB208")
def truncated_in_the_weights(folder: Path) -> str:
    path = Path(good.save(product(), folder / "model.onnx"))
    path.write_bytes(path.read_bytes()[:-2000])
    return str(path)


@bad("MB208")
def truncated_by_a_byte(folder: Path) -> str:
    path = Path(good.save(good.conv_net(), folder / "model.onnx"))
    path.write_bytes(path.read_bytes()[:-1])
    return str(path)


@bad("MB210")
def nested_too_deep(folder: Path) -> str:
    graph = field(2, b"innermost")
    for _ in range(1000):
        graph = field(2, b"g") + field(1, field(5, field(1, b"body") + field(6, graph)))
    return str(write(folder, b"\x08\x08" + field(7, graph)))


@bad("MB210")
def nested_too_deep_but_small(folder: Path) -> str:
    graph = b""
    for _ in range(60):
        graph = field(1, field(5, field(6, graph)))
    return str(write(folder, b"\x08\x08" + field(7, graph)))
