"""A sweep over the points at which a build can be broken off, by deterministic injection with strace.

`sweep` runs a command once under strace to list the calls that change the folder of interest, then once more for each
of these calls and each fault: the call fails with ENOSPC or EIO, or the process is killed as it makes it. No sleeping
and no luck: a point names its call by number.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundler.cache import fingerprint

CALLS = ("write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir",
         "mkdirat", "rmdir", "ftruncate")  # fmt: skip
FAULTS = {"ENOSPC": "error=ENOSPC", "EIO": "error=EIO", "SIGKILL": "signal=SIGKILL"}

_LINE = re.compile(r"(?P<pid>\d+)\s+(?P<call>\w+)\((?P<rest>.*)")
_PIN = re.compile(rb"manifest-[0-9a-f]{16}\.json")
_OPEN = re.compile(r"\d+<([^>]+)>")
_NAMED = re.compile(r'.*"(/[^"]*)"')
_OWN_NAME = re.compile(r"\d+-[0-9a-f]{12,16}|(?<=-)\w{8}(?=/)|#\d+")
_ROOT = Path(__file__).resolve().parent.parent
_STAGGERED = _ROOT / "tests" / "staggered"
_IDLE = {"write /dev", "fsync /dev", "mkdir /", "rename ", "unlink ", "rmdir "}
"""What `staggered` does."""
_DIGEST = re.compile(rb"\b[0-9a-f]{64}\b")


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`-th `call` of a thread of the command fails with `fault`."""

    call: str
    number: int
    fault: str
    line: str

    @property
    def kind(self) -> str:
        return kind(self.line)

    def __str__(self) -> str:
        return f"{self.fault} at {self.call} #{self.number}: {self.line[:160]}"


@dataclass(frozen=True, slots=True)
class Outcome:
    point: Point
    status: int
    stdout: str
    stderr: str
    met: bool
    """Whether the fault hit the call that it was meant for, and no other."""


def available() -> bool:
    return shutil.which("strace") is not None


def environment(inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """For a command under `points` and `sweep`: in it, a number names a call of one thread. See `staggered`."""
    env = dict(os.environ if inherited is None else inherited)
    return env | {"PYTHONPATH": os.pathsep.join([str(_STAGGERED), str(_ROOT)])}


def points(command: Sequence[str], folder: Path, log: Path, **how: Any) -> list[Point]:
    """All points of `command` at which it changes something below `folder`. `how`: for subprocess.run."""
    subprocess.run(_traced(log, f"trace={','.join(CALLS)}", *command), check=True, stdout=subprocess.DEVNULL, **how)
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], str] = {}
    for line in log.read_text(errors="replace").splitlines():
        if (match := _LINE.match(line)) and "resumed>" not in line:
            seen[match["pid"], match["call"]] += 1
            if str(folder) in match["rest"]:
                place = (match["call"], seen[match["pid"], match["call"]])
                assert place not in found, f"two calls have one number: {found[place]} and {line}"
                found[place] = line
    return [Point(call, number, fault, line) for (call, number), line in found.items() for fault in FAULTS]


def chosen(points: Sequence[Point]) -> list[Point]:
    """`rotated`, or with MBUNDLE_SWEEP=whole all."""
    return list(points) if os.environ.get("MBUNDLE_SWEEP") == "whole" else rotated(points)


