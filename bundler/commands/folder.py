"""The output folder that a command looks at when none is named."""

from __future__ import annotations

import os
from typing import Any

from ..catalogue import problem
from ..errors import UsageError


def configured(config: str) -> tuple[str, dict[str, Any]]:
    """The output folder and the budgets that the config names; `dist` where there is no config."""
    if not os.path.isfile(config):
        if os.path.isdir("dist"):
            return "dist", {}
        what = f"There is no {config} and no dist folder here."
        raise UsageError(problem("MB197", what))
    from ..config.load import load_config

    settings = load_config(config, "production", "build")
    found = os.path.relpath(settings.output.dir)
    if not os.path.isfile(os.path.join(found, "model-manifest.json")):
        raise UsageError(problem("MB197", "Nothing has been built into the output folder yet.", file=found))
    return found, {entry.name: entry.budget for entry in settings.entries if entry.budget is not None}
