"""`watch`: one good build after the other, for as long as somebody listens.

One thread waits for changes and decides; each build runs in a thread of its own, so that a change can end it. Whatever
is known to be doomed is ended at once: every child is killed, nothing was written to the output folder yet. A change
that comes after the last moment to end a build causes the next one. So nothing is lost, and nothing is built twice for
the same state of the files (`files`).
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .. import process
from ..build import BuildOptions
from ..cache import fresh, tools
from ..catalogue import problem
from ..config.load import find_config
from ..config.schema import BuildConfig
from ..errors import Problem
from . import differences
from .attempt import Attempt, Outcome, Request, digest, parsed
from .coalescing import Coalescer, Hint
from .events import BuildStart, BuildUnchanged, Doing, Event, Failed, ModelUpdate
from .files import Files
from .relay import Relay
from .watcher import LOOK_EVERY, Watcher, look

_WAKE = 0.1
"""Seconds: how often `stop` is looked at, and a build that shall end is told so again."""


def _silent(line: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class WatchOptions:
    mode: str = "production"
    jobs: int | None = None
    """Entries worked on at a time; None: as many as there are cores."""
    cache_dir: str | None = None
    poll: bool = False
    """Look at the files several times a second instead of waiting for events."""
    command: str = "watch"
    """What a function config is told (`ConfigEnv.command`)."""
    quiet: bool = True
    """No progress line on stderr."""
    told: Callable[[str], None] = _silent
    """Gets lines for people that are no events."""


def watch(config_path: str, options: WatchOptions, emit: Callable[[Event], None], stop: threading.Event) -> None:
    """Builds, and builds again, until `stop` is set; blocks. `emit` is called from several threads, one at a time.

    While another process does this for the project, its events are given to `emit` in place of our own. What a user can
    mend is an event and ends nothing; only where there is no config at all, ConfigError is raised.
    """
    relay = Relay(find_config(config_path), options.mode)
    try:
        if not relay.lead():
            other = f"process {relay.leader}" if relay.leader else "another process"
            options.told(f"{other} watches this project already: its builds are shown here")
            for event in relay.follow(stop):
                emit(event)
            if stop.is_set():
                return
            options.told(f"{other} has ended: this one goes on")
        relay.begin()
        _Session(config_path, options, _both(relay.tell, emit), stop).run()
    finally:
        relay.close()


def _both(first: Callable[[Event], None], second: Callable[[Event], None]) -> Callable[[Event], None]:
    def told(event: Event) -> None:
        first(event)
        second(event)

    return told


class _Session:
    def __init__(
        self, config_path: str, options: WatchOptions, emit: Callable[[Event], None], stop: threading.Event
    ) -> None:
        self.options, self.stop = options, stop
        self._emit, self._emitting = emit, threading.Lock()
        self.files = Files(find_config(config_path))
        self.inbox: queue.SimpleQueue[tuple[str, Hint] | Outcome] = queue.SimpleQueue()
        self.coalescer = Coalescer(look)
        self.attempt: Attempt | None = None
        self.builds = 0
        self.pending: dict[str, float] = {}
        """Settled changes that no build has seen -> when they began."""
        self.manifest: bytes | None = None
        """Of the last good build; None before the first attempt that got as far as knowing the output folder."""
        self.tools = tools.versions(tools.BUILD_TOOLS)
        self.config: BuildConfig | None = None
        """Of the last build, if it was good."""
        self.tools_due = 0.0
        self.stamp = fresh.own_stamp()

    def run(self) -> None:
        process.warm(("onnx", "onnxruntime"))
        try:
            with Watcher(self.files.root, self._heard, self.options.told, poll=self.options.poll) as self.watcher:
                self.watcher.watch(self.files.watched())
                self._start({})
                while not self.stop.is_set():
                    self._turn()
        finally:
            if self.attempt is not None:
                self.attempt.join()
            process.stop()

    def emit(self, event: Event) -> None:
        with self._emitting:
            self._emit(event)

    def _heard(self, path: str, hint: Hint) -> None:
        self.inbox.put((path, hint))

    def _turn(self) -> None:
        """Waits for a message, or until something settles."""
        wait = self.coalescer.wait(time.monotonic())
        try:
            message = self.inbox.get(timeout=_WAKE if wait is None else min(_WAKE, wait + 0.001))
            if isinstance(message, Outcome):
                self._finished(message)
            else:
                self._changed(*message)
        except queue.Empty:
            pass
        if self.attempt is not None and self.attempt.ended:
            self.attempt.end()
        self._look_at_tools()
        self._settle()

    def _look_at_tools(self) -> None:
        """A tool of another version gives other bytes, and the fork server still holds the old one."""
        if time.monotonic() < self.tools_due:
            return
        self.tools_due = time.monotonic() + LOOK_EVERY
        last, self.tools = self.tools, tools.versions(tools.BUILD_TOOLS)
        moved = [f"{name} {last[name]} -> {now}" for name, now in self.tools.items() if last[name] != now]
        if moved:
            if self.attempt is not None:
                self.attempt.join()
            process.stop()
            self.pending |= dict.fromkeys(moved, time.monotonic())

    def _changed(self, path: str, hint: Hint) -> None:
        self.coalescer.add(path, hint, time.monotonic())
        if self.attempt is not None and self.files.differs(path):
            self.attempt.end()

    def _settle(self) -> None:
        settled = self.coalescer.take(time.monotonic())
        self.pending |= {path: first for path, first in settled.items() if self.files.differs(path)}
        if self.pending and not self.coalescer and self.attempt is None:
            pending, self.pending = self.pending, {}
            self._start(pending)

    def _start(self, changed: Mapping[str, float]) -> None:
        self.builds += 1
        named = tuple(sorted({self.files.shown(path) for path in changed}))
        self.files.begin()
        self.emit(BuildStart(self.builds, named))
        if fresh.own_stamp() != self.stamp:
            self._failed((problem("MB195", "mbundle itself was changed or upgraded."),))
            return
        options = self.options
        request = Request(
            self.builds,
            changed,
            self.files.config_file,
            options.mode,
            options.command,
            BuildOptions(options.jobs or os.cpu_count() or 1, options.cache_dir, warm=True, met=self._met),
            self._known_config(changed),
        )
        number = self.builds
        self.attempt = Attempt(request, options.quiet, lambda text: self.emit(Doing(number, text)), self.inbox.put)

    def _known_config(self, changed: Iterable[str]) -> BuildConfig | None:
        """That of the last build, if it was good and only files were written that the config names and did not read:
        to evaluate it again takes longer than all else that a small build does."""
        config, self.config = self.config, None
        if config is None or not changed:
            return None
        named = {path for entry in config.entries for path in (*entry.inputs(), *entry.assets)}
        read = set(config.config_inputs)
        return config if all(path in named - read and os.path.isfile(path) for path in changed) else None

    def _met(self, paths: Iterable[str]) -> None:
        """In the build's thread: what it reads is watched before it is read, or compared after."""
        for path in self.files.meet(paths):
            self.inbox.put((path, Hint.SEEN))
        self.watcher.watch(self.files.watched())

    def _finished(self, outcome: Outcome) -> None:
        self.attempt = None
        doomed = outcome.ended or (outcome.problems and (self.coalescer or self.pending))
        if doomed:
            self.pending = dict(outcome.request.changed) | self.pending
            return
        if outcome.problems:
            self._failed(outcome.problems, outcome.inputs)
        else:
            self._succeeded(outcome)

    def _failed(self, problems: tuple[Problem, ...], inputs: Iterable[str] = ()) -> None:
        young = self.files.failed(inputs)
        self.watcher.watch(self.files.watched())
        for path in young:
            self.inbox.put((path, Hint.SEEN))
        self.emit(Failed(self.builds, problems))

    def _succeeded(self, outcome: Outcome) -> None:
        assert outcome.config is not None
        assert outcome.stats is not None
        self.config = outcome.config
        self.files.succeeded()
        self.watcher.watch(self.files.watched())
        last, self.manifest = self.manifest, outcome.manifest
        before, after = parsed(last or b""), parsed(outcome.manifest)
        if last == outcome.manifest or (last is None and outcome.stats["fresh"]):
            self.emit(BuildUnchanged(self.builds))
            return
        rebuilt, cached = differences.variants(before, after, outcome.stats)
        entries = differences.entries(before, after)
        sha256 = digest(outcome.manifest)
        self.emit(ModelUpdate(self.builds, entries, sha256, outcome.seconds, rebuilt, cached, dict(outcome.stats)))
