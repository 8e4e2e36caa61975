"""`python -m bundler` in a project folder, as a user runs it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
from bundler import Budget, Chunks, ConfigEnv, Entry, Golden, Output, define_config
from bundler.loaders import quantize_dynamic, quantize_static, simplify, split
"""


@dataclass(frozen=True)
class Ran:
    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    def ok(self) -> Ran:
        assert self.status == 0, self.stderr + self.stdout
        return self

    def failed(self, code: str, *parts: str) -> None:
        """The build failed with `code`, said what to do, and said `parts`."""
        assert self.status == 1, self.stderr
        assert self.stdout == ""
        assert f"error[{code}]" in self.stderr
        assert "fix: " in self.stderr
        assert "Traceback" not in self.stderr
        for part in parts:
            assert part in self.stderr


Within = Callable[..., Ran]
"""(folder, *arguments): a command line in the test's own process; see the fixture `within`."""


def environment(**changes: str) -> dict[str, str]:
    """The caller's environment without what would change a build's looks or place."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MBUNDLE_", "FORCE_", "NO_COLOR"))}
    return kept | {"PYTHONPATH": str(ROOT)} | changes


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "bundler", *args]


def run(folder: Path, *args: str, env: Mapping[str, str] | None = None, timeout: float = 600) -> Ran:
    """One command line, to its end."""
    done = subprocess.run(
        command(*args),
        cwd=folder,
        env=environment(**(env or {})),
        capture_output=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def configure(folder: Path, entries: str, *more: str) -> None:
    """Writes model.config.py. `entries`: the body of the dict; `more`: further options of define_config."""
    options = "".join(f"    {option},\n" for option in more)
    text = f"{HEAD}config = define_config(\n    entries={{{entries}}},\n{options})\n"
    (folder / "model.config.py").write_text(text)


def tree(folder: Path) -> dict[str, str]:
    """Every file below `folder` (links and empty folders too) with a digest of what it holds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif not any(path.iterdir()):
            found[name] = "empty folder"
    return found


def leftovers(project: Path) -> list[str]:
    """Temporary files of a build, anywhere in the project; none may outlive it."""
    cache = project / ".mbundle/cache/mbundle-v1"
    scratch = {*(cache / "tmp").rglob("*"), *(cache / "live").rglob("*"), *(project / ".mbundle").rglob("*.tmp")}
    hidden = [path for path in (project / "dist").glob(".*") if path.name != ".mbundle.json"]
    return sorted(str(path.relative_to(project)) for path in (*scratch, *hidden, *project.glob("mbundle-*")))
