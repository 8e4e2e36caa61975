"""What the stages of one build share: its config, cache, scratch folder and progress, and the warnings so far."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TypeVar

from .. import process
from ..built import BuiltEntry
from ..cache import fingerprint, fresh
from ..cache.explain import History
from ..cache.location import cache_folder
from ..cache.memo import Memo
from ..cache.store import Store
from ..config.ending import ending_files
from ..config.schema import BuildConfig, EntrySpec
from ..emit.ort import files as ort_files
from ..errors import Interrupted, MbundleError, OutputError, Problem
from ..export.ensure import Exported
from ..loaders.declared import extra_files, golden_files, preload
from ..loaders.reference import Reference
from ..report.progress import Progress

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class BuildOptions:
    jobs: int
    """Entries that are read and optimised at the same time."""
    cache_dir: str | None = None
    use_cache: bool = True
    warm: bool = False
    """Leave the fork server running for the next build."""
    met: Callable[[Iterable[str]], None] = lambda paths: None
    """Gets the absolute paths of what the build reads, before it reads them or, for external data, as soon as it is
    known; from any thread."""


class Job:
    """A context: leaving it ends every child and removes the scratch folder."""

    def __init__(self, config: BuildConfig, options: BuildOptions, progress: Progress) -> None:
        self.options, self.progress = options, progress
        self.declared = config
        """As it was evaluated; in `config` the checkpoints among the sources have become models, and each candidate of
        an entry stands in its place."""
        self.config = replace(config, entries=tuple(one for all in config.entries for one in all.candidates or (all,)))
        self.exports: dict[str, Exported] = {}
        """By entry."""
        self._cache = os.path.join(os.path.realpath(cache_folder(config.root, options.cache_dir)), "")
        """What lies there was made of inputs, and is none: who clears the cache has changed nothing."""
        self.warnings: list[Problem] = []
        self.errors: list[MbundleError] = []
        """Of the entries that failed so far."""
        self.met: dict[str, fingerprint.Fingerprint | None] = {}
        """Source files as they were when the build first met them."""
        self.references: dict[str, Reference] = {}
        """Of each entry; a build that fails may leave one at work."""

    def __enter__(self) -> Job:
        with ExitStack() as stack:
            stack.callback(self._end_children)
            inputs = self.inputs()
            self.options.met(inputs)
            self.watched = fresh.Watched(inputs)
            process.warm(self._preload())
            folder = cache_folder(self.config.root, self.options.cache_dir)
            self.store = stack.enter_context(Store(folder, self.warn))
            self.memo = Memo(self.store)
            self.history = History(self.store)
            self.scratch = self.store.scratch("build")
            stack.callback(self._settle)
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _settle(self) -> None:
        for reference in self.references.values():
            reference.settle(self._end_children)

    def _end_children(self) -> None:
        if self.options.warm:
            process.cancel()
        else:
            process.stop()

    def warn(self, warning: Problem) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)

    def meet(self, path: str) -> None:
        self.met.setdefault(path, fingerprint.of(path))

    def inputs(self, entries: Iterable[BuiltEntry] = ()) -> list[str]:
        """Absolute paths of every file that the build reads, so that none is overwritten and each change is noticed.

        entries: what was read, once it was: only then the external data is known."""
        config = self.config
        files = {
            *config.config_inputs,
            *filter(None, (config.verdicts,)),
            *(ort_files(config.root) if config.output.ort == "self" else ()),
        }
        for spec in config.entries:
            files |= {*spec.inputs(), *spec.assets, *golden_files(spec), *ending_files(spec)}
            files |= set(self.exports[spec.name].inputs if spec.name in self.exports else ())
            files |= {path for one in spec.variants for step in one.steps for path in extra_files(step, config.root)}
        made = tuple(entry.files for entry in entries if entry.spec.export is None)
        return sorted(path for path in files.union(*made) if not path.startswith(self._cache))

    def gather(self, entries: Sequence[EntrySpec], work: Callable[[EntrySpec], R]) -> dict[str, R]:
        """Entry name -> `work` on it, for those that it succeeds on; the errors of the others go to `errors`."""
        results: dict[str, R] = {}
        with ThreadPoolExecutor(max(1, self.options.jobs), thread_name_prefix="entry") as pool:
            futures = [(entry.name, pool.submit(work, entry)) for entry in entries]
            try:
                for name, future in futures:
                    try:
                        results[name] = future.result()
                    except (Interrupted, OutputError):
                        raise
                    except MbundleError as error:
                        self.errors.append(error)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._end_children()  # else the pool would wait for children that nobody wants any more
                raise
        return results

    def _preload(self) -> tuple[str, ...]:
        """What the children will import: the fork server does it once, while this process goes on."""
        steps = [step for entry in self.config.entries for one in entry.variants for step in one.steps]
        ours = ["bundler.graph.read", "bundler.graph.gates"]
        ours += ["bundler.loaders.step", "bundler.loaders.verify.examine"] if steps else []
        return tuple(dict.fromkeys(("onnx", "onnxruntime", *(m for step in steps for m in preload(step)), *ours)))
