"""Names of emitted files. Content decides: the name holds 64 bits of the sha256, the manifest all 256.

Nothing that an untrusted file says becomes a name: entry, variant and asset names are reduced to [a-z0-9-].
"""

from __future__ import annotations

import os
import re

ASSETS = "assets"
"""The folder of everything immutable that the manifest names; `file` in a manifest is a name in it."""

ASSET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")

WEIGHTS = ".bin"

_STEM_LIMIT = 48


def short(sha256: str) -> str:
    return sha256[:16]


def chunk(sha256: str) -> str:
    return f"{short(sha256)}{WEIGHTS}"


def graph(entry: str, variant: str, sha256: str) -> str:
    return f"{slug(entry)}.{slug(variant)}-{short(sha256)}.onnx"


def manifest(sha256: str) -> str:
    return f"manifest-{short(sha256)}.json"


def asset(path: str, sha256: str) -> str:
    """Name of a copy of the file at `path`: "tokenizer-0123456789abcdef.json"."""
    stem, extension = os.path.splitext(os.path.basename(path))
    ending = re.sub(r"[^a-z0-9]", "", extension.lower())[:16]
    return f"{slug(stem)}-{short(sha256)}" + (f".{ending}" if ending else "")


def slug(text: str) -> str:
    """`text` as lower-case ASCII letters, digits and single hyphens, at most 48; "x" where nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:_STEM_LIMIT].strip("-") or "x"
