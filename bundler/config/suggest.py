"""Did you mean ...?"""

from __future__ import annotations

from collections.abc import Iterable

_FROM_ELSEWHERE = {
    "base_url": "base",
    "chunk_size": "max_size",
    "file": "source",
    "input": "source",
    "loader": "use",
    "loaders": "use",
    "model": "source",
    "optimizations": "use",
    "out_dir": "dir",
    "outdir": "dir",
    "passes": "use",
    "path": "source",
    "plugins": "use",
    "public_path": "base",
    "publicpath": "base",
    "src": "source",
    "steps": "use",
    "tolerance": "max_error",
}
"""Words for the same thing in other bundlers, which no edit distance would find."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` most likely stands for, or None."""
    from difflib import get_close_matches  # 8 ms, and only a mistake needs it

    names = {name.casefold(): name for name in known}
    other = _FROM_ELSEWHERE.get(word.casefold())
    if other in names:
        return names[other]
    found = get_close_matches(word.casefold(), names, n=1, cutoff=0.6)
    return names[found[0]] if found else None


def listing(known: Iterable[str], word: str = "or") -> str:
    """The names as in a sentence: a, b or c."""
    *head, last = sorted(known)
    return f"{', '.join(head)} {word} {last}" if head else last
