"""The Python that exports: what is installed in it, and how it is asked for something."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..catalogue import problem
from ..errors import InputError, printable
from ..process import run_program

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "script", "export_checkpoint.py")
REQUIREMENTS = (
    "torch==2.13.0",
    "optimum-onnx[onnxruntime]==0.1.*",
    "transformers==4.57.*",
    "accelerate>=1.10,<2",
    "onnxscript>=0.7,<0.8",
)
"""The extra `export` of pyproject.toml. Without a pin of torch pip takes a build for CUDA and 17 packages of it."""
GENAI = (
    "torch==2.13.0",
    "onnxruntime-genai>=0.14,<0.19",
    "transformers>=4.57,<6",
    "onnx>=1.23.2,<1.24",
    "onnx-ir>=1.1,<2",
)
"""The extra `genai`: 0.18 needs transformers 5, which optimum refuses, and so an environment of its own."""
_BUILDER = "onnxruntime-genai"
_PROBE_SECONDS = 60.0
_EXPORT_SECONDS = 3600.0
Alive = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Toolchain:
    """`versions`: of the distributions that decide what an export gives, Python's own among them. `files`: absolute
    paths that an upgrade of one of them replaces."""

    python: str
    versions: Mapping[str, str]
    files: tuple[str, ...]

    def require(self, exporter: str) -> None:
        """InputError MB350 where what `exporter` needs is missing; "auto" makes do with torch alone."""
        needed = ["torch", "transformers", "onnx", "onnxruntime"]
        if exporter == "genai":
            return self._require([*needed, "onnx-ir", _BUILDER], "genai")
        torch_alone = exporter == "dynamo" or (exporter == "auto" and "onnxscript" in self.versions)
        needed.append("onnxscript" if torch_alone else "optimum-onnx")
        return self._require(needed)

    def deciding(self, exporter: str) -> Mapping[str, str]:
        """Versions of what has a say in what `exporter` gives."""
        return {name: one for name, one in self.versions.items() if name != _BUILDER or exporter == "genai"}

    def require_training(self) -> None:
        """InputError MB350 where what trains a student is missing."""
        self._require(["torch", "transformers", "safetensors"])

    def _require(self, needed: Sequence[str], extra: str = "export") -> None:
        missing = [name for name in needed if name not in self.versions]
        if missing:
            what = f"{printable(self.python)} lacks {', '.join(missing)}."
            shared = extra == "genai" and "optimum-onnx" in self.versions
            fix = apart() if shared else f"Run `{install_command(self.python, extra)}`."
            raise InputError(problem("MB350", what, fix=fix))


def install_command(python: str, extra: str = "export") -> str:
    if python == sys.executable:
        name = "python" if sys.prefix != sys.base_prefix else python
        return f"{name} -m pip install 'mbundle[{extra}]'"
    return f"{python} -m pip install {_quoted(GENAI if extra == 'genai' else REQUIREMENTS)}"


def apart() -> str:
    """What to do where onnxruntime-genai and optimum would have to share one transformers."""
    own = f".venv-genai/bin/python -m pip install {_quoted(GENAI)}"
    return f'Run `python3 -m venv .venv-genai && {own}`, and set export_python=".venv-genai/bin/python".'


def _quoted(requirements: Sequence[str]) -> str:
    return " ".join(f"'{one}'" if any(c in one for c in "<>[*") else one for one in requirements)


def probe(python: str, folder: str, alive: Alive = lambda: None) -> Toolchain:
    """Asks that Python, which imports none of what it names. `folder`: to run in. InputError MB356."""
    found = ask(python, ["probe", "{pipe}"], folder, wall=_PROBE_SECONDS, alive=alive)
    return Toolchain(python, {**found["versions"], "python": found["python"]}, tuple(found["files"]))


class Refused(Exception):
    """The script says no. `kind`: "task", "unknown", "unsupported", "versions", "differs", "data", "student",
    "diverged", "raised"; `log`: what was printed."""

    def __init__(self, kind: str, what: str, log: str) -> None:
        super().__init__(what)
        self.kind, self.what, self.log = kind, what, log


def ask(
    python: str,
    arguments: Sequence[str],
    folder: str,
    *,
    told: Callable[[str], None] = lambda text: None,
    line: Callable[[str], None] = lambda text: None,
    judge: Callable[[Mapping[str, Any]], None] = lambda question: None,
    wall: float = _EXPORT_SECONDS,
    alive: Alive = lambda: None,
    offline: bool = True,
) -> Any:
    """The script's result. `told`, `line`: get what it says meanwhile, for a while and for good. `judge`: gets what it
    asks. Refused; InputError MB356, MB351, MB364."""
    answers: list[dict[str, Any]] = []

    def hear(message: dict[str, Any]) -> None:
        if "progress" in message:
            told(printable(str(message["progress"]), 80))
        elif "line" in message:
            line(printable(str(message["line"]), 120))
        elif "judge" in message:
            judge(message["judge"])
        else:
            answers.append(message)

    try:
        ended = run_program(
            [python, SCRIPT, *arguments],
            hear,
            folder=folder,
            environment=_environment(python, offline),
            wall=wall,
            alive=alive,
        )
    except OSError as error:
        raise InputError(problem("MB356", f"{printable(python)}: {error.strerror}.")) from error
    if answers and "result" in answers[-1]:
        return answers[-1]["result"]
    if answers and "failed" in answers[-1]:
        raise Refused(str(answers[-1]["kind"]), printable(str(answers[-1]["failed"]), 600), ended.log)
    raise _died(python, arguments[0], ended.code, ended.timed_out, ended.log, wall)


def _died(python: str, verb: str, code: int, timed_out: bool, log: str, wall: float) -> InputError:
    last = printable(log.splitlines()[-1], 200) if log else ""
    if verb == "probe":
        what = f"{printable(python)} is no Python that works{f': {last}' if last else ''}."
        return InputError(problem("MB356", what))
    how = f"was not done after {wall:g} s" if timed_out else f"ended with status {code}{_out_of_memory(code)}"
    said = f" {how}{f': {last}' if last else ''}."
    training = verb == "distill"
    return InputError(problem("MB364", f"The training{said}") if training else problem("MB351", f"The exporter{said}"))


def _out_of_memory(code: int) -> str:
    return " (killed: out of memory?)" if code == -9 else ""


def _environment(python: str, offline: bool) -> dict[str, str]:
    """Nothing goes to the network; the same bytes in every run; our own modules do not stand in for those there."""
    environment = os.environ | {
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_WAIT_POLICY": "PASSIVE",  # beside other work, threads that spin while they wait take the cores from it
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if offline:
        environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if python != sys.executable:
        with contextlib.suppress(KeyError):
            del environment["PYTHONPATH"]
    return environment
