"""A sweep over the points at which a build can be broken off, by deterministic injection with strace.

`sweep` runs a command once under strace to list the calls that change the folder of interest, then once more for each
of these calls and each fault: the call fails with ENOSPC or EIO, or the process is killed as it makes it. No sleeping
and no luck: a point names its call by number.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CALLS = ("write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir",
         "mkdirat", "rmdir", "ftruncate")  # fmt: skip
FAULTS = {"ENOSPC": "error=ENOSPC", "EIO": "error=EIO", "SIGKILL": "signal=SIGKILL"}

_LINE = re.compile(r"(?P<pid>\d+)\s+(?P<call>\w+)\((?P<rest>.*)")
_PIN = re.compile(rb"manifest-[0-9a-f]{16}\.json")
_SHA256 = re.compile(rb"\b[0-9a-f]{64}\b")


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`-th `call` of a thread of the command fails with `fault`. strace counts calls for each thread."""

    call: str
    number: int
    fault: str
    line: str

    def __str__(self) -> str:
        return f"{self.fault} at {self.call} #{self.number}: {self.line[:160]}"


@dataclass(frozen=True, slots=True)
class Outcome:
    point: Point
    status: int
    stderr: str


def available() -> bool:
    return shutil.which("strace") is not None


def points(command: Sequence[str], folder: Path, log: Path, env: dict[str, str] | None = None) -> list[Point]:
    """All points of `command` at which it changes something below `folder`."""
    traced = ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-o", str(log), "-e", f"trace={','.join(CALLS)}", *command]
    subprocess.run(traced, check=True, env=env, stdout=subprocess.DEVNULL)
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], str] = {}
    for line in log.read_text(errors="replace").splitlines():
        if (match := _LINE.match(line)) and "resumed>" not in line:
            seen[match["pid"], match["call"]] += 1
            if str(folder) in match["rest"]:
                found.setdefault((match["call"], seen[match["pid"], match["call"]]), line)
    return [Point(call, number, fault, line) for (call, number), line in found.items() for fault in FAULTS]


def sweep(
    command: Sequence[str],
    chosen: Sequence[Point],
    reset: Callable[[], None],
    log: Path,
    env: dict[str, str] | None = None,
) -> Iterator[Outcome]:
    """Runs `command` once for each point, `reset` before each; the caller looks at what the fault has left."""
    for point in chosen:
        reset()
        inject = f"inject={point.call}:{FAULTS[point.fault]}:when={point.number}"
        traced = [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-qq",
            "-o",
            str(log),
            "-e",
            f"trace={point.call}",
            "-e",
            inject,
            *command,
        ]
        result = subprocess.run(traced, env=env, capture_output=True, text=True, errors="replace")
        yield Outcome(point, result.returncode, result.stderr)


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


def _pointer_faults(dist: Path, pointer: Path) -> list[str]:
    content = pointer.read_bytes()
    names, digests = set(_PIN.findall(content)), set(_SHA256.findall(content))
    if not names:
        return [f"{pointer} pins no manifest"]
    found = []
    for runtime in re.findall(rb"runtime-[0-9a-f]{8,64}/[\w.-]+", content):
        found += [] if (dist / runtime.decode()).exists() else [f"{pointer}: no {runtime.decode()}"]
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
