"""Code frames into the user's Python: find the very keyword, string or element that is wrong, and draw it."""

from __future__ import annotations

import ast
from typing import NamedTuple, TypeAlias

from ..errors import printable
from .site import Site

Path: TypeAlias = tuple[str | int, ...]
"""From a call inwards: an option's name, a dict key, the index of an element or of a positional argument."""

_WIDTH = 110


class Span(NamedTuple):
    """Columns count characters, from 0; `end` is on the same line, past the last one."""

    file: str
    line: int
    start: int = 0
    end: int = 0


class Sources:
    """Files of the user's that frames point into, each read and parsed once, and only when something is wrong."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}
        self._trees: dict[str, ast.Module | None] = {}

    def lines(self, file: str) -> list[str]:
        if file not in self._lines:
            try:
                with open(file, encoding="utf-8-sig", errors="replace") as stream:
                    self._lines[file] = stream.read(1 << 20).split("\n")
            except (OSError, ValueError):
                self._lines[file] = []
        return self._lines[file]

    def tree(self, file: str) -> ast.Module | None:
        if file not in self._trees:
            try:
                self._trees[file] = ast.parse("\n".join(self.lines(file)))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                self._trees[file] = None
        return self._trees[file]

    def locate(self, site: Site, path: Path = (), *, key: bool = False, positional: tuple[str, ...] = ()) -> Span:
        """Span of what `path` leads to from the call at `site`, or of the nearest thing around it that is written out.

        With `key` it is the name of the option or the key itself, not its value.
        """
        call = self._call(site)
        if call is None:
            return Span(site.file, site.line)
        node: ast.AST = call
        for index, step in enumerate(path):
            inner = _descend(node, step, positional, key and index == len(path) - 1)
            if inner is None:
                break
            node = inner
        return self._span(site.file, node)

    def repeated_keys(self, site: Site, path: Path) -> list[tuple[str, Span]]:
        """Keys that stand twice in the dict display that `path` leads to; Python silently keeps the last."""
        node: ast.AST | None = self._call(site)
        for step in path:
            node = _descend(node, step, (), False) if node is not None else None
        if not isinstance(node, ast.Dict):
            return []
        found: list[tuple[str, Span]] = []
        seen: set[str] = set()
        for key in node.keys:
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                continue
            if key.value in seen:
                found.append((key.value, self._span(site.file, key)))
            seen.add(key.value)
        return found

    def assignment(self, file: str, name: str) -> Span:
        """Span of the last module-level binding of `name`; of the last line when there is none."""
        tree = self.tree(file)
        found = [node for node in tree.body if _binds(node, name)] if tree is not None else []
        if found:
            return self._span(file, found[-1])
        return Span(file, max(1, len(self.lines(file)) - 1))

    def _call(self, site: Site) -> ast.Call | None:
        _, last_line, _, end = site.span
        tree = self.tree(site.file)
        if tree is None or last_line is None:
            return None
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (node.end_lineno, node.end_col_offset) == (last_line, end):
                return node
        return None

    def _span(self, file: str, node: ast.AST) -> Span:
        if isinstance(node, ast.Call):
            node = node.func
        if not isinstance(node, ast.expr | ast.stmt | ast.keyword):
            return Span(file, 1)
        lines = self.lines(file)
        line = lines[node.lineno - 1] if node.lineno <= len(lines) else ""
        start = _characters(line, node.col_offset)
        if isinstance(node, ast.keyword):
            return Span(file, node.lineno, start, start + len(node.arg or "**"))
        same_line = node.end_lineno == node.lineno and node.end_col_offset is not None
        end = _characters(line, node.end_col_offset or 0) if same_line else len(line.rstrip())
        return Span(file, node.lineno, start, end)

    def render(self, span: Span, around: int = 2) -> str:
        """The lines around `span` with a caret under it, as plain text; "" when the file cannot be read."""
        lines = self.lines(span.file)
        if not 1 <= span.line <= len(lines):
            return ""
        last = min(len(lines), span.line + around)
        while last > span.line and not lines[last - 1].strip():
            last -= 1
        left = max(0, span.start - 40) if span.end > _WIDTH else 0  # a long line scrolls to what is marked
        shown: list[str] = []
        for number in range(max(1, span.line - around), last + 1):
            mark = ">" if number == span.line else " "
            shown.append(f"{mark} {number:4} | {_line(lines[number - 1][left:])}".rstrip())
            if number == span.line and span.end > span.start:
                shown.append(_carets(lines[number - 1][left:], span.start - left, span.end - left))
        return "\n".join(shown)


def _carets(line: str, start: int, end: int) -> str:
    before = len(line[:start].expandtabs(4))
    return " " * 7 + "| " + " " * before + "^" * max(1, min(end, _WIDTH) - start)


def _line(text: str) -> str:
    return printable(text.rstrip().expandtabs(4), _WIDTH)


def _characters(line: str, offset: int) -> int:
    return len(line.encode()[:offset].decode(errors="replace"))


def _descend(node: ast.AST, step: str | int, positional: tuple[str, ...], key: bool) -> ast.AST | None:
    if isinstance(node, ast.Call):
        return _argument(node, step, positional, key)
    if isinstance(node, ast.Dict):
        return _item(node, step, key)
    if isinstance(node, ast.List | ast.Tuple) and isinstance(step, int):
        return _element(node.elts, step)
    return None


def _argument(call: ast.Call, step: str | int, positional: tuple[str, ...], key: bool) -> ast.AST | None:
    if isinstance(step, int):
        return _element(call.args, step)
    for keyword in call.keywords:
        if keyword.arg == step:
            return keyword if key else keyword.value
    if step in positional:
        return _element(call.args, positional.index(step))
    spread = [k.value for k in call.keywords if k.arg is None and isinstance(k.value, ast.Dict)]
    return next((found for node in spread if (found := _item(node, step, key)) is not None), None)


def _item(node: ast.Dict, step: str | int, key: bool) -> ast.AST | None:
    for name, value in zip(node.keys, node.values, strict=True):
        if isinstance(name, ast.Constant) and name.value == step and type(name.value) is type(step):
            return name if key else value
    return None


def _element(elements: list[ast.expr], index: int) -> ast.AST | None:
    known = next((i for i, node in enumerate(elements) if isinstance(node, ast.Starred)), len(elements))
    return elements[index] if index < known else None


def _binds(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name == name
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)
