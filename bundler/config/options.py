"""Checks of a loader's options, read from the loader itself: a frozen dataclass whose fields are its options.

A field's annotation is its whole schema: bool, int, float, str, Literal[...], tuple[..., ...], `| None`, and
Annotated[..., Range(low, high)] for limits.
"""

from __future__ import annotations

import dataclasses
import math
import os
import types
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from . import files, values
from .declare import LoaderCall
from .findings import Bad, Findings
from .frame import Path
from .site import Site
from .suggest import closest, listing
from .values import Check


class Range(NamedTuple):
    """Limits of a number, both included."""

    low: float = -math.inf
    high: float = math.inf


class Data(NamedTuple):
    """Marks an option that takes data: a file, a folder of files, or a function of the config that makes it. Its value
    is a tuple of the files' paths, relative to the config where they lie below it; FUNCTION for a function."""

    suffixes: tuple[str, ...]
    """Of the files, in lower case: (".npz",)."""


class Unit(NamedTuple):
    """Marks an option that is written as a budget writes it: "size" ("5 MB", a number of bytes) or "time" ("20 ms").
    Its value is bytes, or milliseconds; None where it is not given."""

    kind: Literal["size", "time"]


FUNCTION = ("<function>",)
"""Stands for a function in a LoaderSpec; the process that applies the loader finds it by evaluating the config."""


def loader_options(call: LoaderCall, findings: Findings, entry: str, root: str) -> tuple[tuple[str, Any], ...]:
    """Every option of the loader with its value, sorted; what is wrong with the call goes to `findings`."""
    assert call.of.loader is not None
    fields = [field for field in dataclasses.fields(call.of.loader) if field.init]
    names = tuple(field.name for field in fields if not field.kw_only)
    given = given_options(call)
    _report_shape(call, names, [field.name for field in fields], findings, entry)
    hints = get_type_hints(call.of.loader, include_extras=True)
    return tuple(
        (field.name, _option(call, field, check_of(hints[field.name], root=root), given, names, findings, entry))
        for field in sorted(fields, key=lambda field: field.name)
    )


def data_folders(call: LoaderCall, root: str) -> tuple[str, ...]:
    """Absolute paths of the folders that a call names as its data."""
    assert call.of.loader is not None
    hints = get_type_hints(call.of.loader, include_extras=True)
    given = [value for name, value in given_options(call).items() if name in hints and _data(hints[name])]
    paths = [os.path.normpath(os.path.join(root, value)) for value in given if isinstance(value, str | os.PathLike)]
    return tuple(path for path in paths if os.path.isdir(path))


def _data(hint: Any) -> Data | None:
    marked = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((item for item in marked if isinstance(item, Data)), None)


def given_options(call: LoaderCall) -> dict[str, Any]:
    """The options of a call as they were written, by name."""
    assert call.of.loader is not None
    names = [field.name for field in dataclasses.fields(call.of.loader) if field.init and not field.kw_only]
    return dict(zip(names, call.args, strict=False)) | call.given


def _report_shape(
    call: LoaderCall, positional: tuple[str, ...], known: list[str], findings: Findings, entry: str
) -> None:
    for name in call.given:
        if name not in known:
            unknown(call.of.name, name, known, findings, call.site, entry)
        elif name in positional[: len(call.args)]:
            findings.at(
                "MB114", f"`{name}` of {call.of.name} is given twice.", call.site, (name,), key=True, entry=entry
            )
    if len(call.args) > len(positional):
        what = f"{call.of.name} takes at most {len(positional)} options by position, not {len(call.args)}."
        findings.at("MB114", what, call.site, (len(positional),), entry=entry)


def unknown(
    owner: str, name: str, known: Any, findings: Findings, site: Site, entry: str = "", path: Path | None = None
) -> None:
    """Reports an option that `owner` does not have."""
    near = closest(name, known)
    has = f"It has {listing(known, 'and')}." if known else "It has no options."
    fix = f"Did you mean `{near}`?" if near else has
    where = (name,) if path is None else path
    findings.at("MB110", f"{owner} has no option `{name}`.", site, where, fix=fix, key=True, entry=entry)


def _option(
    call: LoaderCall,
    field: dataclasses.Field[Any],
    check: Check[Any],
    given: dict[str, Any],
    positional: tuple[str, ...],
    findings: Findings,
    entry: str,
) -> Any:
    if field.name not in given:
        return _default(call, field, findings, entry)
    try:
        return check(given[field.name])
    except Bad as bad:
        what = f"`{field.name}` of {call.of.name} {bad.what}."
        path = (field.name, *bad.path)
        findings.at(bad.code, what, call.site, path, fix=bad.fix, positional=positional, entry=entry)
        return None


def _default(call: LoaderCall, field: dataclasses.Field[Any], findings: Findings, entry: str) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    fix = f"Write {call.of.name}({field.name}=...)."
    findings.at("MB111", f"{call.of.name} needs the option `{field.name}`.", call.site, fix=fix, entry=entry)
    return None


def check_of(hint: Any, limits: Range | None = None, root: str = "") -> Check[Any]:
    """The check for values of the annotation `hint`. `root`: absolute folder that files are relative to."""
    origin, arguments = get_origin(hint), get_args(hint)
    marker = _data(hint)
    if marker is not None:
        return lambda value: FUNCTION if callable(value) else files.gathered(value, root, marker.suffixes)
    if any(isinstance(item, Unit) for item in arguments[1:]) and origin is Annotated:
        return values.optional(values.size if Unit("size") in arguments[1:] else values.milliseconds)
    if origin is Annotated:
        return check_of(arguments[0], next((item for item in arguments[1:] if isinstance(item, Range)), None))
    if origin is Literal:
        return _one_of(arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return values.sequence(check_of(arguments[0], limits))
    if origin in (Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        return values.optional(check_of(next(kind for kind in arguments if kind is not type(None)), limits))
    return _plain(hint, limits or Range())


def _one_of(known: tuple[Any, ...]) -> Check[Any]:
    if all(isinstance(option, str) for option in known):
        return values.choice(*known)

    def check(value: Any) -> Any:
        if any(option == value and type(option) is type(value) for option in known):
            return value
        raise Bad(f"must be {' or '.join(map(repr, known))}, not {values.shown(value)}", code="MB113")

    return check


def _plain(hint: Any, limits: Range) -> Check[Any]:
    checks: dict[Any, Check[Any]] = {
        bool: values.flag,
        int: values.whole(*limits),
        float: values.number(*limits),
        str: values.text,
    }
    if hint not in checks:
        raise TypeError(f"a loader's option cannot be of type {hint!r}")
    return checks[hint]
