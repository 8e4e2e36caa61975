"""Where a command of this package works: on a project with a config, or on an output folder alone."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ..config.load import load_config
from ..config.schema import EntrySpec


@dataclass(frozen=True, slots=True)
class Place:
    """`dist`: absolute. `root`: of the project; where there is no config, the current folder. `entries`: by name."""

    dist: str
    root: str
    entries: dict[str, EntrySpec] = field(default_factory=dict)


def project(config: str, dist: str | None, command: str) -> Place:
    """With `dist` and without a config there is nothing but the folder. ConfigError when neither is there."""
    if dist is not None and not os.path.isfile(config):
        return Place(os.path.abspath(dist), os.getcwd())
    settings = load_config(config, "production", command)
    folder = os.path.abspath(dist) if dist is not None else settings.output.dir
    return Place(folder, settings.root, {entry.name: entry for entry in settings.entries})
