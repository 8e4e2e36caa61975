"""Which folders tell that a path leads to something new.

`models/a.onnx` may be a link, `models` may be one, and either may be missing for a moment. Events come for names in
real folders only (measured: an edit of a link's target gives none in the link's folder), so the way is walked link by
link.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice

_MOST_LINKS = 40
_MOST_SIBLINGS = 1000
_HALF_MADE = ("~", ".tmp", ".swp", ".swx", ".part", ".crdownload")


def trail(path: str, root: str) -> list[str]:
    """Real names whose creation, removal or replacement changes what the absolute `path` leads to.

    Its links, where it ends (or the first name that is missing), and the folders on the way that lie below `root`,
    as a folder may be renamed.
    """
    ahead = list(reversed(path.split(os.sep)))
    here, links = os.sep, 0
    found: list[str] = []
    while ahead:
        name = ahead.pop()
        if name in ("", os.curdir):
            continue
        if name == os.pardir:
            here = os.path.dirname(here)
            continue
        full = os.path.join(here, name)
        target = _link(full)
        if target is None:
            if not ahead or below(full, root) or not os.path.lexists(full):
                found.append(full)
            if not os.path.lexists(full):
                return found
            here = full
            continue
        found.append(full)
        links += 1
        if links > _MOST_LINKS:
            return found
        here = os.sep if os.path.isabs(target) else here
        ahead += reversed(target.split(os.sep))
    return found


def below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def visible(name: str) -> bool:
    """Not a hidden file, nor one that an editor or a download keeps beside the real one for a moment."""
    return not name.startswith((".", "#")) and not name.endswith(_HALF_MADE)


def listing(folder: str) -> tuple[str, ...] | None:
    """Visible files in a folder and the Python packages in it, sorted; None when there is no such folder.

    Other folders do not count: one of them is our own output, which a build makes, and removes again if it fails.
    """
    try:
        with os.scandir(folder) as items:
            return tuple(sorted(item.name for item in items if visible(item.name) and _counts(item)))
    except OSError:
        return None


def _counts(item: os.DirEntry[str]) -> bool:
    if not item.is_dir():
        return True
    try:
        return any(name.endswith(".py") for name in os.listdir(item.path))
    except OSError:
        return False


def siblings(folder: str) -> Iterator[str]:
    """Paths of the visible files in a folder, at most a thousand."""
    for name in islice(listing(folder) or (), _MOST_SIBLINGS):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            yield path


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None
