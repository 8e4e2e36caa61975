"""The contract of a loader, a rule a function: each says in one text what is wrong, "" when nothing is."""

from __future__ import annotations

import dataclasses
import inspect
import os
import pickle
import re
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, get_type_hints

from .. import process
from ..config.options import check_of
from ..config.steps import refusal
from ..config.suggest import listing
from ..errors import MbundleError
from ..graph.model import Model
from ..loaders.registry import missing_members
from ..loaders.regression import of_form
from ..loaders.verify.agreement import objection
from .bench import Bench, sha256
from .subject import allowed_of, is_function, options_of

Rule = Callable[["Trial"], str]
EXAMINE = "bundler.loaders.verify.examine:examine"


@dataclasses.dataclass(frozen=True)
class Trial:
    """What the rules judge. `others`: the same loader with other options. `max_error`: for functions."""

    bench: Bench
    subject: Any
    others: tuple[Any, ...] = ()
    max_error: float | None = None

    def results(self) -> Iterator[tuple[str, Model]]:
        """Case and result, of those that the first pass has turned into another model."""
        for name, outcome in self.bench.first.items():
            if outcome.model is not None and outcome.skipped is None:
                yield name, outcome.model


def declares(trial: Trial) -> str:
    """It says of itself what a build asks: name, version, tools, tolerances, options."""
    subject = trial.subject
    if is_function(subject):
        refused = refusal(subject)
        return f"a config would refuse it: it {refused[1]}" if refused else ""
    kind = type(subject)
    if not (dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        return "it is no frozen dataclass: its fields are its options, and nothing changes them once it is made"
    missing = missing_members(kind)
    if missing:
        return f"it lacks {listing(missing, 'and')}: `bundler.loaders.base.Loader` says what each is for"
    return _named(subject) or _options(subject) or _reads(subject)


def _named(subject: Any) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(subject.name)):
        return f"its name {subject.name!r} cannot be imported: small letters, digits and _"
    if not isinstance(subject.version, str) or not subject.version:
        return f"its version is {subject.version!r}: a text that you change whenever the same input gives other bytes"
    if isinstance(subject.tools, str) or not all(isinstance(tool, str) for tool in subject.tools):
        return 'its tools are no tuple of texts: ("numpy",), with the comma'
    for tool in subject.tools:
        try:
            version(tool)
        except PackageNotFoundError:
            return f"its tool {tool!r} is no installed distribution: the version of each is part of the cache's key"
    return ""


def _options(subject: Any) -> str:
    kind = type(subject)
    for name in inspect.signature(kind).parameters:
        if name not in options_of(subject):
            return f"its constructor takes `{name}`, which is no field: the cache's key would not hold it"
    hints = get_type_hints(kind, include_extras=True)
    for name, value in options_of(subject).items():
        try:
            check = check_of(hints[name])
        except TypeError as error:
            return f"its option `{name}` cannot be checked: {error}"
        if isinstance(value, int | float | str) and check(value) != value:
            return f"its option `{name}` does not accept its own value {value!r}"
    return "" if kind(**options_of(subject)) == subject else "made again from its options it is not the same"


def _reads(subject: Any) -> str:
    files = subject.reads()
    if not isinstance(files, tuple) or not all(isinstance(path, str) for path in files):
        return f"reads() returns {files!r}: a tuple of paths, () where it reads nothing"
    return ""


def travels(trial: Trial) -> str:
    """It can be sent to the process that applies it."""
    if is_function(trial.subject):
        return ""  # a build sends where the config has it
    try:
        again = pickle.loads(pickle.dumps(trial.subject))
    except Exception as error:
        return f"it cannot be pickled: {type(error).__name__}: {error}"
    return "" if again == trial.subject else "a copy by pickle is not equal to it"


def runs(trial: Trial) -> str:
    """On every model it returns a model, or skips it with the reason in one line."""
    for name, outcome in trial.bench.first.items():
        if outcome.failed:
            return f"on {name}: {outcome.failed}"
        if outcome.skipped is not None and (not outcome.skipped.strip() or "\n" in outcome.skipped):
            return f"on {name} it raises Skip({outcome.skipped!r}): the reason is half a sentence, in one line"
    return ""


def acts(trial: Trial) -> str:
    """It does something on one of the models, so that the other rules have something to judge."""
    cases = trial.bench.cases
    if any(model != cases[name].model for name, model in trial.results()):
        return ""
    reasons = {outcome.skipped or "no reason" for outcome in trial.bench.first.values()}
    return f"it changes none of the models ({listing(sorted(reasons), 'and')}): give one of your own, models={{...}}"


def keeps_the_source(trial: Trial) -> str:
    """The files that a model was read from are as they were; what is new lies in the scratch folder."""
    trial.bench.first  # noqa: B018
    for name, case in trial.bench.cases.items():
        for path, digest in case.files.items():
            if not os.path.exists(path) or sha256(path) != digest:
                return f"on {name} it changes {os.path.basename(path)}, from which the model is read"
    for name, model in trial.results():
        scratch = os.path.join(trial.bench.folder, "first", name) + os.sep
        known = {weight.region.path for weight in trial.bench.cases[name].model.weights}
        for weight in model.weights:
            path = weight.region.path
            if path not in known and not path.startswith(scratch):
                return f"on {name} it puts {weight.name} into {path}: only context.scratch goes with the step's result"
    return ""


def repeats_itself(trial: Trial) -> str:
    """The same bytes in another process, folder and order, and under another hash seed."""
    for name, outcome in trial.bench.second.items():
        before = trial.bench.first[name]
        if (before.failed, before.skipped) != (outcome.failed, outcome.skipped):
            return f"on {name} a second run ends differently: {_ended(before)}, then {_ended(outcome)}"
        if before.model is not None and outcome.model is not None:
            found = difference(before.model, outcome.model)
            if found:
                return f"on {name} a second run gives {found}"
    return ""


def _ended(outcome: Any) -> str:
    return str(outcome.failed or outcome.skipped or "a model")


def difference(first: Model, second: Model) -> str:
    """How two results differ that should be the same, or ""."""
    if first.skeleton != second.skeleton:
        return "another graph: an order that depends on hashes, a random name, a path or a time in it"
    for one, other in zip(first.weights, second.weights, strict=True):
        if _bytes(one) != _bytes(other):
            return f"other bytes for {one.name}: unseeded randomness, or something left over from the model before"
    return ""


def _bytes(weight: Any) -> bytes:
    with open(weight.region.path, "rb") as file:
        file.seek(weight.region.offset)
        return file.read(weight.region.length)


def keeps_the_form(trial: Trial) -> str:
    """No bigger, and the same inputs and outputs."""
    grow, drop = is_function(trial.subject), getattr(trial.subject, "drops_ports", False)
    for name, model in trial.results():
        trouble = of_form(trial.bench.cases[name].model, model, may_grow=grow, may_drop=drop)
        if trouble is not None:
            hint = ": return the model as it is, or raise Skip" if trouble.code == "MB320" else ""
            return f"on {name} {trouble.reason}{hint}"
    return ""


def agrees(trial: Trial) -> str:
    """The result opens in onnxruntime, and its outputs are as close to the source's as the loader states."""
    allowed = allowed_of(trial.subject, trial.max_error)
    for name, model in trial.results():
        try:
            found = process.run(EXAMINE, model, trial.bench.cases[name].baseline, label=f"the result for {name}")
        except MbundleError as error:
            return f"on {name} its result does not load: {error.problems[0].what}"
        reason = objection(found, allowed) if found is not None else ""
        if reason:
            return f"on {name} {reason}"
    return ""
