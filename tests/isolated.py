"""What the process tests run in children: real misbehaviour, none of it simulated by the code under test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import bundler.errors
from bundler.catalogue import problem


def add(a: int, b: int) -> int:
    return a + b


def working_folder(name: str) -> tuple[str, str, str]:
    Path(name).write_text("left behind")
    import tempfile

    return os.getcwd(), tempfile.gettempdir(), sys.stdin.read()


def main_module() -> str:
    return str(sys.modules["__main__"].__dict__.get("__file__"))


def say(text: str) -> None:
    print(text)
    os.write(2, b"native " + text.encode())


def refuse() -> None:
    raise bundler.errors.InputError(problem("MB306", "the model is not a model", file="a.onnx"))


def bug() -> None:
    raise bundler.errors.BugError("an invariant does not hold")


def unexpected() -> None:
    raise KeyError("77")


def unpicklable() -> Any:
    return lambda: None


def leave(status: int) -> None:
    os._exit(status)


def exit_politely() -> None:
    sys.exit(0)


def kill_itself(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(30)


def kill_the_server() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(30)


def spin() -> None:
    while True:
        pass


def sleep_with_grandchild(pid_file: str) -> None:
    sleeper = subprocess.Popen(["sleep", "300"])
    Path(pid_file).write_text(f"{os.getpid()} {sleeper.pid}")
    time.sleep(300)


def return_with_grandchild() -> int:
    return subprocess.Popen(["sleep", "300"]).pid


def allocate(nbytes: int) -> int:
    return len(bytearray(nbytes))


def stdlib_abort(path: str) -> None:
    os.abort()


def core_limit() -> tuple[int, int]:
    import resource

    return resource.getrlimit(resource.RLIMIT_CORE)


def open_at_extended(path: str) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run_session(path: str, feeds: dict[str, Any]) -> list[Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return [list(output.shape) for output in session.run(None, feeds)]


def simplify_file(path: str) -> None:
    import onnxsim

    onnxsim.simplify(path)
