"""The table of bad models and the means to fill it: name -> (builder, expected code)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from onnx import ModelProto, helper

from fixtures import models as good

Builder = Callable[[Path], str]
BAD: dict[str, tuple[Builder, str]] = {}

WIDTH = 32
BYTES = WIDTH * WIDTH * 4


def bad(code: str) -> Callable[[Builder], Builder]:
    def register(builder: Builder) -> Builder:
        BAD[builder.__name__.replace("_", "-")] = builder, code
        return builder

    return register


def edited(
    name: str, code: str, edit: Callable[[ModelProto], object], base: Callable[[], ModelProto] | None = None
) -> None:
    """Registers a good model (a matrix product, see `product`) after `edit`."""

    def builder(folder: Path) -> str:
        model = (base or product)()
        edit(model)
        return good.save(model, folder / "model.onnx")

    BAD[name] = builder, code


def raw_file(name: str, code: str, data: bytes, file: str = "model.onnx") -> None:
    def builder(folder: Path) -> str:
        (folder / file).write_bytes(data)
        return str(folder / file)

    BAD[name] = builder, code


def external(
    name: str, code: str, *, prepare: Callable[[Path], object] = lambda folder: None, **entries: object
) -> None:
    """Registers `product` whose weight has these external_data entries; `weights.bin` holds the right bytes."""

    def builder(folder: Path) -> str:
        (folder / "weights.bin").write_bytes(good.noise(0, WIDTH, WIDTH).tobytes())
        prepare(folder)
        model = product()
        weight = good.refer(model.graph.initializer[0], "weights.bin")
        del weight.external_data[:]
        for key, value in entries.items():
            weight.external_data.add(key=key, value=str(value))
        return good.save(model, folder / "model.onnx")

    BAD[name] = builder, code


def product() -> ModelProto:
    """x [2, 32] times w -> m; Relu -> y."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"], name="product"),
        helper.make_node("Relu", ["m"], ["y"], name="relu"),
    ]
    ports = [good.port("x", [2, WIDTH])], [good.port("y", [2, WIDTH])]
    return good.make(nodes, *ports, [good.tensor("w", good.noise(0, WIDTH, WIDTH))])


def add_node(*args: object, **attributes: object) -> Callable[[ModelProto], object]:
    return lambda model: model.graph.node.append(helper.make_node(*args, **attributes))


def field(number: int, payload: bytes) -> bytes:
    """One length-delimited protobuf field with an honest length."""
    size, out = len(payload), bytearray([number << 3 | 2])
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes(out) + bytes([size]) + payload


def write(folder: Path, data: bytes) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(data)
    return path
