"""`split(...)` in a list of loaders: it is no step of the chain but what is done with its result."""

from __future__ import annotations

from .frame import Path
from .part import Part
from .schema import LoaderSpec

NAME = "split"


def apart(steps: tuple[LoaderSpec, ...], part: Part, path: Path) -> tuple[tuple[LoaderSpec, ...], LoaderSpec | None]:
    """The steps without `split`, and `split`. What is wrong with it is reported: MB137. `path`: of the list."""
    places = [index for index, step in enumerate(steps) if (step.name, step.kind) == (NAME, "builtin")]
    if not places:
        return steps, None
    label = ".".join(map(str, path))
    if places != [len(steps) - 1]:
        part.report("MB137", f"`split` must be last in `{label}`, and there once.", (*path, places[0]))
    cut = steps[places[0]]
    given = [name for name, value in cut.options if name != "by" and value not in (None, ())]
    given += ['by="encoder"'] if ("by", "encoder") in cut.options else []
    if len(given) != 1:
        what = f'takes one of at, stages, max_bytes and by="encoder", not {" and ".join(given) or "none of them"}'
        part.report("MB137", f"`split` in `{label}` {what}.", (*path, places[0]))
    return tuple(step for index, step in enumerate(steps) if index not in places), cut
