"""Runs model.config.py, in a child process made for it (`load.py` starts it) or in a loader's, and finds its errors.

The child has no terminal, prints to stderr only, and counts as successful only by a message on its own pipe: a
config may exit, hang, leave threads, change folder or print without harm. Nothing heavy is imported here.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import pickle
import re
import signal
import sys
from collections.abc import Iterator
from types import FrameType, ModuleType, TracebackType
from typing import Any, NoReturn

from ..catalogue import problem
from ..errors import ConfigError, Problem, printable
from . import declare
from .declare import Config, ConfigEnv, Mode
from .findings import Findings
from .frame import Span
from .project import Project, watching
from .schema import BuildConfig
from .site import Site
from .steps import Reading, own_steps, takes
from .suggest import closest, listing
from .validate import validate

MODULE = "model_config"
"""Name of the config as a module, so that classes and functions in it can be found again."""


class _TimeUp(BaseException):
    """Raised inside the config by the timer. Not an Exception, so that `except Exception` in a loop lets it through."""


class Evaluation:
    """One run of one config file."""

    def __init__(self, config_file: str, env: ConfigEnv, limit: float = 0) -> None:
        self.config_file = config_file
        self.env = env
        self.limit = limit
        self.project = Project(env.root)
        self.project.inputs.add(config_file)
        self.findings = Findings(env.root)

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
        with watching(self.project), self._errors(), _time_limit(self.limit):
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
            raise self._error("MB102", "The file is saved as UTF-16.", Span(self.config_file, 1), "Save it as UTF-8.")
        if b"\0" in text:
            line = text[: text.index(b"\0")].count(b"\n") + 1
            what = "The file holds a NUL byte, which Python source cannot."
            raise self._error("MB102", what, Span(self.config_file, line), "Save it again as plain text in UTF-8.")
        return text

    def _compiled(self, text: bytes) -> Any:
        try:
            return compile(text, self.config_file, "exec", dont_inherit=True)
        except SyntaxError as error:
            raise self._syntax(error) from error
        except (RecursionError, MemoryError, OverflowError, ValueError) as error:
            what = f"Python cannot compile it: {_said(error)}."
            raise self._error("MB102", what, Span(self.config_file, 1)) from error

    def _called(self, function: Any) -> Any:
        """What the config function returns."""
        where = self.findings.sources.assignment(self.config_file, getattr(function, "__name__", "config"))
        if inspect.iscoroutinefunction(function):
            raise self._error("MB107", "The config function is async.", where, "Write it without async.")
        if not takes(function, 1):
            fix = "Write `def config(env: ConfigEnv): return define_config(...)`."
            raise self._error("MB107", "The config function does not take exactly one argument.", where, fix)
        value = function(self.env)
        if isinstance(value, Config):
            return value
        what = f"The config function returned {_kind(value)}."
        raise self._error("MB107", what, where, "Return define_config(entries={...}) from it.")

    def _no_config(self, value: Any, module: ModuleType) -> ConfigError:
        if value is not _ABSENT:
            where = self.findings.sources.assignment(self.config_file, "config")
            return self._error("MB107", f"`config` is {_kind(value)}.", where)
        named = [name for name, other in vars(module).items() if isinstance(other, Config)]
        fix = f"Call it `config`: here it is called `{named[0]}`." if named else None
        where = self.findings.sources.assignment(self.config_file, named[0] if named else "config")
        return self._error("MB106", "The file does not set `config`.", where, fix)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turns whatever the config raises into a ConfigError that points at the user's line."""
        try:
            yield
        except ConfigError as error:
            if error.problems[0].file:
                raise
            first = error.problems[0]
            raise self._error(first.code, first.what, self._place(error), first.fix) from error
        except SyntaxError as error:
            raise self._syntax(error) from error
        except ImportError as error:
            raise self._import_failed(error) from error
        except BaseException as error:
            raise self._raised(error) from error

    def _raised(self, error: BaseException) -> ConfigError:
        where = self._place(error)
        if isinstance(error, _TimeUp):
            return self._error("MB105", f"The config ran longer than {self.limit:g} s; it was here.", where)
        if isinstance(error, SystemExit):
            return self._error("MB104", f"The config called sys.exit({printable(repr(error.code), 60)}).", where)
        fix = None
        if isinstance(error, EOFError):
            fix = "A config cannot ask questions: read an environment variable, or use --mode."
        if isinstance(error, NameError) and error.name:
            fix = _for_name(error.name)
        return self._error("MB103", f"{_said(error)}.", where, fix)

    def _import_failed(self, error: ImportError) -> ConfigError:
        where = self._place(error)
        name = re.match(r"cannot import name '(\w+)' from '(bundler(?:\.\w+)*)'", str(error))
        if name is not None:
            near = closest(name[1], declare_names())
            advice = f"Did you mean `{near}`?" if near else f"{name[2]} has {listing(declare_names())}."
            return self._error("MB108", f"{name[2]} has no `{name[1]}`.", where, advice)
        if isinstance(error, ModuleNotFoundError) and error.name:
            module = closest(error.name, self._own_modules())
            fix = f"Did you mean `{module}`?" if module else None
            return self._error("MB108", f"There is no module `{error.name}`.", where, fix)
        return self._error("MB108", f"{_said(error)}.", where)

    def _own_modules(self) -> list[str]:
        return [name.removesuffix(".py") for name in os.listdir(self.env.root) if name.endswith(".py")]

    def _syntax(self, error: SyntaxError) -> ConfigError:
        file = error.filename or self.config_file
        start = max(0, (error.offset or 1) - 1)
        end = error.end_offset - 1 if error.end_offset and error.end_lineno == error.lineno else start + 1
        span = Span(file, error.lineno or 1, start, max(end, start + 1))
        return self._error("MB102", f"{error.msg[:1].upper()}{error.msg[1:]}.", span)

    def _place(self, error: BaseException) -> Span:
        """The innermost line of the user's that `error` came through; in the config itself if none is known."""
        found = Span(self.config_file, 1)
        trace: TracebackType | None = error.__traceback__
        for _ in range(100_000):
            if trace is None:
                break
            if self.project.owns(trace.tb_frame.f_code.co_filename):
                found = self._span(trace)
            trace = trace.tb_next
        return found

    def _span(self, trace: TracebackType) -> Span:
        code = trace.tb_frame.f_code
        first, last, start, end = Site(code, trace.tb_lasti, trace.tb_lineno).span
        if first is None or first != last or start is None or end is None:
            return Span(code.co_filename, trace.tb_lineno)
        line = (self.findings.sources.lines(code.co_filename)[first - 1 : first] or [""])[0].encode()
        return Span(code.co_filename, first, len(line[:start].decode()), len(line[:end].decode()))

    def _error(self, code: str, what: str, span: Span, fix: str | None = None) -> ConfigError:
        self.findings.problems.clear()
        self.findings.add(code, what, span, fix=fix)
        return ConfigError(*self.findings.problems)


