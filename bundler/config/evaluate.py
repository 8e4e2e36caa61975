"""Runs model.config.py, in a child process made for it (`load.py` starts it) or in a loader's, and finds its errors.

The child has no terminal, prints to stderr only, and counts as successful only by a message on its own pipe: a
config may exit, hang, leave threads, change folder or print without harm. Nothing heavy is imported here.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any, NoReturn

from ..catalogue import problem
from ..errors import ConfigError, Problem
from .blame import Blame, TimeUp, kind_of, said
from .declare import Config, ConfigEnv, Mode
from .findings import Findings
from .frame import Span
from .project import Project, watching
from .schema import BuildConfig
from .steps import Reading, own_steps, takes
from .validate import validate

MODULE = "model_config"
"""Name of the config as a module, so that classes and functions in it can be found again."""


class Evaluation:
    """One run of one config file."""

    def __init__(self, config_file: str, env: ConfigEnv, limit: float = 0) -> None:
        self.config_file = config_file
        self.env = env
        self.limit = limit
        self.project = Project(env.root)
        self.project.inputs.add(config_file)
        self.findings = Findings(env.root)
        self.blame = Blame(config_file, self.project, self.findings, limit)

    def build_config(self) -> BuildConfig:
        """Runs the config and judges what it declares. Raises ConfigError with everything that is wrong."""
        config = self.declared()
        os.chdir(self.env.root)
        if sys.path[0] == self.env.root:
            del sys.path[0]  # from here on a file of the user's must not stand in for a module of ours
        return validate(config, Reading(self.findings, self.project, self.config_file, self.env))

    def declared(self) -> Config:
        """Runs the config and calls it if it is a function. Raises ConfigError."""
        code = self._compiled(self._text())
        with watching(self.project), self.blame.told(), _time_limit(self.limit):
            module = ModuleType(MODULE)
            module.__file__ = self.config_file
            sys.modules[MODULE] = module
            exec(code, module.__dict__)
            value = module.__dict__.get("config", _ABSENT)
            if inspect.isfunction(value) or (callable(value) and not isinstance(value, type | Config)):
                value = self._called(value)
        if isinstance(value, Config):
            return value
        raise self._no_config(value, module)

    def _text(self) -> bytes:
        with open(self.config_file, "rb") as stream:
            text = stream.read()
        if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
            what = "The file is saved as UTF-16."
            raise self.blame.error("MB102", what, Span(self.config_file, 1), "Save it as UTF-8.")
        if b"\0" in text:
            line = text[: text.index(b"\0")].count(b"\n") + 1
            what = "The file holds a NUL byte, which Python source cannot."
            raise self.blame.error("MB102", what, Span(self.config_file, line), "Save it again as plain text in UTF-8.")
        if b"coding" not in b"".join(text.splitlines()[:2]):
            self._refuse_other_encodings(text)
        return text

    def _refuse_other_encodings(self, text: bytes) -> None:
        """What `import` refuses and compile() lets pass: bytes in a comment that are not UTF-8."""
        try:
            text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = text[: error.start].count(b"\n") + 1
            what = f"The file is not UTF-8: byte 0x{text[error.start]:02x}."
            raise self.blame.error("MB102", what, Span(self.config_file, line), "Save it as UTF-8.") from error

    def _compiled(self, text: bytes) -> Any:
        try:
            return compile(text, self.config_file, "exec", dont_inherit=True)
        except SyntaxError as error:
            raise self.blame.syntax(error) from error
        except (RecursionError, MemoryError, OverflowError, ValueError) as error:
            what = f"Python cannot compile it: {said(error)}."
            raise self.blame.error("MB102", what, Span(self.config_file, 1)) from error

    def _called(self, function: Any) -> Any:
        """What the config function returns."""
        where = self.findings.sources.assignment(self.config_file, getattr(function, "__name__", "config"))
        if inspect.iscoroutinefunction(function):
            raise self.blame.error("MB107", "The config function is async.", where, "Write it without async.")
        if not takes(function, 1):
            fix = "Write `def config(env: ConfigEnv): return define_config(...)`."
            raise self.blame.error("MB107", "The config function does not take exactly one argument.", where, fix)
        value = function(self.env)
        if isinstance(value, Config):
            return value
        what = f"The config function returned {kind_of(value)}."
        raise self.blame.error("MB107", what, where, "Return define_config(entries={...}) from it.")

    def _no_config(self, value: Any, module: ModuleType) -> ConfigError:
        if value is not _ABSENT:
            where = self.findings.sources.assignment(self.config_file, "config")
            return self.blame.error("MB107", f"`config` is {kind_of(value)}.", where)
        named = [name for name, other in vars(module).items() if isinstance(other, Config)]
        fix = f"Call it `config`: here it is called `{named[0]}`." if named else None
        where = self.findings.sources.assignment(self.config_file, named[0] if named else "config")
        return self.blame.error("MB106", "The file does not set `config`.", where, fix)


_ABSENT = object()


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Interrupts the config from inside, which tells where it was; the parent kills it if that does not help."""
    if not seconds:
        yield
        return

    def up(number: int, frame: FrameType | None) -> NoReturn:
        raise TimeUp

    signal.signal(signal.SIGALRM, up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def evaluate_function(config_file: str, where: str, mode: Mode = "production", command: str = "build") -> Any:
    """The live function (of an object, its `apply`) that `LoaderSpec.where` names, by running the config here.

    For processes that are already set apart for a loader: the function's relative paths are the config's, also after
    this returns. Raises ConfigError when the config no longer has it.
    """
    root = os.path.dirname(config_file)
    os.chdir(root)
    evaluation = Evaluation(config_file, ConfigEnv(command, mode, root))
    steps = own_steps(evaluation.declared().entries)
    if where not in steps:
        file = os.path.basename(config_file)
        fix = "Build again; the config changed while it was being built."
        raise ConfigError(problem("MB107", f"The config has no step {where} any more.", fix=fix, file=file))
    return getattr(steps[where], "apply", steps[where])


def main(arguments: list[str]) -> NoReturn:
    """The child: sends one message, (kind, payload, inputs), through its pipe and ends at once, threads or not."""
    config_file, command, limit, pipe = arguments[0], arguments[2], float(arguments[3]), int(arguments[4])
    mode: Mode = "development" if arguments[1] == "development" else "production"
    os.set_inheritable(pipe, False)
    owner = os.getpid()
    env = ConfigEnv(command, mode, os.path.dirname(config_file))
    evaluation = Evaluation(config_file, env, limit)
    kind, payload = _outcome(evaluation)
    if os.getpid() != owner:  # a fork that the config made and let run on
        os._exit(0)
    inputs = sorted({*evaluation.project.inputs, *evaluation.findings.missing})
    message = pickle.dumps((kind, payload, tuple(inputs)))
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    with contextlib.suppress(BrokenPipeError), open(pipe, "wb") as stream:  # the build was interrupted meanwhile
        stream.write(len(message).to_bytes(8, "big") + message)
    os._exit(0)


def _outcome(evaluation: Evaluation) -> tuple[str, BuildConfig | tuple[Problem, ...] | str]:
    """(kind, payload) of the message: what load_config returns, what it raises, or the traceback of a bug of ours."""
    try:
        return "config", evaluation.build_config()
    except ConfigError as error:
        return "problems", error.problems
    except BaseException:
        import traceback

        return "bug", traceback.format_exc()
