"""Runs commands: how long they take, and how much memory they and all their children hold."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

INTERVAL = 0.01
"""Seconds between two looks at the memory; each costs about a millisecond a process."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Bytes. `tree`: the largest sum of Pss_Anon over the process and its descendants at one moment, pages that
    forked children share counted once. `single`: the largest RssAnon of any one of them. `who`: its command line."""

    tree: int
    single: int
    who: str


class Failed(Exception):
    """A command that was to be measured did not succeed."""


def wall(command: Sequence[str], cwd: Path, environ: Mapping[str, str] | None = None) -> float:
    """Seconds that the command took. Raises Failed."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=_environ(environ), capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds


def peak(command: Sequence[str], cwd: Path, environ: Mapping[str, str] | None = None) -> Peak:
    """The most anonymous memory that the command and its descendants held. Raises Failed."""
    with open(os.devnull, "w") as nowhere:
        process = subprocess.Popen(command, cwd=cwd, env=_environ(environ), stdout=nowhere, stderr=nowhere)
        most = Peak(0, 0, "")
        while process.poll() is None:
            most = _larger(most, process.pid)
            time.sleep(INTERVAL)
    if process.returncode:
        raise Failed(f"{' '.join(command)} ended with {process.returncode}")
    return most


def _larger(most: Peak, root: int) -> Peak:
    tree = 0
    for pid in _family(root):
        pss, rss = _pss_anon(pid), _rss_anon(pid)
        tree += pss
        if rss > most.single:
            most = Peak(most.tree, rss, _command_line(pid))
    return Peak(max(most.tree, tree), most.single, most.who)


def _family(root: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            children.setdefault(_parent(int(name)), []).append(int(name))
    family = [root]
    for pid in family:
        family += children.get(pid, [])
    return family


def _parent(pid: int) -> int:
    text = _read(f"/proc/{pid}/stat")
    return int(text.rpartition(")")[2].split()[1]) if text else 0


def _pss_anon(pid: int) -> int:
    return _field(_read(f"/proc/{pid}/smaps_rollup"), "Pss_Anon:")


def _rss_anon(pid: int) -> int:
    return _field(_read(f"/proc/{pid}/status"), "RssAnon:")


def _field(text: str, name: str) -> int:
    """Bytes of a "Name:  123 kB" line; 0 when the process is gone."""
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(name)), 0)


def _command_line(pid: int) -> str:
    return _read(f"/proc/{pid}/cmdline").replace("\0", " ")[:100]


def _read(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text(errors="replace")
    return ""


def _environ(changes: Mapping[str, str] | None) -> dict[str, str]:
    root = str(Path(__file__).resolve().parent.parent)
    return os.environ | {"PYTHONPATH": root, "NO_COLOR": "1"} | dict(changes or {})


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def tree_memory(word: str) -> int:
    """Bytes that all processes whose command line holds `word`, and their descendants, hold of their own; pages that
    they share count once. Not the pages of files, such as the program's own code: they change with what else runs."""
    roots = [int(name) for name in os.listdir("/proc") if name.isdecimal() and word in _read(f"/proc/{name}/cmdline")]
    families = {pid for root in roots for pid in _family(root)}
    texts = [_read(f"/proc/{pid}/smaps_rollup") for pid in families]
    return sum(_field(text, "Pss_Anon:") + _field(text, "Pss_Shmem:") for text in texts)
