"""From a loader's name to its class: built in, or announced by an installed package.

A package adds a loader with an entry point in the group `mbundle.loaders` whose name is the loader's and whose
object is a class as in `base.py`.
"""

from __future__ import annotations

import dataclasses
from importlib import import_module
from typing import TYPE_CHECKING, cast

from ..catalogue import problem
from ..config.declare import LoaderConstructor
from ..config.schema import LoaderSpec
from ..config.suggest import closest, listing
from ..errors import ConfigError
from . import __all__ as _BUILTIN
from .base import Loader

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "mbundle.loaders"
_MEMBERS = ("name", "version", "tools", "max_error", "min_cosine", "warn_cosine", "reads")
"""Of `base.Loader`, what the chain asks every loader for."""


def names() -> list[str]:
    """All loaders that a config can name."""
    return sorted({*_BUILTIN, *_plugins()})


def is_free(name: str) -> bool:
    """Whether a new loader can have the name: no loader has it, and no module of ours, which an import would find."""
    from importlib.util import find_spec

    return name not in names() and find_spec(f"{__package__}.{name}") is None


def installed(name: str) -> LoaderConstructor:
    """What `from bundler.loaders import <name>` gives when `name` is not built in.

    An unknown name gives a constructor too: the config is read to its end and every mistake told at once.
    """
    if name not in _plugins():
        return LoaderConstructor(name, None, "plugin", suggestion(name))
    return LoaderConstructor(name, loader_class(name), "plugin")


def loader_class(name: str) -> type:
    """The class of the loader `name`. Raises ConfigError when there is none or its package does not load."""
    if name in _BUILTIN:
        builtin: type = getattr(import_module(__package__), name).loader
        return builtin
    point = _plugins().get(name)
    if point is None:
        raise ConfigError(problem("MB120", f"There is no loader `{name}`.", fix=suggestion(name)))
    try:
        return _accepted(point.load(), point)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(problem("MB123", f"The loader `{name}` ({point.value}) does not load: {error}.")) from error


def make(spec: LoaderSpec) -> Loader:
    """The loader that `spec` describes, for the process that applies it.

    For the user's own functions see `config.evaluate.evaluate_function`.
    """
    return cast(Loader, loader_class(spec.name)(**dict(spec.options)))


def suggestion(name: str) -> str:
    """What to do about the unknown loader `name`."""
    near = closest(name, names())
    return f"Did you mean `{near}`?" if near else f"Loaders are {listing(names())}."


def _accepted(found: object, point: EntryPoint) -> type:
    who = f"The loader `{point.name}` ({point.value})"
    if not (isinstance(found, type) and dataclasses.is_dataclass(found) and hasattr(found, "apply")):
        raise ConfigError(problem("MB123", f"{who} is not a dataclass with `apply`."))
    missing = missing_members(found)
    if missing:
        fix = "Give it those members; `bundler.loaders.base.Loader` says what each is for."
        raise ConfigError(problem("MB123", f"{who} lacks {listing(missing, 'and')}.", fix=fix))
    return found


def missing_members(kind: type) -> list[str]:
    """What the chain asks every loader for and this class has not."""
    return [member for member in _MEMBERS if not hasattr(kind, member)]


def _plugins() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # 38 ms: more than all else that a config needs

    return {point.name: point for point in entry_points(group=GROUP)}
