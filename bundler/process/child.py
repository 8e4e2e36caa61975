"""The life of a child: take the task, go under limits, run it, leave the reply."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import importlib
import os
import pickle
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, NoReturn

from ..catalogue import problem
from ..errors import BugError, MbundleError, OutputError
from .limits import Limits
from .memory import is_out_of_memory

UNWRITTEN = 74
"""Exit status: there was a reply, and no room for it. sysexits.h calls it EX_IOERR."""


@dataclass(frozen=True, slots=True)
class Task:
    target: str
    """ "package.module:function"."""
    args: tuple[Any, ...]
    limits: Limits


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception that is none of ours, as text: its class may not exist in the parent."""

    type: str
    message: str
    traceback: str
    out_of_memory: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """Exactly one of `error` and `raised` is set when the task failed; then `value` is None."""

    value: Any = None
    error: MbundleError | BugError | None = None
    raised: Raised | None = None


_FULL = (errno.ENOSPC, errno.EDQUOT)


def run_child(exchange: int, log: int, folder: str) -> NoReturn:
    """`exchange`: file with the pickled Task, which becomes the pickled Reply. `log`: where native output goes."""
    try:
        _detach(log, folder)
        with open(exchange, "r+b") as file:
            task = pickle.load(file)
            file.seek(0)
            file.truncate()
            task.limits.apply()
            reply = _outcome(task)
            task.limits.release()
            _leave(file, _pickled(reply))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        os._exit(70)
    os._exit(0)


def _leave(file: IO[bytes], reply: bytes) -> None:
    try:
        file.write(reply)
        file.flush()
    except OSError:  # the log that a traceback would go to lies on the same disk
        os._exit(UNWRITTEN)


def _detach(log: int, folder: str) -> None:
    os.setsid()
    _die_with_parent()
    for name in (signal.SIGINT, signal.SIGCHLD):
        signal.signal(name, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    faulthandler.enable(2)
    os.chdir(folder)
    os.environ["TMPDIR"] = tempfile.tempdir = folder


def _die_with_parent() -> None:
    """Linux: die when the server does, and be the first that the kernel kills when memory runs out."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    PR_SET_PDEATHSIG = 1
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _outcome(task: Task) -> Reply:
    try:
        return Reply(_resolve(task.target)(*task.args))
    except (MbundleError, BugError) as error:
        return Reply(error=error)
    except OSError as error:
        if error.errno not in _FULL:
            return Reply(raised=_described(error))
        where = error.filename or tempfile.gettempdir()
        return Reply(error=OutputError(problem("MB309", f"{error.strerror}.", file=str(where))))
    except Exception as error:
        return Reply(raised=_described(error))
    except SystemExit as error:
        return Reply(raised=_described(error))


def _described(error: BaseException) -> Raised:
    text = "".join(traceback.format_exception(error))
    return Raised(type(error).__name__, str(error), text, is_out_of_memory(error))


def _resolve(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def _pickled(reply: Reply) -> bytes:
    try:
        return pickle.dumps(reply, pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # a function loader may return anything
        return pickle.dumps(Reply(raised=_described(error)), pickle.HIGHEST_PROTOCOL)
