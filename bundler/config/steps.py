"""From the loaders in a chain to LoaderSpecs: calls of known loaders, and functions or objects of the user's own."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from .declare import ConfigEnv, LoaderCall, LoaderConstructor
from .findings import Findings
from .frame import Path
from .options import FUNCTION, given_options, loader_options
from .project import Project
from .schema import LoaderSpec
from .site import Site
from .values import shown


@dataclasses.dataclass(frozen=True, slots=True)
class Chain:
    """Where a chain stands: enough to report about it and to find it again in another process."""

    entry: str
    where: str
    """"icons/use" or "icons/variants/q8"."""
    site: Site
    path: Path


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What all parts of one validation share."""

    findings: Findings
    project: Project
    config_file: str
    env: ConfigEnv


def read_chain(value: Any, chain: Chain, reading: Reading) -> tuple[LoaderSpec, ...]:
    """The steps of a `use` or variant list; what is wrong goes to the findings."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        fix = f"Write [{shown_step(value)}]." if _is_step(value) else "Write a list: [simplify()]."
        _report(reading, chain, (), f"must be a list of loaders, not {shown_step(value)}", fix, "MB112")
        return ()
    found = [_read_step(step, index, chain, reading) for index, step in enumerate(value)]
    return tuple(step for step in found if step is not None)


def _report(reading: Reading, chain: Chain, inside: Path, what: str, fix: str | None, code: str) -> None:
    label = f"`{'.'.join(str(part) for part in chain.path)}`"
    index = f"[{inside[0]}]" if inside else ""
    reading.findings.at(code, f"{label}{index} {what}.", chain.site, (*chain.path, *inside), fix=fix, entry=chain.entry)


def _read_step(step: Any, index: int, chain: Chain, reading: Reading) -> LoaderSpec | None:
    if isinstance(step, LoaderCall):
        return _read_call(step, index, chain, reading)
    refused = refusal(step)
    if refused is not None:
        _report(reading, chain, (index,), refused[1], refused[2], refused[0])
        return None
    where = f"{chain.where}/{index}"
    return LoaderSpec(name_of(step), (), "function", where, digest_of_own(step, where, reading))


def _read_call(call: LoaderCall, index: int, chain: Chain, reading: Reading) -> LoaderSpec | None:
    of = call.of
    if of.loader is None:
        what = f"There is no loader `{of.name}`."
        reading.findings.at("MB120", what, call.site, fix=of.suggestion, entry=chain.entry)
        return None
    options = loader_options(call, reading.findings, chain.entry, reading.env.root)
    digest = _digest_of_plugin(of.loader) if of.kind == "plugin" else ""
    functions = [name for name, value in options if value == FUNCTION]
    if not functions:
        place = call.site.place if getattr(of.loader, "finds_recipe", False) else None
        return LoaderSpec(of.name, options, of.kind, digest=digest, place=place)
    where = f"{chain.where}/{index}"
    own = [digest_of_own(given_options(call)[name], where, reading) for name in functions]
    return LoaderSpec(of.name, options, of.kind, where, _digest([digest, *own], []))


def shown_step(step: Any) -> str:
    return repr(step) if isinstance(step, LoaderCall) else shown(step)


def _is_step(step: Any) -> bool:
    return isinstance(step, LoaderCall) or refusal(step) is None


def refusal(step: Any) -> tuple[str, str, str | None] | None:
    """(code, what, fix) when `step` is not a loader that we can call."""
    if isinstance(step, LoaderConstructor):
        return "MB121", f"is `{step.name}` without its parentheses", f"Call it: {step.name}()."
    if isinstance(step, type):
        return "MB121", f"is the class {step.__name__}, not a loader made from it", f"Call it: {step.__name__}()."
    method = getattr(step, "apply", None)
    if callable(method):
        return _signature_refusal(method)
    if callable(step):
        return _signature_refusal(step)
    return "MB121", f"is {shown(step)}, not a loader", _hint(step)


def _hint(step: Any) -> str | None:
    if step is None:
        return "Leave it out; for a loader that is only sometimes there write *([simplify()] if condition else [])."
    if isinstance(step, str) and step.isidentifier():
        return f"Import the loader and call it: from bundler.loaders import {step}, then {step}()."
    if isinstance(step, list | tuple):
        return "Put a star before the inner list to splice it in: [*steps]."
    return None


def _signature_refusal(function: Callable[..., Any]) -> tuple[str, str, str | None] | None:
    inner = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        return "MB122", f"is the async function `{name_of(function)}`", "Write it without async."
    if inspect.isgeneratorfunction(inner):
        return "MB122", f"is the generator `{name_of(function)}`", "Return the model instead of yielding it."
    if takes(function, 1) or takes(function, 2):
        return None
    return "MB122", f"is `{name_of(function)}`, which cannot be called with a model", None


def takes(function: Callable[..., Any], count: int) -> bool:
    """Whether `function` can be called with `count` positional arguments; builtins that do not tell are believed."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def name_of(step: Any) -> str:
    name = getattr(step, "__qualname__", None)
    return name if isinstance(name, str) else type(step).__qualname__


def _digest_of_plugin(loader: type) -> str:
    return _digest([], [_module_file(loader)])


def digest_of_own(step: Any, where: str, reading: Reading) -> str:
    """sha256 of all that decides what the function `step` does.

    A function that a helper module defines at its top level depends on the project's modules. Anything else may hold
    values of the config (a closure, an object's fields, the mode), so it also depends on the config and its own place.
    """
    modules = [path for path in reading.project.modules() if path != reading.config_file]
    if _is_global(step) and step.__module__ in sys.modules and _module_file(step) in modules:
        return _digest([step.__module__, step.__qualname__], modules)
    files = [reading.config_file, *modules, _module_file(step if hasattr(step, "__module__") else type(step))]
    return _digest([where, reading.env.mode, reading.env.command], files)


def _is_global(step: Any) -> bool:
    """Whether `step` is a plain function that its module holds under its own name."""
    if not inspect.isfunction(step) or step.__closure__:
        return False
    return getattr(sys.modules.get(step.__module__), step.__qualname__, None) is step


def _module_file(thing: Any) -> str:
    file = getattr(sys.modules.get(thing.__module__), "__file__", None)
    return os.path.abspath(file) if isinstance(file, str) else ""


def _digest(words: list[str], files: list[str]) -> str:
    from hashlib import sha256

    whole = sha256("\0".join(words).encode())
    for file in dict.fromkeys(path for path in files if path):
        with open(file, "rb") as stream:
            whole.update(sha256(stream.read()).digest())
    return whole.hexdigest()


def golden_place(entry: str, index: int) -> str:
    """Where the golden metric `index` of an entry is found again."""
    return f"{entry}/golden" if index == 0 else f"{entry}/golden/metrics/{index}"


def own_steps(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Every step and golden metric of raw entries by its place (`LoaderSpec.where`, `GoldenSpec.where`)."""
    found: dict[str, Any] = {}
    for name, entry in entries.items():
        chains = {f"{name}/use": entry.use or ()}
        chains |= {f"{name}/variants/{variant}": steps or () for variant, steps in (entry.variants or {}).items()}
        for where, steps in chains.items():
            found |= {f"{where}/{index}": step for index, step in enumerate(steps)}
        if entry.golden is not None:
            metrics = entry.golden.metrics or [entry.golden.metric]
            found |= {golden_place(name, index): one for index, one in enumerate(metrics) if callable(one)}
        if entry.golden is not None and callable(entry.golden.path):
            found[f"{name}/golden/inputs"] = entry.golden.path
    return found
