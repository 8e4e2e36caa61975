"""Output folders that we do not touch, whatever the config says. There is no flag to override this."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..catalogue import problem
from ..errors import OutputError


def check(out_dir: str, root: str, inputs: Iterable[str] = ()) -> str:
    """The absolute path of the output folder, which need not exist. OutputError MB400-MB403 says why not.

    `inputs`: files and folders that the build reads.
    """
    path = os.path.abspath(out_dir)
    real = os.path.realpath(path)
    _not_a_file(path, real)
    _not_through_a_link(path, real, os.path.realpath(root))
    _not_the_project(path, real, os.path.realpath(root))
    for name in inputs:
        _without_input(path, real, name)
    return path


def _not_a_file(path: str, real: str) -> None:
    if os.path.lexists(path) and not os.path.isdir(real):
        raise OutputError(problem("MB402", "It exists and is not a folder.", file=path))


def _not_through_a_link(path: str, real: str, root: str) -> None:
    # Links above the project (/tmp on a Mac) are the user's own; one at or below the root is part of the project.
    lexical = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    if _within(real, root) or not (os.path.islink(lexical) or _within(os.path.abspath(path), root)):
        return
    raise OutputError(problem("MB403", f"It leads to {real}, which is outside of the project.", file=path))


def _not_the_project(path: str, real: str, root: str) -> None:
    home = os.path.realpath(os.path.expanduser("~"))
    for folder, what in ((root, "the project"), (home, "your home folder")):
        if _within(folder, real):
            relation = "is" if folder == real else "contains"
            raise OutputError(problem("MB400", f"The output folder {relation} {what}.", file=path))


def _without_input(path: str, real: str, name: str) -> None:
    for form in {os.path.abspath(name), os.path.realpath(name)}:
        if _within(form, real) or _within(form, path):
            raise OutputError(problem("MB401", f"The input {name} lies in the output folder.", file=path))


def _within(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or below it. Both absolute; on another drive is not within."""
    try:
        return os.path.commonpath((path, folder)) == folder
    except ValueError:
        return False
