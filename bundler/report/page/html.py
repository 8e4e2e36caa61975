"""The report's data as one HTML file that needs no network and runs nothing but our own two scripts.

Names in it come from strangers' models. Three walls stand before them: the data is escaped JSON in a block that is not
executed, the scripts make text nodes only, and the page's policy allows no script but these by their hash, no request
and, where Trusted Types are known, no markup made from text at all.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

from ...emit.link import link
from ...emit.templates import folder
from .pack import pack

_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_HOLE = re.compile(r"\{\{(\w+)\}\}")


def as_html(data: dict[str, Any]) -> str:
    """The whole file."""
    where = folder() / "report"
    charts, style = _text(where / "vendor/charts.js"), _text(where / "style.css")
    script = link({path.name: _text(path) for path in sorted(where.glob("*.js"))}, "main.js")["main.js"]
    vendored = json.loads(_text(where / "vendor/charts.json"))
    parts = {
        "policy": _policy((charts, script), (_digest(style), vendored["style"])),
        "title": html.escape(f"{data['project']} · mbundle report"),
        "style": style,
        "data": escaped(pack(data)),
        "charts": charts,
        "script": script,
    }
    return _HOLE.sub(lambda hole: parts[hole[1]], _text(where / "page.html"))


def escaped(value: Any) -> str:
    """JSON that cannot end the block that holds it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(_ESCAPED)


def _policy(scripts: tuple[str, ...], styles: tuple[str, ...]) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_digest, scripts))}",
            f"style-src {' '.join(styles)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
