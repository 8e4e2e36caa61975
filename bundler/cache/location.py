"""Where the cache and the build state of a project lie."""

from __future__ import annotations

import os
from collections.abc import Mapping

from . import atomic

WORK_FOLDER = ".mbundle"
ENVIRONMENT = "MBUNDLE_CACHE_DIR"


def cache_folder(root: str, option: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """Absolute folder of the cache: the option, else MBUNDLE_CACHE_DIR, else `.mbundle/cache` below `root`.

    A relative option is relative to the current folder, as every path on a command line is; a relative
    environment value is relative to `root`, so that one exported value means the same from any folder.
    """
    if option:
        return os.path.abspath(option)
    value = (os.environ if environ is None else environ).get(ENVIRONMENT, "")
    if value:
        return os.path.abspath(os.path.join(root, value))
    return os.path.join(os.path.abspath(root), WORK_FOLDER, "cache")


def state_folder(root: str) -> str:
    """Absolute folder of what `mbundle` remembers about its last builds of this project."""
    return os.path.join(os.path.abspath(root), WORK_FOLDER, "state")


def keep_out_of_git(root: str) -> None:
    """Gives the work folder, all of which can be made again, a .gitignore, unless it has one. May raise OSError."""
    path = os.path.join(os.path.abspath(root), WORK_FOLDER, ".gitignore")
    if not os.path.lexists(path):
        atomic.write(path, b"*\n", temporary=atomic.unique(state_folder(root)))
