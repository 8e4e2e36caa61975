"""Files that a config names: they exist, they are regular, they may be read. Nothing is opened here."""

from __future__ import annotations

import os
import stat
from typing import Any

from ..errors import printable
from . import values
from .findings import Bad, relative
from .suggest import closest


class Missing(Bad):
    """A path that does not exist (yet)."""

    def __init__(self, what: str, fix: str | None, *, code: str, path: str) -> None:
        super().__init__(what, fix, code=code)
        self.missing = path


def existing(path: str, code: str, written: str, base: str, prefix: str = "") -> os.stat_result:
    """The stat of `path`. Raises Missing, naming a neighbour with a similar name or the folder that is missing.

    Paths are shown relative to `base`, with `prefix` before them: as the user would write them.
    """
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(path, code, written, base, prefix) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Bad(f'is "{printable(written)}", which cannot be read: {reason}', code="MB147") from None


def _missing(path: str, code: str, written: str, base: str, prefix: str) -> Missing:
    if os.path.islink(path):
        target = printable(os.readlink(path))
        fix = "Restore that file, or name another one."
        return Missing(
            f'is "{printable(written)}", a link to "{target}", which does not exist', fix, code=code, path=path
        )
    folder, name = os.path.split(path)
    while not os.path.isdir(folder) and len(folder) > 1:
        folder, name = os.path.split(folder)
    like = closest(name, names(folder)[:2000])
    found = prefix + relative(_closer(path, folder, like), base) if like else ""
    advice = f'Did you mean "{found}"?' if like else None
    where = prefix + relative(os.path.join(folder, name), base)
    detail = "" if os.path.normpath(written) == where else f": there is no {printable(where)}"
    return Missing(f'is "{printable(written)}", which does not exist{detail}', advice, code=code, path=path)


def _closer(path: str, folder: str, like: str) -> str:
    """The whole of `path` with its wrong part replaced by `like`, if that exists."""
    rest = os.path.relpath(path, folder).split(os.sep)[1:]
    whole = os.path.join(folder, like, *rest)
    return whole if os.path.exists(whole) else os.path.join(folder, like)


def names(folder: str) -> list[str]:
    """What is in a folder, sorted; nothing when it cannot be listed."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def readable(path: str, status: os.stat_result) -> None:
    """Refuses what is not a regular file or may not be read."""
    if not stat.S_ISREG(status.st_mode):
        raise Bad(f'is "{printable(path)}", which is not a regular file', code="MB147")
    if not os.access(path, os.R_OK):
        raise Bad(f'is "{printable(path)}", which you may not read', code="MB147")


def gathered(value: Any, root: str, suffixes: tuple[str, ...]) -> tuple[str, ...]:
    """The file that a user names, or the files in the folder, sorted; relative to `root` where they lie below it."""
    written = values.path(value)
    path = os.path.normpath(os.path.join(root, written))
    status = existing(path, "MB148", written, root)
    if not stat.S_ISDIR(status.st_mode):
        return (_gathered(path, root, suffixes),)
    found = [os.path.join(path, name) for name in names(path) if name.lower().endswith(suffixes)]
    if not found:
        raise Bad(f'is "{printable(written)}", a folder without any {" or ".join(suffixes)} file', code="MB148")
    return tuple(_gathered(file, root, suffixes) for file in found)


def _gathered(path: str, root: str, suffixes: tuple[str, ...]) -> str:
    readable(path, os.stat(path))
    if not path.lower().endswith(suffixes):
        raise Bad(f'is "{printable(path)}", which is no {" or ".join(suffixes)} file', code="MB148")
    below = path.startswith(root.rstrip(os.sep) + os.sep)
    return os.path.relpath(path, root).replace(os.sep, "/") if below else path
