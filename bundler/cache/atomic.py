"""Whole files or none: written beside their place under a name of their own, then renamed over it.

No fsync: after a power cut a cache file may be empty or torn, and every reader here verifies what it reads.
The output folder, which browsers read unverified, has its own, stricter transaction.
"""

from __future__ import annotations

import contextlib
import os

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def unique(folder: str, suffix: str = ".tmp") -> str:
    """A path in `folder` that no other process or thread uses. The folder need not exist yet.

    os.urandom, as `secrets` imports random, hmac and base64: 2 ms of a no-change build's 150.
    """
    return os.path.join(folder, f"{os.getpid()}-{os.urandom(6).hex()}{suffix}")


def maker_runs(name: str) -> bool:
    """Whether the process that made the name with `unique` may still be there. In doubt it is."""
    pid = name.partition("-")[0]
    if not pid.isdecimal() or os.name != "posix":  # elsewhere, signal 0 ends the process that it asks about
        return True
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def sweep(folder: str) -> None:
    """Removes the temporary files that killed processes left in `folder`."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.endswith(".tmp") and not maker_runs(name):
                os.unlink(os.path.join(folder, name))


def create(path: str, mode: int = 0o666) -> int:
    """Descriptor of a new file, its folder made where needed. mkstemp's 0600 would lock out who shares a cache."""
    try:
        return os.open(path, _FLAGS, mode)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, _FLAGS, mode)


def install(temporary: str, path: str) -> None:
    """Renames `temporary` to `path`, replacing what is there."""
    try:
        os.replace(temporary, path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.replace(temporary, path)


def write(path: str, data: bytes, *, temporary: str | None = None, mode: int = 0o666) -> None:
    """Puts `data` at `path`. `temporary` is a path on the same filesystem. OSError: the file is as it was."""
    staged = temporary or unique(os.path.dirname(path))
    try:
        with os.fdopen(create(staged, mode), "wb") as out:
            out.write(data)
        install(staged, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(staged)
        raise
