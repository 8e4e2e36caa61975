"""What a session tells whoever listens: the lines of `mbundle watch --json`, and what the live channel sends.

Paths are relative to the project root, with forward slashes; `build` counts from 1 within one session.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson

from ..errors import Problem


@dataclass(frozen=True, slots=True)
class Listening:
    """A server is up. `base`: the path under which the output folder is served; `output`: that folder, absolute."""

    type: ClassVar[str] = "listening"
    url: str
    base: str
    output: str
    token: str

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "url": self.url, "base": self.base, "output": self.output, "token": self.token}


@dataclass(frozen=True, slots=True)
class BuildStart:
    """`changed`: the files that caused it; none for the first build of a session."""

    type: ClassVar[str] = "build-start"
    build: int
    changed: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "build": self.build, "changed": list(self.changed)}


@dataclass(frozen=True, slots=True)
class Doing:
    """A step began."""

    type: ClassVar[str] = "progress"
    build: int
    text: str

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "build": self.build, "text": self.text}


@dataclass(frozen=True, slots=True)
class ModelUpdate:
    """The output folder holds another build now.

    `entries`: those whose files differ from the last good build. `rebuilt`, `cached`: variants as "entry/variant".
    """

    type: ClassVar[str] = "model-update"
    build: int
    entries: tuple[str, ...]
    sha256: str
    """Of model-manifest.json."""
    seconds: float
    """From the first change that caused it to the new manifest."""
    rebuilt: tuple[str, ...]
    cached: tuple[str, ...]
    stats: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """`stats.build_stats`, for whoever shows a table; not part of the JSON."""

    def as_json(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "build": self.build,
            "entries": list(self.entries),
            "manifest": {"file": "model-manifest.json", "sha256": self.sha256},
            "seconds": self.seconds,
            "rebuilt": list(self.rebuilt),
            "cached": list(self.cached),
        }


@dataclass(frozen=True, slots=True)
class BuildUnchanged:
    """The output is as it was: nothing that matters had changed, or what failed before is mended."""

    type: ClassVar[str] = "build-unchanged"
    build: int

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "build": self.build}


@dataclass(frozen=True, slots=True)
class Failed:
    """The last good output is still in place. The next ModelUpdate or BuildUnchanged means that it is mended."""

    type: ClassVar[str] = "error"
    build: int
    problems: tuple[Problem, ...]

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "build": self.build, "problems": [one.as_json() for one in self.problems]}


Event = Listening | BuildStart | Doing | ModelUpdate | BuildUnchanged | Failed


def parse(line: bytes, stats_file: str) -> Event | None:
    """What `as_json` made, of one line; None for what is no event of a build.

    `stats_file`: where the build that is told of has left its stats.
    """
    try:
        told: dict[str, Any] = orjson.loads(line)
        build = told["build"]
        match told["type"]:
            case BuildStart.type:
                return BuildStart(build, tuple(told["changed"]))
            case Doing.type:
                return Doing(build, told["text"])
            case BuildUnchanged.type:
                return BuildUnchanged(build)
            case Failed.type:
                return Failed(build, tuple(Problem(**one) for one in told["problems"]))
            case ModelUpdate.type:
                entries, rebuilt, cached = (tuple(told[key]) for key in ("entries", "rebuilt", "cached"))
                sha256 = told["manifest"]["sha256"]
                return ModelUpdate(build, entries, sha256, told["seconds"], rebuilt, cached, _stats(stats_file))
    except (ValueError, KeyError, TypeError):
        pass
    return None


def _stats(path: str) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError), open(path, "rb") as file:
        found: dict[str, Any] = orjson.loads(file.read())
        return found
    return {}
