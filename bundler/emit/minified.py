"""The runtime as it is emitted: minified once, by `scripts/minify`, and kept beside its sources.

A minifier that renames is a JavaScript program, and nobody who builds a model needs Node; so its output is part of the
repository. Where the sources have changed since, their joined modules are emitted without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from .link import link
from .templates import folder

DIGEST = "sources.sha256"


def runtime_sources() -> dict[str, str]:
    """The runtime's modules by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((folder() / "runtime").glob("*.js"))}


def digest_of(sources: Mapping[str, str]) -> str:
    text = "".join(f"{name}\0{source}\0" for name, source in sorted(sources.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def emitted(sources: Mapping[str, str]) -> dict[str, str]:
    """The files that a page is served, by name."""
    kept = folder() / "minified"
    digest = kept / DIGEST
    if not digest.is_file() or digest.read_text(encoding="ascii").strip() != digest_of(sources):
        return link(sources)
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(kept.glob("*.js"))}
