"""Turns whatever a config raised into a ConfigError that points at the user's own line, never at one of ours."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from ..errors import ConfigError, printable
from . import declare
from .declare import Config
from .findings import Findings
from .frame import Span
from .project import Project
from .site import Site
from .suggest import closest, listing


class TimeUp(BaseException):
    """Raised inside the config by the timer. Not an Exception, so that `except Exception` in a loop lets it through."""


class Blame:
    """Finds the place and the words for an error of one config."""

    def __init__(self, config_file: str, project: Project, findings: Findings, limit: float) -> None:
        self.config_file = config_file
        self.project = project
        self.findings = findings
        self.limit = limit

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Turns whatever the config raises into a ConfigError that points at the user's line."""
        try:
            yield
        except ConfigError as error:
            if error.problems[0].file:
                raise
            first = error.problems[0]
            raise self.error(first.code, first.what, self._place(error), first.fix) from error
        except SyntaxError as error:
            raise self.syntax(error) from error
        except ImportError as error:
            raise self._import_failed(error) from error
        except BaseException as error:
            raise self._raised(error) from error

    def _raised(self, error: BaseException) -> ConfigError:
        where = self._place(error)
        if isinstance(error, TimeUp):
            return self.error("MB105", f"The config ran longer than {self.limit:g} s; it was here.", where)
        if isinstance(error, SystemExit):
            return self.error("MB104", f"The config called sys.exit({printable(repr(error.code), 60)}).", where)
        fix = None
        if isinstance(error, EOFError):
            fix = "A config cannot ask questions: read an environment variable, or use --mode."
        if isinstance(error, NameError) and error.name:
            fix = _for_name(error.name)
        return self.error("MB103", f"{said(error)}.", where, fix)

    def _import_failed(self, error: ImportError) -> ConfigError:
        where = self._place(error)
        name = re.match(r"cannot import name '(\w+)' from '(bundler(?:\.\w+)*)'", str(error))
        if name is not None:
            near = closest(name[1], public_names())
            other = f"Did you mean `{near}`?" if near else f"{name[2]} has {listing(public_names())}."
            advice = _for_name(name[1]) or other
            return self.error("MB108", f"{name[2]} has no `{name[1]}`.", where, advice)
        if isinstance(error, ModuleNotFoundError) and error.name:
            module = closest(error.name, self._own_modules())
            fix = f"Did you mean `{module}`?" if module else None
            return self.error("MB108", f"There is no module `{error.name}`.", where, fix)
        return self.error("MB108", f"{said(error)}.", where)

    def _own_modules(self) -> list[str]:
        return [name.removesuffix(".py") for name in os.listdir(self.project.root) if name.endswith(".py")]

    def syntax(self, error: SyntaxError) -> ConfigError:
        """The ConfigError of a file that is not Python."""
        file = error.filename or self.config_file
        start = max(0, (error.offset or 1) - 1)
        end = error.end_offset - 1 if error.end_offset and error.end_lineno == error.lineno else start + 1
        span = Span(file, error.lineno or 1, start, max(end, start + 1))
        return self.error("MB102", f"{error.msg[:1].upper()}{error.msg[1:]}.", span)

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

    def error(self, code: str, what: str, span: Span, fix: str | None = None) -> ConfigError:
        """A ConfigError with one problem, at `span`."""
        self.findings.problems.clear()
        self.findings.add(code, what, span, fix=fix)
        return ConfigError(*self.findings.problems)


def public_names() -> list[str]:
    """What `from bundler import ...` offers."""
    public = [kind.__name__ for kind in declare.Declaration.__subclasses__() if kind is not Config]
    return sorted([*public, "ConfigEnv", "define_config"])


def _for_name(name: str) -> str | None:
    """What to do about a NameError."""
    if name in public_names():
        return f"Add `from bundler import {name}`."
    loaders = getattr(sys.modules.get("bundler.loaders"), "__all__", ["simplify", "quantize_dynamic"])
    return f"Add `from bundler.loaders import {name}`." if name in loaders else None


def kind_of(value: Any) -> str:
    """What `value` is, with its article."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def said(error: BaseException) -> str:
    """The last line of what would be the traceback."""
    try:
        text = printable(" ".join(str(error).split()), 200).rstrip(".")
    except Exception:  # a __str__ of the user's
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
