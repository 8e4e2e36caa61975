"""From the path of a request to its segments. Everything odd is refused here, before anything looks at the disk."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_ODD = re.compile(r"[\x00-\x1f\x7f\\:]")
"""Control characters, Windows' separator, drives and NTFS streams."""
_LONGEST = 4096


class BadPath(Exception):
    """The request's path is no path of a file; answered with 400."""


def segments(raw: bytes) -> tuple[str, ...]:
    """`b"/a/b%20c"` -> `("a", "b c")`; a trailing slash leaves an empty last segment. Raises BadPath."""
    if not raw.startswith(b"/") or len(raw) > _LONGEST or re.search(rb"%(?:2f|5c|00)", raw, re.IGNORECASE):
        raise BadPath
    try:
        text = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise BadPath from error
    *parents, last = text[1:].split("/")
    if _ODD.search(text) or "%" in text or {".", ".."} & {*parents, last} or "" in parents:
        raise BadPath
    return (*parents, last)
