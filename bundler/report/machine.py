"""Results for programs: one JSON value on stdout, or one a line."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from ..catalogue import problem
from ..errors import OutputError


def json_bytes(value: Any) -> bytes:
    """Indented, without a line feed at the end."""
    import orjson

    return orjson.dumps(value, option=orjson.OPT_INDENT_2)


def print_json(value: Any) -> None:
    """OutputError MB196 where stdout takes no more; a reader that went away is BrokenPipeError, as anywhere else."""
    try:
        sys.stdout.write(json_bytes(value).decode() + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(problem("MB196", f"stdout: {error.strerror}.")) from error


def print_line(value: Any) -> None:
    """One of a stream of values. A reader that went away is no error: stdin or a signal ends who streams."""
    import orjson

    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(orjson.dumps(value).decode() + "\n")
        sys.stdout.flush()
