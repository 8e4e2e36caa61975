"""From how a child ended to the problem that the user reads."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from ..catalogue import problem
from ..errors import MbundleError, Problem, StepError, printable
from .child import Raised
from .limits import GIB, Limits
from .memory import says_out_of_memory

_MEANING = {
    "SIGSEGV": "it touched memory that is not its own",
    "SIGBUS": "it touched memory that is not its own",
    "SIGFPE": "it divided by zero",
    "SIGABRT": "it gave up on an internal check",
    "SIGILL": "it used an instruction that this processor lacks",
}


@dataclass(frozen=True, slots=True)
class End:
    """How a child ended. `code`: exit status, negative for a signal, None when nobody knows."""

    code: int | None
    cpu: float
    timed_out: bool
    log: str
    """The last lines that the child and its libraries printed."""


def failure(label: str, limits: Limits, end: End) -> MbundleError:
    """The error for a child that left no reply."""
    return StepError(_problem(label, limits, end))


def _problem(label: str, limits: Limits, end: End) -> Problem:
    if end.timed_out:
        return problem("MB303", f"{label} was stopped: not done after {limits.wall:g} s", step=label)
    if end.code == -signal.SIGXCPU or (end.code == -signal.SIGKILL and end.cpu >= limits.cpu_seconds):
        return problem("MB304", f"{label} was stopped: it used {limits.cpu_seconds} s of processor time", step=label)
    if end.code is not None and end.code < 0 and says_out_of_memory(end.log):
        return _memory(label, limits)
    if end.code == -signal.SIGKILL:
        return problem("MB302", f"{label} was killed (SIGKILL): out of memory?", step=label)
    if end.code is not None and end.code < 0:
        return _crash(label, -end.code, end.log)
    if end.code is None:
        return problem("MB308", f"{label}: its process and the one that started it are gone", step=label)
    return problem("MB307", f"{label} ended its process with status {end.code} and left no result", step=label)


def _crash(label: str, number: int, log: str) -> Problem:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    meaning = f": {_MEANING[name]}" if name in _MEANING else ""
    return problem("MB301", f"{label} crashed ({name}{meaning})", step=label, frame=log)


def _memory(label: str, limits: Limits) -> Problem:
    room = f"{limits.memory / GIB:.3g} GiB"
    return problem("MB305", f"{label} was stopped: it needs more than its limit of {room} of memory", step=label)


def raised(label: str, limits: Limits, what: Raised) -> MbundleError:
    """The error for an exception that is none of ours."""
    if what.out_of_memory:
        return StepError(_memory(label, limits))
    first_line = printable(what.message.strip().partition("\n")[0], 300)
    text = f"{label} failed: {what.type}: {first_line}" if first_line else f"{label} failed: {what.type}"
    return StepError(problem("MB306", text, step=label, frame=what.traceback))
