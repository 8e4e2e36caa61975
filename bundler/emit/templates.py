"""Where the files are that mbundle copies or fills in: `templates/` of the repository, or `_templates` in the wheel."""

from __future__ import annotations

from pathlib import Path

from ..errors import BugError

_PACKAGE = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """The folder of templates. Raises BugError when the installation has none."""
    for place in (_PACKAGE / "_templates", _PACKAGE.parent / "templates"):
        if (place / "runtime" / "index.js").is_file():
            return place
    raise BugError(f"no templates beside {_PACKAGE}")
