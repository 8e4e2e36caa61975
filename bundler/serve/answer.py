"""From what was found to a response: conditional requests, ranges, compressed twins."""

from __future__ import annotations

import hashlib
import re

from starlette.datastructures import Headers
from starlette.responses import FileResponse, PlainTextResponse, Response

from .found import File, Found, Moved, Text, regular
from .mime import type_of

_BLOCK = 1 << 20
_CODING = re.compile(r"\s*([a-z*-]+)\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?")


class _File(FileResponse):
    chunk_size = _BLOCK  # each block is a trip to a thread


def answer(found: Found, asked: Headers) -> Response:
    """The response to GET (or HEAD, whose body the server leaves out)."""
    match found:
        case None:
            return PlainTextResponse("404: there is no such file here.\n", 404, {"Cache-Control": "no-store"})
        case Moved():
            return Response(status_code=308, headers={"Location": found.path, "Cache-Control": "no-store"})
        case Text():
            return _text(found, asked)
    return _file(found, asked)


def _text(text: Text, asked: Headers) -> Response:
    etag = f'"{hashlib.sha256(text.content).hexdigest()[:32]}"'
    headers = {"Cache-Control": text.cache, "ETag": etag, **text.headers}
    if _unchanged(etag, asked):
        return Response(status_code=304, headers=headers)
    return Response(text.content, headers={**headers, "Content-Type": text.media_type})


def _file(file: File, asked: Headers) -> Response:
    coding = _choose(file, asked)
    path, found = file.path, file.stat
    if coding:
        path = file.twins[coding]
        found = regular(path) or found
    etag = f'"{file.etag}-{coding}"' if coding else f'"{file.etag}"'
    headers = {"Cache-Control": file.cache, "ETag": etag}
    if file.twins:
        headers["Vary"] = "Accept-Encoding"
    if _unchanged(etag, asked):
        return Response(status_code=304, headers=headers)
    if coding:
        headers["Content-Encoding"] = coding
    return _File(path, headers=headers, media_type=type_of(file.path), stat_result=found)


def _choose(file: File, asked: Headers) -> str | None:
    """The smallest twin that the client takes. A range is one of the file itself: what came before was decoded."""
    if not file.twins or "range" in asked:
        return None
    taken = accepted(asked.get("accept-encoding", ""))
    sizes = {
        coding: found.st_size for coding, path in file.twins.items() if coding in taken and (found := regular(path))
    }
    return min(sizes, key=lambda coding: sizes[coding], default=None)


def accepted(header: str) -> set[str]:
    """The codings that an Accept-Encoding names with a weight above 0; `*` stands for none, which is right."""
    found = (_CODING.fullmatch(part.lower()) for part in header.split(","))
    return {match[1] for match in found if match and _weight(match[2]) > 0}


def _weight(text: str | None) -> float:
    try:
        return float(text) if text is not None else 1.0
    except ValueError:
        return 0.0


def _unchanged(etag: str, asked: Headers) -> bool:
    known = [tag.strip().removeprefix("W/") for tag in asked.get("if-none-match", "").split(",")]
    return etag in known or known == ["*"]
