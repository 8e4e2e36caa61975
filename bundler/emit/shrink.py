"""Makes JavaScript smaller without changing a token: comments and needless white space go, everything else stays.

Only for our own modules under `templates/runtime`: the tokenizer knows the part of the language that they use, and
tests compare its output with a real parser's tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ..errors import BugError

Kind = Literal["word", "number", "text", "regex", "sign"]

_SPACE = re.compile(r"(?:\s|//[^\n]*|/\*(?! (?:webpack|@vite)).*?\*/)+", re.DOTALL)
_KEPT = re.compile(r"/\*.*?\*/")
"""Comments that bundlers act on."""
_WORD = re.compile(r"#?[A-Za-z_$][\w$]*")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F_]+n?|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?n?")
_QUOTED = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_SIGN = re.compile(
    r"=>|\.\.\.|(?:\?\?|\*\*|&&|\|\||<<|>>>|>>)=?|[=!]==?|\?\.(?!\d)|\+\+|--|[-+*/%&|^<>]=?|[{}()\[\];,~:?=!.]"
)

_INFIX = "; , => = == === != !== * % & | ^ && || ?? ? : . ?. < > <= >= += -= *= ??= ||= &&= << >>"
_OPEN_END = frozenset(_SIGN.findall("{ ( [ + - / ! ~ ..." + _INFIX))
"""After these no statement can end, so that a line break means nothing."""
_OPEN_START = frozenset(_SIGN.findall("} ) ]" + _INFIX))
"""Before these no statement can end, or (at a closing brace) one ends anyway."""
_BEFORE_REGEX = {"return", "typeof", "case", "in", "of", "void", "delete", "await", "yield", "throw"}


class Token(NamedTuple):
    kind: Kind
    text: str
    line: bool
    """A line break stands before it."""


def shrink(source: str) -> str:
    """`source` with the same tokens on fewer bytes."""
    return render(list(tokens(source)))


def render(found: list[Token]) -> str:
    parts: list[str] = []
    for before, token in zip([None, *found], found, strict=False):
        parts.append(_gap(before, token) if before else "")
        parts.append(token.text)
    return "".join(parts) + "\n"


def _gap(before: Token, after: Token) -> str:
    if after.line and not (_is(before, _OPEN_END) or _is(after, _OPEN_START)):
        return "\n"
    if before.kind in ("word", "number", "regex") and after.kind in ("word", "number"):
        return " "
    # `+ +x` and `a / /x/` are other tokens than `++x` and a comment; a number may take a following dot
    same = before.text[-1] == after.text[0] and after.text[0] in "+-/"
    return " " if same or (before.kind == "number" and after.text[0] == ".") else ""


def _is(token: Token, signs: frozenset[str]) -> bool:
    return token.kind == "sign" and token.text in signs


def tokens(source: str) -> Iterator[Token]:
    """The tokens of `source` without comments. BugError where it is not the JavaScript that we write."""
    at, line = 0, False
    before: Token | None = None
    while at < len(source):
        space = _SPACE.match(source, at)
        if space:
            at, line = space.end(), line or "\n" in space[0]
            continue
        before = _token(source, at, before, line)
        yield before
        at, line = at + len(before.text), False


def _token(source: str, at: int, before: Token | None, line: bool) -> Token:
    if source[at] == "`":
        return Token("text", source[at : _template_end(source, at)], line)
    patterns: list[tuple[Kind, re.Pattern[str]]] = [
        ("word", _WORD),
        ("number", _NUMBER),
        ("text", _QUOTED),
        ("text", _KEPT),
    ]
    patterns += [("regex", _REGEX)] if _regex_may_follow(before) else []
    for kind, pattern in [*patterns, ("sign", _SIGN)]:
        found = pattern.match(source, at)
        if found:
            return Token(kind, found[0], line)
    raise BugError(f"no JavaScript token at {source[at : at + 40]!r}")


def _regex_may_follow(before: Token | None) -> bool:
    if before is None or before.text in _BEFORE_REGEX:
        return True
    return before.kind == "sign" and before.text not in (")", "]", "}", "++", "--")


def _template_end(source: str, at: int) -> int:
    """The end of the template literal that starts at `at`; what is inside `${}` is JavaScript again."""
    at += 1
    while source[at] != "`":
        if source.startswith("${", at):
            at = _braces_end(source, at + 2)
        else:
            at += 2 if source[at] == "\\" else 1
    return at + 1


def _braces_end(source: str, at: int) -> int:
    depth = 1
    for token in tokens(source[at:]):
        at = source.index(token.text, at) + len(token.text)
        depth += {"{": 1, "}": -1}.get(token.text, 0)
        if depth == 0:
            return at
    raise BugError("a template literal does not end")