_ABSENT = object()


def declare_names() -> list[str]:
    """What `from bundler import ...` offers."""
    public = [kind.__name__ for kind in declare.Declaration.__subclasses__() if kind is not Config]
    return sorted([*public, "ConfigEnv", "define_config"])


def _for_name(name: str) -> str | None:
    """What to do about a NameError."""
    if name in declare_names():
        return f"Add `from bundler import {name}`."
    loaders = getattr(sys.modules.get("bundler.loaders"), "__all__", ["simplify", "quantize_dynamic"])
    return f"Add `from bundler.loaders import {name}`." if name in loaders else None


def _kind(value: Any) -> str:
    return "None" if value is None else f"{'an' if type(value).__name__[:1] in 'aeiou' else 'a'} {type(value).__name__}"


def _said(error: BaseException) -> str:
    try:
        text = printable(" ".join(str(error).split()), 200).rstrip(".")
    except Exception:  # a __str__ of the user's
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Interrupts the config from inside, which tells where it was; the parent kills it if that does not help."""
    if not seconds:
        yield
        return

    def up(number: int, frame: FrameType | None) -> NoReturn:
        raise _TimeUp

    signal.signal(signal.SIGALRM, up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def evaluate_function(config_file: str, where: str, mode: Mode = "production", command: str = "build") -> Any:
    """The live function or loader object that `LoaderSpec.where` names, by running the config in this process.

    For processes that are already set apart for a loader. Raises ConfigError when the config no longer has it.
    """
    root = os.path.dirname(config_file)
    evaluation = Evaluation(config_file, ConfigEnv(command, mode, root))
    steps = own_steps(evaluation.declared().entries)
    if where not in steps:
        file = os.path.basename(config_file)
        fix = "Build again; the config changed while it was being built."
        raise ConfigError(problem("MB107", f"The config has no step {where} any more.", fix=fix, file=file))
    return steps[where]


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
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    with open(pipe, "wb") as stream:
        stream.write(len(message).to_bytes(8, "big") + message)
    os._exit(0)


def _outcome(evaluation: Evaluation) -> tuple[str, BuildConfig | tuple[Problem, ...] | str]:
    try:
        return "config", evaluation.build_config()
    except ConfigError as error:
        return "problems", error.problems
    except BaseException:
        import traceback

        return "bug", traceback.format_exc()
