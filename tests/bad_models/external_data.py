"""Bad models: external data."""

from __future__ import annotations

import os
from pathlib import Path

from fixtures import models as good

from .table import BYTES, bad, external, product

external("external-no-location", "MB250", offset=0)
external("external-empty-location", "MB250", location="")
external("external-missing", "MB252", location="gone.bin")
external("external-missing-folder", "MB252", location="sub/weights.bin")
external("external-climbs-out", "MB251", location="../weights.bin")
external("external-climbs-out-and-back", "MB251", location="sub/../../weights.bin")
external("external-climbs-with-backslashes", "MB251", location="..\\weights.bin")
external("external-absolute", "MB251", location="/etc/passwd")
external("external-device", "MB251", location="/dev/zero")
external("external-drive-letter", "MB251", location="C:\\weights.bin")
external("external-url", "MB251", location="file:///etc/passwd")
external("external-home", "MB251", location="~/weights.bin")
external("external-nul", "MB251", location="weights.bin\0.txt")
external("external-memory-address", "MB251", location="*/_ORT_MEM_ADDR_/*", offset=4096, length=BYTES)
external(
    "external-link-out", "MB253", location="link.bin", prepare=lambda f: (f / "link.bin").symlink_to("/etc/passwd")
)
external(
    "external-link-to-a-device",
    "MB253",
    location="link.bin",
    prepare=lambda f: (f / "link.bin").symlink_to("/dev/zero"),
)
external("external-linked-folder", "MB253", location="etc/passwd", prepare=lambda f: (f / "etc").symlink_to("/etc"))
external("external-link-loop", "MB258", location="loop", prepare=lambda f: (f / "loop").symlink_to("loop"))
external("external-dangling-link", "MB252", location="link", prepare=lambda f: (f / "link").symlink_to("gone"))
external("external-fifo", "MB254", location="pipe", prepare=lambda f: os.mkfifo(f / "pipe"))
external("external-folder", "MB254", location="sub", prepare=lambda f: (f / "sub").mkdir())
external("external-itself", "MB255", location="model.onnx")
external("external-name-too-long", "MB258", location="a" * 300)
external("external-offset-past-end", "MB256", location="weights.bin", offset=BYTES + 1)
external("external-offset-just-past", "MB256", location="weights.bin", offset=1, length=BYTES)
external("external-offset-negative", "MB256", location="weights.bin", offset=-1)
external("external-offset-2-63", "MB256", location="weights.bin", offset=1 << 63)
external("external-offset-text", "MB256", location="weights.bin", offset="abc")
external("external-offset-hex", "MB256", location="weights.bin", offset="0x10")
external("external-length-negative", "MB256", location="weights.bin", length=-5)
external("external-length-text", "MB256", location="weights.bin", length="all")
external("external-length-past-end", "MB256", location="weights.bin", length=BYTES + 4)
external("external-length-short", "MB257", location="weights.bin", length=BYTES - 4)
external("external-length-zero", "MB257", location="weights.bin", length=0)
external("external-file-short", "MB256", location="weights.bin", prepare=lambda f: os.truncate(f / "weights.bin", 100))
external("external-file-empty", "MB256", location="weights.bin", prepare=lambda f: os.truncate(f / "weights.bin", 0))


@bad("MB255")
def external_itself_by_hard_link(folder: Path) -> str:
    model = product()
    good.refer(model.graph.initializer[0], "twin.bin")
    path = good.save(model, folder / "model.onnx")
    os.link(path, folder / "twin.bin")
    return path


@bad("MB257")
def external_too_long_for_its_shape(folder: Path) -> str:
    path = folder / "weights.bin"
    path.write_bytes(bytes(2 * BYTES))
    model = product()
    good.refer(model.graph.initializer[0], "weights.bin", 0, 2 * BYTES)
    return good.save(model, folder / "model.onnx")


@bad("MB250")
def external_location_twice(folder: Path) -> str:
    model = product()
    good.refer(model.graph.initializer[0], "a.bin").external_data.add(key="location", value="b.bin")
    return good.save(model, folder / "model.onnx")
