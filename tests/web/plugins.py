"""Apps that use mbundle by its plugins, under the bundlers that they are for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import psutil
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
APP = Path(__file__).parent / "apps" / "plugins"
COMMAND = (sys.executable, "-m", "bundler")
CONFIG = """from bundler import Chunks, Entry, Output, define_config

config = define_config(
    entries={"scorer": Entry(source="scorer.onnx")},
    output=Output(dir="mbundle-output"),
    chunks=Chunks(min_size="64 KiB", max_size="64 KiB"),
)
"""


def save(folder: Path, scale: float) -> None:
    """A model whose first answer is about 64 x `scale`: large weights that stay, and a small one, the edit."""
    fixed = np.random.default_rng(7).standard_normal((64, 4096), np.float32)
    last = np.full((64, 64), scale, np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "fixed"], ["h"]),
        helper.make_node("ReduceMean", ["h"], ["m"], keepdims=1),
        helper.make_node("MatMul", ["x", "last"], ["z"]),
        helper.make_node("Mul", ["m", "zero"], ["n"]),
        helper.make_node("Add", ["z", "n"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 64]) for name in "xy"]
    weights = [numpy_helper.from_array(value, name) for name, value in (("fixed", fixed), ("last", last))]
    weights.append(numpy_helper.from_array(np.zeros(1, np.float32), "zero"))
    graph = helper.make_graph(nodes, "scorer", ports[:1], ports[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "scorer.onnx.part")
    os.replace(folder / "scorer.onnx.part", folder / "scorer.onnx")


def make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "node_modules").symlink_to((ROOT / "node_modules").resolve())
    (folder / "web").mkdir()
    (folder / "web" / "index.html").write_text(
        '<!doctype html><title>app</title><body><script src="/main.js"></script>'
    )
    (folder / "model.config.py").write_text(CONFIG)
    shutil.copy(APP / "main.js", folder)
    save(folder, 1.0)
    return folder


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def build(bundler: str, folder: Path, base: str) -> Path:
    done = subprocess.run(line(bundler, "build", folder, base), env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out"


def line(bundler: str, verb: str, folder: Path, base: str) -> list[str]:
    return ["node", str(APP / "run.mjs"), bundler, verb, str(folder), str(ROOT / "templates"), base, *COMMAND]


@dataclass
class Dev:
    """A dev server that runs. `lines`: what it has printed."""

    process: subprocess.Popen[str]
    url: str = ""
    lines: list[str] = field(default_factory=list)

    def family(self) -> list[psutil.Process]:
        """The server and whatever it has started."""
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)


@contextmanager
def serving(bundler: str, folder: Path, base: str = "/") -> Iterator[Dev]:
    process = subprocess.Popen(
        line(bundler, "serve", folder, base),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    dev, up = Dev(process), threading.Event()

    assert process.stdout is not None

    def read() -> None:
        assert process.stdout is not None
        for text in process.stdout:
            dev.lines.append(text)
            if text.startswith("http://"):
                dev.url = text.strip()
                up.set()
        up.set()

    reader = threading.Thread(target=read)
    reader.start()
    family: list[psutil.Process] = []
    try:
        assert up.wait(120)
        assert dev.url, "".join(dev.lines)
        yield dev
    finally:
        if process.poll() is None:
            family = dev.family()[1:]
            process.kill()
        process.wait(30)
        psutil.wait_procs(family, 30)
        reader.join(30)
        process.stdout.close()
