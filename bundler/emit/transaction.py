"""One build's output, all or nothing.

Invariants, at every moment, whatever is killed and whatever fails: each pointer file in the folder
(model-manifest.json, models.js, entries/*.js) leads to complete immutable files of one build; a file that is not in
our record is never replaced or deleted. Order of a commit, each step on the disk before the next:

    announcement -> immutable files -> pointers -> model-manifest.json -> prune -> record -> no announcement

Up to the first pointer a failure is undone; after model-manifest.json the build stands and failures are warnings.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import BinaryIO

from ..catalogue import problem
from ..chunks import names
from ..errors import BugError, MbundleError, OutputError, Problem
from . import ownership, refuse, staging
from .failure import output_error, output_errors
from .folder import DigestMemo, OutputFolder
from .likeness import Likeness
from .lock import FolderLock
from .ownership import MANIFEST, RECORD, FileMark, Generation
from .staging import StagedFile, Staging


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did. Paths are below the output folder; `files` is the whole new generation."""

    files: Generation
    written: tuple[str, ...]
    removed: tuple[str, ...]
    warnings: tuple[Problem, ...]
    update: bool
    """Whether an earlier build was in the folder."""


class Transaction:
    """`with Transaction(...) as tx:` stage files, then `tx.commit(...)`; without a commit nothing has happened.

    `protected`: the build's inputs. `keep`: generations whose files stay, the new one included. `waiting` is told in
    a sentence that another build holds the folder. `alive` is called before each file is staged, never once the commit
    places files, and may raise to break the build off. Raises OutputError (MB400-MB413). `have`,
    `resembles`, `stage` and `put` are safe for threads.
    """

    def __init__(
        self,
        out_dir: str,
        root: str,
        protected: Iterable[str] = (),
        *,
        memo: DigestMemo | None = None,
        keep: int = 2,
        waiting: Callable[[str], None] = lambda message: None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = OutputFolder(refuse.check(out_dir, root, protected), memo)
        self._keep = keep
        self._lock = FolderLock(self._folder.path, waiting, alive=alive)
        self._alive = alive
        self._guard = Lock()
        self._likeness = Likeness(self._folder.path)
        self._files: dict[str, FileMark] = {}
        self._staged: dict[str, str] = {}
        self._flipped = False
        self._warnings: list[Problem] = []

    def __enter__(self) -> Transaction:
        with contextlib.ExitStack() as undo, output_errors(self._folder.path):
            self._folder.create()
            undo.enter_context(self._lock)
            undo.callback(self._folder.remove_made)  # while the lock is held: nobody is about to use them
            self._staging = Staging(self._folder.path)
            undo.callback(self._close_staging)
            self._recover()
            self._exit = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    @property
    def files(self) -> Generation:
        """What is part of this build so far."""
        with self._guard:
            return dict(self._files)

    def open(self, name: str) -> BinaryIO:
        """A file of this build, for reading."""
        with self._guard:
            path = self._staged.get(name, self._folder.at(name))
        with output_errors(path):
            return open(path, "rb")

    def have(self, name: str, sha256: str, nbytes: int) -> bool:
        """Whether the file is there (or staged), whole; it is then part of this build."""
        self._alive()
        mark = FileMark(nbytes, sha256)
        with self._guard:
            if self._files.get(name) == mark:
                return True
        if not self._folder.holds(name, mark):
            return False
        self._claim(name, mark)
        return True

    def resembles(self, nbytes: int, head: Callable[[], bytes]) -> bool:
        """Whether a weight file of that size that begins so is in the folder."""
        return self._likeness.has(nbytes, head)

    def stage(self) -> StagedFile:
        """A file to write to; `finish(name, sha256)` makes it part of this build."""
        self._alive()
        return self._staging.open(self._accept)

    def put(self, name: str, data: bytes) -> FileMark:
        """A small file."""
        mark = FileMark(len(data), hashlib.sha256(data).hexdigest())
        if not self.have(name, mark.sha256, mark.nbytes):
            self._accept(name, mark.sha256, mark.nbytes, self._staging.write(data))
        return mark

    def commit(self, pointers: Mapping[str, bytes], manifest: bytes) -> Committed:
        """Makes this build the current one. `pointers`: the files with stable names but model-manifest.json."""
        self.put(f"{names.ASSETS}/{names.manifest(hashlib.sha256(manifest).hexdigest())}", manifest)
        for name, data in sorted(pointers.items()):
            self.put(name, data)
        self.put(MANIFEST, manifest)
        self._refuse_foreign()
        update = self._folder.plain(MANIFEST) is not None
        if self._staged:
            with output_errors(self._folder.path):
                self._install()
        removed = self._tidy()
        return Committed(dict(self._files), tuple(sorted(self._staged)), removed, tuple(self._warnings), update)

    def _record(self) -> list[Generation]:
        path = self._folder.at(RECORD)
        try:
            return ownership.load(path)
        except ownership.Damaged as damage:
            warning = problem("MB414", f"It is not used: {damage}.", file=path, severity="warning")
            if warning not in self._warnings:
                self._warnings.append(warning)
            return []

    def _recover(self) -> None:
        """Takes over from builds that were killed. The one whose manifest is in place has become a generation."""
        self._dead = [other for other in staging.others(self._folder.path, self._staging) if not other.alive]
        self._promoted: list[Generation] = []
        for other in self._dead:
            if not other.files:
                shutil.rmtree(other.path, ignore_errors=True)
            staging.empty(other.path)
            live = other.files.get(MANIFEST)
            if live is not None and self._folder.holds(MANIFEST, live):
                self._promoted.append(other.files)

    def _accept(self, name: str, sha256: str, nbytes: int, staged: str) -> bool:
        """Whether the staged file is needed: two threads may have made the same chunk."""
        if self.have(name, sha256, nbytes):
            return False
        self._claim(name, FileMark(nbytes, sha256))
        with self._guard:
            self._staged[name] = staged
        return True

    def _claim(self, name: str, mark: FileMark) -> None:
        if not ownership.is_ours(name):
            raise BugError(f"no output file may be called {name!r}")
        with self._guard:
            if self._files.setdefault(name, mark) != mark:
                raise BugError(f"two contents for the output file {name!r}")

    def _refuse_foreign(self) -> None:
        owned = ownership.names([*self._record(), *(other.files for other in self._dead)])
        for name in sorted(self._staged):
            path = self._folder.at(name)
            if os.path.lexists(path) and (name not in owned or self._folder.plain(name) is None):
                raise OutputError(problem("MB404", f"{name} is in the way.", file=path))

    def _install(self) -> None:
        immutable = sorted(name for name in self._staged if not ownership.is_pointer(name))
        pointers = sorted((name for name in self._staged if ownership.is_pointer(name)), key=_manifest_last)
        new = [name for name in immutable if not os.path.lexists(self._folder.at(name))]
        try:
            self._staging.announce(self._files)
            self._check_claims()
            self._folder.place({name: self._staged[name] for name in immutable})
        except BaseException:
            with contextlib.suppress(OSError):
                self._folder.remove(new)
            raise
        self._flipped = True
        for name in pointers:
            self._folder.place({name: self._staged[name]})

    def _check_claims(self) -> None:
        """Without locks another build may have pruned since `have` looked; what is announced it leaves alone."""
        for name, mark in self._files.items():
            if name not in self._staged and not self._folder.looks_like(name, mark):
                raise OutputError(problem("MB413", f"{name} is gone or altered.", file=self._folder.at(name)))

    def _tidy(self) -> tuple[str, ...]:
        """Prunes and keeps the record. The build stands already: what fails here is a warning."""
        try:
            old = [*self._promoted, *self._record()]
            kept = ownership.newest(self._files, old, self._keep)
            removed = self._prune([*old, *(other.files for other in self._dead)], kept)
            record = ownership.dump(kept)
            if not self._folder.holds_bytes(RECORD, record):
                self._folder.place({RECORD: self._staging.write(record)})
            self._flipped = False
            for other in self._dead:
                shutil.rmtree(other.path, ignore_errors=True)
            return removed
        except (OSError, MbundleError) as error:
            failure = output_error(error, self._folder.path) if isinstance(error, OSError) else error
            cause = failure.problems[0]
            self._warnings.append(problem("MB415", cause.what, file=cause.file, severity="warning"))
            return ()

    def _prune(self, known: Iterable[Generation], kept: Iterable[Generation]) -> tuple[str, ...]:
        """Pointers first: none may outlive what it leads to."""
        busy = [other.files for other in staging.others(self._folder.path, self._staging) if other.alive]
        gone = ownership.names(known) - ownership.names(kept) - ownership.names(busy)
        return self._folder.remove(sorted(gone, key=lambda name: (not ownership.is_pointer(name), name)))

    def _close_staging(self) -> None:
        # A commit that broke off between two pointers is unfinished business for the next build.
        self._staging.close(keep_announcement=self._flipped)


def _manifest_last(name: str) -> tuple[bool, str]:
    return (name == MANIFEST, name)
