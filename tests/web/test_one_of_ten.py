"""A page that imports one entry of ten pays for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.models import mlp

from . import dist
from .server import Site

pytestmark = pytest.mark.browser


def test_only_its_module_and_its_files_are_fetched(tmp_path: Path, site: Site, visit: Any) -> None:
    models = {f"it{number}": {"fp32": mlp(seed=10 * number, layers=2)} for number in range(10)}
    manifest = dist.build(tmp_path / "dist", models, max_size=16 << 10)
    visit().evaluate("import('/dist/entries/it3.js').then(({ load }) => load()).then((it) => it.dispose())")
    asked = [request.path for request in site.requests if request.path.startswith("/dist/")]
    (variant,) = manifest["entries"]["it3"]["variants"]
    ours = [variant["graph"]["file"], *(chunk["file"] for chunk in variant["data"][0]["chunks"])]
    assets = [path.rpartition("/")[2] for path in asked if "/assets/" in path]
    assert sorted(name for name in assets if not name.startswith("manifest-")) == sorted(ours)
    assert [path for path in asked if "/entries/" in path] == ["/dist/entries/it3.js"]
    assert "/dist/models.js" not in asked