def rotated(points: Sequence[Point]) -> list[Point]:
    """Each call with one fault, in turn, so that each kind of call meets all of them, at a third of the price.

    Calls of a kind that is made less than thrice meet all.
    """
    groups: dict[str, list[Point]] = {}
    for point in points:
        groups.setdefault(point.call, []).append(point)
    few = [point for group in groups.values() if len(group) < 9 for point in group]
    many = [group for group in groups.values() if len(group) >= 9]
    return few + [group[3 * turn + turn % 3] for group in many for turn in range(len(group) // 3)]


def sweep(
    command: Sequence[str], points: Iterable[Point], reset: Callable[[], None], log: Path, **how: Any
) -> Iterator[Outcome]:
    """Runs `command` once for each point, `reset` before each; the caller looks at what the fault has left."""
    for point in points:
        reset()
        inject = f"inject={point.call}:{FAULTS[point.fault]}:when={point.number}"
        traced = _traced(log, f"trace={point.call}", "-e", inject, *command)
        result = subprocess.run(traced, capture_output=True, text=True, errors="replace", **how)
        yield Outcome(point, result.returncode, result.stdout, result.stderr, _met(log, point))


def _traced(log: Path, trace: str, *rest: str) -> list[str]:
    """Follows threads, and lets go of other programs when they start: their calls are not counted and get no faults."""
    return ["strace", "-f", "-b", "execve", "-qq", "-y", "-o", str(log), "-e", trace, *rest]


def _met(log: Path, point: Point) -> bool:
    lines = log.read_text(errors="replace").splitlines()
    mark = "= ?" if point.fault == "SIGKILL" else "(INJECTED)"
    hits = [kind(line) for line in lines if line.endswith(mark) and "resumed>" not in line]
    return {hit for hit in hits if hit not in _IDLE} == {point.kind}


def kind(line: str) -> str:
    """The call and the folder that it was about: what is left of a line without all that differs between runs."""
    match = _LINE.match(line)
    assert match is not None, line
    path = _OPEN.match(match["rest"]) or _NAMED.search(match["rest"])
    return f"{match['call']} {os.path.dirname(_OWN_NAME.sub('*', path[1]) if path else '')}"


def faults(dist: Path) -> list[str]:
    """What is wrong with an output folder: each pointer file must lead to complete files with the right digests.

    Written without our own reader of manifests, so that the two cannot err together.
    """
    pointers = [path for path in sorted(dist.rglob("*.js")) if "runtime-" not in str(path) and ".tmp-" not in str(path)]
    manifest = dist / "model-manifest.json"
    found = _manifest_faults(dist, manifest) if manifest.exists() else []
    for pointer in pointers:
        found += _pointer_faults(dist, pointer)
    return found


def generation(dist: Path) -> str:
    """Names the build that is current in `dist`: the digest of its manifest, "" if there is none."""
    manifest = dist / "model-manifest.json"
    return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.exists() else ""


def cache_faults(cache: Path) -> list[str]:
    """What is wrong with a cache: every entry holds what its name or its header says, and finds what it refers to.

    Written without our own reader, too. A digest in the memo counts only while the file is what it was.
    """
    store = cache / "mbundle-v1"
    wrong = [str(path) for path in store.glob("blobs/*/*") if _sha256(path) != path.parent.name + path.name]
    for path in store.glob("steps/*/*"):
        value = _unsealed(path)
        named = [] if value is None else [blob[0] for blob in (value["model"], value["weights"]) if blob]
        lost = [digest for digest in named if not (store / "blobs" / digest[:2] / digest[2:]).exists()]
        wrong += [str(path)] if value is None or lost or value["key"] != path.parent.name + path.stem else []
    wrong += [str(path) for path in store.glob("*.json") if _unsealed(path) is None]
    return wrong + _memo_faults(store / "memo.json")


def state(project: Path) -> dict[str, str]:
    """What a build left behind, without what differs between two that left the same: their times and numbers."""
    return {
        _OWN_NAME.sub("*", str(path.relative_to(project))): _sha256(path) if "dist" in path.parts else ""
        for path in sorted(project.rglob("*"))
        if path.is_file()
    }


def _memo_faults(memo: Path) -> list[str]:
    known = (_unsealed(memo) or {"files": {}})["files"] if memo.exists() else {}
    return [
        f"{memo}: {path} from {offset}"
        for path, (found, _, spans) in known.items()
        if list(fingerprint.of(path) or ()) == found
        for offset, length, digest in spans
        if fingerprint.digest(path, offset, length) != digest
    ]


def _unsealed(path: Path) -> Any:
    """The value of a sealed JSON file; None: it is damaged."""
    header, _, body = path.read_bytes().partition(b"\n")
    return json.loads(body) if header.split()[-1:] == [hashlib.sha256(body).hexdigest().encode()] else None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _pointer_faults(dist: Path, pointer: Path) -> list[str]:
    content = pointer.read_bytes()
    names, digests = set(_PIN.findall(content)), set(_DIGEST.findall(content))
    imports = [target.decode() for target in re.findall(rb"""["'](\.[^"'\s]+\.js)["']""", content)]
    if not imports:
        return [f"{pointer} imports nothing"]
    found = [f"{pointer}: no {target}" for target in imports if not (pointer.parent / target).is_file()]
    if not names and not any("entries/" in target for target in imports):
        found.append(f"{pointer} pins no manifest and imports no entry")
    for name in sorted(names):
        path = dist / "assets" / name.decode()
        if not path.exists():
            found.append(f"{pointer}: no {name.decode()}")
        elif hashlib.sha256(path.read_bytes()).hexdigest().encode() not in digests:
            found.append(f"{pointer}: {name.decode()} has another digest")
        else:
            found += _manifest_faults(dist, path)
    return found


def _manifest_faults(dist: Path, manifest: Path) -> list[str]:
    try:
        entries = json.loads(manifest.read_bytes())["entries"]
    except (ValueError, KeyError) as error:
        return [f"{manifest}: {error!r}"]
    return [fault for entry in entries.values() for ref in _refs(entry) if (fault := _ref_fault(dist, manifest, ref))]


def _refs(entry: dict) -> Iterator[dict]:  # type: ignore[type-arg]
    yield from entry["assets"]
    for variant in entry["variants"]:
        yield variant["graph"]
        for file in variant["data"]:
            yield from file["chunks"]


def _ref_fault(dist: Path, manifest: Path, ref: dict) -> str:  # type: ignore[type-arg]
    path = dist / "assets" / ref["file"]
    if not path.is_file():
        return f"{manifest}: no {ref['file']}"
    data = path.read_bytes()
    right = len(data) == ref["bytes"] and hashlib.sha256(data).hexdigest() == ref["sha256"]
    return "" if right else f"{manifest}: {ref['file']} has other bytes"
