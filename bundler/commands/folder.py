"""The output folder that a command looks at when none is named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..catalogue import problem
from ..emit.ownership import MANIFEST
from ..errors import UsageError

if TYPE_CHECKING:
    from ..measure.project import Place


def built(config: str) -> Place:
    """That of the config; `dist` where there is no config. UsageError MB197: nothing has been built there."""
    from ..measure.project import project

    if not os.path.isfile(config):
        if not os.path.isdir("dist"):
            raise UsageError(problem("MB197", f"There is no {config} and no dist folder here."))
        return project(config, "dist", "build")
    place = project(config, None, "build")
    if not os.path.isfile(os.path.join(place.dist, MANIFEST)):
        what = "Nothing has been built into the output folder yet."
        raise UsageError(problem("MB197", what, file=os.path.relpath(place.dist)))
    return place
