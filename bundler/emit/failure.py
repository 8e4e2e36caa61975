"""The operating system's refusals, told in words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..catalogue import problem
from ..errors import OutputError

_CODES = {
    errno.ENOSPC: "MB405",
    errno.EDQUOT: "MB405",
    errno.EACCES: "MB406",
    errno.EPERM: "MB406",
    errno.EROFS: "MB407",
    errno.EMFILE: "MB408",
    errno.ENFILE: "MB408",
    errno.ENOTDIR: "MB402",
    errno.EISDIR: "MB402",
    errno.EEXIST: "MB402",
}


@contextmanager
def output_errors(path: str) -> Iterator[None]:
    """OSErrors inside become OutputErrors that name the file, or `path` where the system names none."""
    try:
        yield
    except OSError as error:
        raise output_error(error, path) from error


def output_error(error: OSError, path: str) -> OutputError:
    code = _CODES.get(error.errno or 0, "MB409")
    reason = error.strerror or str(error) or "unknown error"
    name = error.filename2 or error.filename
    file = os.fsdecode(name) if isinstance(name, str | bytes) else path
    return OutputError(problem(code, f"Writing it failed: {reason}.", file=file))
