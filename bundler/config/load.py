"""load_config: the config of a build, evaluated in a child process that cannot take the build down."""

from __future__ import annotations

import os
import pickle
import select
import signal
import site
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any, cast, get_args

from ..catalogue import problem
from ..errors import BugError, ConfigError, printable
from .declare import Mode
from .schema import BuildConfig
from .suggest import closest

Alive = Callable[[], None]
FILE_NAME = "model.config.py"
LIMIT = 30.0
"""Seconds that a config may take."""
_LOOK = 0.1
"""Seconds between two looks whether the result is still wanted."""
_GRACE = 2.0
"""Seconds after the limit in which the child may still say where it was."""
_START = "import sys; from bundler.config.evaluate import main; main(sys.argv[1:])"
"""Not -m, which would make the module twice (as __main__) and costs 5 ms. -P keeps the user's folder off sys.path."""
_PACKAGE_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def load_config(
    path: str = FILE_NAME,
    mode: str = "production",
    command: str = "build",
    *,
    limit: float = LIMIT,
    alive: Alive | None = None,
) -> BuildConfig:
    """The BuildConfig of the config file (or of the one in the folder) `path`.

    `alive` is called a few times a second while the config runs, and may raise to end it.
    Raises ConfigError; its `inputs` are the files whose change makes another try worth while.
    """
    checked = _mode(mode)
    file = find_config(path)
    kind, payload, inputs = _evaluated(file, checked, command, limit, alive)
    if kind == "config":
        return cast(BuildConfig, payload)
    if kind == "bug":
        raise BugError(f"the evaluation of {file} failed in mbundle itself:\n{payload}")
    error = ConfigError(*payload)
    error.inputs = inputs
    raise error


def _mode(mode: str) -> Mode:
    known = get_args(Mode)
    if mode in known:
        return cast(Mode, mode)
    near = closest(mode, known)
    fix = f"Did you mean `{near}`?" if near else None
    raise ConfigError(problem("MB133", f'There is no mode "{mode}".', fix=fix))


def find_config(path: str) -> str:
    """Absolute path of the config file, its folder free of links. Raises ConfigError when there is none."""
    full = os.path.abspath(path)
    if os.path.isdir(full):
        full = os.path.join(full, FILE_NAME)
    folder, name = os.path.split(full)
    full = os.path.join(os.path.realpath(folder), name)
    if not _is_text(full):
        raise _refused(full, "MB109", f"{printable(full, 200)} is in a folder whose name is not UTF-8.")
    if os.path.isfile(full):
        return _readable(full, path)
    if os.path.lexists(full):
        raise _refused(full, "MB101", f"{path} is not a regular file.")
    near = closest(name, [other for other in _python_files(folder) if other != name])
    fix = f"Did you mean {near}? Name it with --config, or rename it." if near else None
    raise _refused(full, "MB101", f"There is no {path}.", fix)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _python_files(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.endswith(".py")]
    except OSError:
        return []


def _readable(full: str, path: str) -> str:
    if os.access(full, os.R_OK):
        return full
    raise _refused(full, "MB101", f"You may not read {path}.", "Give yourself permission to read it.")


def _refused(full: str, code: str, what: str, fix: str | None = None) -> ConfigError:
    error = ConfigError(problem(code, what, fix=fix, file=os.path.basename(full)))
    error.inputs = (full,)
    return error


Message = tuple[str, Any, tuple[str, ...]]


def _evaluated(file: str, mode: Mode, command: str, limit: float, alive: Alive | None) -> Message:
    """The message of the child (see evaluate.main). Whatever it started dies with it."""
    reader, writer = os.pipe()
    try:
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, file, mode, command, str(limit), str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=2,
            cwd=os.path.dirname(file),
            env=os.environ | {"PYTHONPATH": _search_path()},
            pass_fds=(writer,),
            start_new_session=True,
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    try:
        return _received(reader, child, file, limit, alive)
    finally:
        os.close(reader)
        _end(child)


def _search_path() -> str:
    """PYTHONPATH for the child, which runs in another folder: entries made absolute, this package findable."""
    paths = [os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if _PACKAGE_HOME not in (*paths, *site.getsitepackages(), site.getusersitepackages()):
        paths.append(_PACKAGE_HOME)
    return os.pathsep.join(paths)


def _received(reader: int, child: subprocess.Popen[bytes], file: str, limit: float, alive: Alive | None) -> Message:
    deadline = time.monotonic() + limit + _GRACE
    size = _bytes(reader, 8, deadline, alive)
    text = _bytes(reader, int.from_bytes(size, "big"), deadline, alive) if size is not None and len(size) == 8 else size
    if text is None:
        what = f"The config ran longer than {limit:g} s and could not be interrupted."
        return _failed(file, "MB105", what)
    try:
        return cast(Message, _OwnClasses(BytesIO(text)).load())
    except (EOFError, pickle.UnpicklingError):
        return _failed(file, "MB104", f"The config ended its process ({_ending(child)}).")


def _bytes(reader: int, count: int, deadline: float, alive: Alive | None) -> bytes | None:
    """Up to `count` bytes, fewer if the other end closes; None when the time is up."""
    parts = b""
    while len(parts) < count:
        left = max(0, deadline - time.monotonic())
        ready, _, _ = select.select([reader], [], [], left if alive is None else min(left, _LOOK))
        if not ready and alive is not None and left:
            alive()
            continue
        if not ready:
            return None
        part = os.read(reader, count - len(parts))
        if not part:
            break
        parts += part
    return parts


class _OwnClasses(pickle.Unpickler):
    """The message holds our frozen dataclasses and plain values, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("bundler.config.schema", "bundler.errors"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not ours")


def _failed(file: str, code: str, what: str) -> Message:
    return "problems", (problem(code, what, file=os.path.basename(file)),), (file,)


def _ending(child: subprocess.Popen[bytes]) -> str:
    """How the child ended. It is left unreaped, so that its process group still is its own when it is killed."""
    for _ in range(100):
        status = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if status is not None:
            if status.si_code == os.CLD_EXITED:
                return f"os._exit({status.si_status})"
            return f"signal {signal.Signals(status.si_status).name}"
        time.sleep(0.01)
    return "it closed the channel to mbundle"


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS says EPERM when only a zombie is left
        child.kill()
    child.wait()
