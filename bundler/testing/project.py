"""The last rules: what only a real build shows. A project of its own, built by the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from string import Template
from typing import Any

from ..cache.keys import step_key
from ..emit.templates import folder as templates
from .cases import place
from .rules import Trial, difference
from .subject import entry_point_of, is_function, name_of, options_of

MODELS = ("dense", "transformer", "external")


def is_cached_by_its_options(trial: Trial) -> str:
    """Options that lead to other results lead to other keys of the cache."""
    for index, other in enumerate(trial.others):
        if key(other) != key(trial.subject):
            continue
        for name, outcome in trial.bench.tried(f"other {index}", other, hash_seed="1").items():
            before = trial.bench.first[name]
            if before.model and outcome.model and difference(before.model, outcome.model):
                return (
                    f"on {name} {other!r} and {trial.subject!r} give different bytes, and are the same to the cache: "
                    "make a field of what else it depends on"
                )
    return ""


def key(subject: Any) -> str:
    """What the subject brings to the cache's key by itself, as hex."""
    options = sorted(options_of(subject).items())
    return step_key(model="", loader=name_of(subject), version=getattr(subject, "version", ""), options=options).hex


def builds(trial: Trial) -> str:
    """`mbundle build` takes it, keeps what it makes, and takes that from the cache the next time."""
    folder = os.path.join(trial.bench.folder, "project")
    os.makedirs(folder)
    for name in MODELS:
        place(name, None, folder)
    with open(os.path.join(folder, "model.config.py"), "w", encoding="utf-8") as file:
        file.write(config_text(trial.subject))
    first = _built(trial, folder)
    if first.failed:
        return first.failed
    for entry, step in first.steps():
        if step["status"] == "rolled back":
            return f"a build takes it back on {entry}: {step['note']}"
    os.remove(os.path.join(folder, "dist", "model-manifest.json"))
    again = _built(trial, folder)
    if again.failed:
        return again.failed
    count = again.stats["steps"]
    return "" if count["cached"] == count["total"] else "a second build of the same models runs it again"


def config_text(subject: Any) -> str:
    """A config that uses it as its author's users will: by its entry point where it has one."""
    module, name = subject.__module__, name_of(subject)
    if not is_function(subject):
        kind = type(subject)
        module, name = ("bundler.loaders", subject.name) if announced(subject) else (kind.__module__, kind.__qualname__)
    options = ", ".join(f"{option}={value!r}" for option, value in options_of(subject).items())
    step = name if is_function(subject) else f"{name}({options})"
    with open(templates() / "testing" / "model.config.py.txt", encoding="utf-8") as file:
        return Template(file.read()).substitute(module=module, name=name.split(".")[0], step=step, models=repr(MODELS))


def announced(subject: Any) -> bool:
    """Whether configs import it from bundler.loaders."""
    return type(subject).__module__.startswith("bundler.loaders.") or entry_point_of(subject) is not None


@dataclass(frozen=True)
class _Built:
    stats: Any = None
    failed: str = ""

    def steps(self) -> Iterator[tuple[str, Any]]:
        for entry in self.stats["entries"] if self.stats else ():
            yield entry["name"], entry["variants"][0]["steps"][0]


def _built(trial: Trial, folder: str) -> _Built:
    command = [sys.executable, "-m", "bundler", "build", "--json"]
    done = subprocess.run(
        command, cwd=folder, env=trial.bench.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        return _Built(failed=f"a build with it fails:\n{done.stderr.strip()}")
    return _Built(json.loads(done.stdout))
