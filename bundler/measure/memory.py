"""How much memory the processes of a page held at most, as the kernel counts it: nothing is sampled, nothing disturbed.

Resident pages, shared ones included; what an empty page held is taken off. Linux only.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

_KINDS = ("--type=renderer", "--type=gpu-process")


@dataclass(frozen=True, slots=True)
class Idle:
    """Process id -> bytes that it holds before anything is loaded."""

    held: dict[int, int]


def idle(profile: str) -> Idle | None:
    """Of the browser that runs on the folder `profile`; None where the system does not tell."""
    held = {pid: _field(pid, "VmRSS:") for pid in _processes(profile)}
    return Idle(held) if held else None


def peak(profile: str, before: Idle | None) -> int | None:
    """Bytes over `before`, summed over the page's and the GPU's processes; each at its own highest."""
    if before is None:
        return None
    return sum(max(0, _field(pid, "VmHWM:") - before.held.get(pid, 0)) for pid in _processes(profile))


def _processes(profile: str) -> list[int]:
    """Renderers and GPU processes below the browser whose command line names `profile`."""
    with contextlib.suppress(OSError):
        everybody = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
        roots = [pid for pid in everybody if profile in _text(pid, "cmdline")]
        family = _family(roots, everybody)
        return [pid for pid in family if any(kind in _text(pid, "cmdline") for kind in _KINDS)]
    return []


def _family(roots: list[int], everybody: list[int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid in everybody:
        children.setdefault(_parent(pid), []).append(pid)
    found = dict.fromkeys(roots)
    todo = list(roots)
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in found:
                found[child] = None
                todo.append(child)
    return list(found)


def _parent(pid: int) -> int:
    text = _text(pid, "stat")
    return int(text.rpartition(")")[2].split()[1]) if text else 0


def _field(pid: int, name: str) -> int:
    """Bytes of a "Name:  123 kB" line; 0 when the process is gone."""
    lines = _text(pid, "status").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


def _text(pid: int, name: str) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/{name}", errors="replace") as file:
        return file.read().replace("\0", " ")
    return ""
