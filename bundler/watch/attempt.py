"""One build of a session, in a thread of its own, that can be ended."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from .. import process
from ..build import BuildOptions, build
from ..cache import fresh
from ..cache.pieces import AFFORDABLE
from ..catalogue import problem
from ..config.load import load_config
from ..config.schema import BuildConfig
from ..errors import ConfigError, Interrupted, MbundleError, Problem
from ..report.bug import write_log
from ..report.progress import Progress
from ..stats import write_stats
from .files import awaited


@dataclass(frozen=True, slots=True)
class Request:
    """`changed`: path -> when its change began, on the monotonic clock."""

    number: int
    changed: Mapping[str, float]
    config_file: str
    mode: str
    command: str
    options: BuildOptions
    known: BuildConfig | None = None
    """The evaluated config, if nothing changed that it could depend on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. `problems` is empty when it succeeded; then `stats` is what the build returned."""

    request: Request
    seconds: float
    config: BuildConfig | None = None
    stats: Mapping[str, Any] | None = None
    manifest: bytes = b""
    problems: tuple[Problem, ...] = ()
    inputs: tuple[str, ...] = ()
    """Of a failure: files whose change makes another try worth while."""
    ended: bool = False
    """It was cancelled; nothing else is known."""


class WatchedProgress(Progress):
    """Tells each step, and breaks the build off between any two when it is not wanted any more."""

    def __init__(self, quiet: bool, doing: Callable[[str], None], ended: threading.Event) -> None:
        super().__init__(quiet)
        self._doing, self._ended = doing, ended

    def alive(self) -> None:
        if self._ended.is_set():
            raise Interrupted(problem("MB190", "A file changed; the build starts again."))

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        self.alive()
        self._doing(name)
        with super().span(name):
            yield


class Attempt:
    """`done` gets the outcome, in the attempt's own thread."""

    def __init__(
        self, request: Request, quiet: bool, doing: Callable[[str], None], done: Callable[[Outcome], None]
    ) -> None:
        self.request, self._done = request, done
        self._quiet, self._doing = quiet, doing
        self._ended = threading.Event()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"build {request.number}", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def end(self) -> None:
        """Kills what runs for it. To be repeated until `done` was called: between two children a third may begin."""
        self._ended.set()
        process.cancel()

    def join(self) -> None:
        while self._thread.is_alive():
            self.end()
            self._thread.join(0.05)

    def _run(self) -> None:
        try:
            outcome = self._attempt()
        except BaseException as error:  # a bug of ours must not end the session
            log = write_log(error, ["watch"])
            what = f"{type(error).__name__}: {error}"
            outcome = self._outcome(problems=(problem("MB900", what, fix=f"Open an issue and attach {log}."),))
        self._done(outcome)

    def _attempt(self) -> Outcome:
        config: BuildConfig | None = None
        try:
            with WatchedProgress(self._quiet, self._doing, self._ended) as progress:
                request = self.request
                config = request.known or self._config(progress)
                request.options.met(awaited(config))
                stats = self._fresh(config, progress)
                if stats is None:
                    stats = build(config, request.options, progress)
                    write_stats(config.root, stats)
            return self._outcome(config=config, stats=stats, manifest=read_manifest(config.output.dir))
        except MbundleError as error:
            if self.ended:
                return self._outcome(ended=True)
            inputs = error.inputs if isinstance(error, ConfigError) else ()
            return self._outcome(config=config, problems=error.problems, inputs=inputs)

    def _config(self, progress: Progress) -> BuildConfig:
        request = self.request
        with progress.span("reading the config"):
            config = load_config(request.config_file, request.mode, request.command, alive=progress.alive)
        request.options.met(config.config_inputs)
        return config

    def _fresh(self, config: BuildConfig, progress: Progress) -> Mapping[str, Any] | None:
        """The stats of the last build if it still stands. Not asked when a large file changed: to compare it with what
        it was takes as long as to build."""
        if any(os.path.exists(path) and os.path.getsize(path) > AFFORDABLE for path in self.request.changed):
            return None
        last = fresh.check(config)
        if not last.fresh:
            return None
        self.request.options.met(last.inputs)
        return dict(last.table) | {"fresh": True, "returning": 0, "seconds": progress.elapsed()}

    def _outcome(self, **facts: Any) -> Outcome:
        began = min(self.request.changed.values(), default=self._started)
        return Outcome(self.request, round(time.monotonic() - began, 3), **facts)


def read_manifest(folder: str) -> bytes:
    try:
        with open(os.path.join(folder, "model-manifest.json"), "rb") as file:
            return file.read()
    except OSError:
        return b""


def digest(manifest: bytes) -> str:
    return hashlib.sha256(manifest).hexdigest()


def parsed(manifest: bytes) -> Mapping[str, Any]:
    """Entry name -> what the manifest says of it. Whatever it is that lies there: other than ours is no entries."""
    try:
        entries = orjson.loads(manifest)["entries"]
        return entries if isinstance(entries, dict) else {}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}
