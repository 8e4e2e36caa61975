"""The verdicts of a check for other programs: Markdown for a pull request, JUnit for CI, GitHub's annotations.

Names of entries and files come from strangers: each format gets them escaped its own way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ..errors import printable
from .units import change, size
from .verdicts import kept, largest, limit_text, state_text, title, trend, value_text

Row = Mapping[str, Any]
MARK = "<!-- mbundle check -->"
"""First line of the comment, by which a workflow finds the one to replace."""
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~&@])")


def markdown(result: Row) -> str:
    """One comment for a pull request."""
    return "\n".join([MARK, *_markdown(result)]) + "\n"


def _markdown(result: Row) -> Iterator[str]:
    failing = sum(row["state"] in ("over", "unknown") for row in result["verdicts"])
    yield f"### {'❌' if failing else '✅'} mbundle: {kept(result)}"
    if result["verdicts"]:
        yield from ("", "| | budget | value | limit | base | |", "| --- | --- | ---: | ---: | ---: | --- |")
    for row in result["verdicts"]:
        base = value_text({"value": row["base"], "unit": row["unit"]}) if "base" in row else ""
        who = _safe(f"{row['entry']}/{row['variant']}")
        cells = (who, _safe(title(row)), value_text(row), limit_text(row), base, state_text(row))
        yield f"| {' | '.join(cells)} |"
    yield from (
        "",
        "| | download | base | change | a returning visitor pays | trend |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    )
    for entry, found in result["entries"].items():
        for variant, row in found.items():
            yield _change(f"{entry}/{variant}", row)
    yield from _chunks(result)


def _change(who: str, row: Row) -> str:
    base = row.get("baseBytes")
    cells = (
        [size(base), change(base, row["bytes"]) or "±0 %", size(row["returning"])]
        if base is not None
        else ["", "new", size(row["bytes"])]
    )
    return f"| {_safe(who)} | {size(row['bytes'])} | {' | '.join(cells)} | {trend(row)} |"


def _chunks(result: Row) -> Iterator[str]:
    new = {
        file: n
        for found in result["entries"].values()
        for row in found.values()
        for file, n in row.get("newFiles", {}).items()
    }
    if new:
        yield from ("", f"<details><summary>{len(new)} new files, {size(sum(new.values()))}</summary>", "")
        yield from (f"- {_safe(file)}: {size(nbytes)}" for file, nbytes in largest(new, 30))
        yield from ("", "</details>")


def _safe(text: str) -> str:
    return (
        _MARKUP.sub(r"\\\1", printable(text, 200))
        .replace("\\<", "&lt;")
        .replace("\\>", "&gt;")
        .replace("\\@", "@\u200b")
    )


def junit(result: Row) -> str:
    """A test case a budget."""
    rows = result["verdicts"]
    failing = sum(row["state"] in ("over", "unknown") for row in rows)
    cases = "\n".join(_case(row) for row in rows)
    suite = f'<testsuite name="mbundle" tests="{len(rows)}" failures="{failing}">'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>{suite}\n{cases}\n</testsuite></testsuites>\n'


def _case(row: Row) -> str:
    name = title(row)
    where = quoteattr(printable(f"{row['entry']}/{row['variant']}", 300))
    head = f"<testcase classname={where} name={quoteattr(name)}"
    if row["state"] in ("over", "unknown"):
        return f"{head}><failure message={quoteattr(sentence(row))}/></testcase>"
    return f"{head}><system-out>{escape(sentence(row))}</system-out></testcase>"


def github(result: Row) -> str:
    """Workflow commands: annotations of the run."""
    kinds = {"over": "error", "unknown": "error", "warning": "warning", "close": "notice"}
    rows = [row for row in result["verdicts"] if row["state"] in kinds]
    lines = [f"::{kinds[row['state']]} title=mbundle::{_command(sentence(row))}" for row in rows]
    return "".join(line + "\n" for line in lines)


def _command(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def sentence(row: Row) -> str:
    """ "icons/q8: latency is 61 ms, its budget is 50 ms"."""
    who = printable(f"{row['entry']}/{row['variant']}", 200)
    if "value" not in row:
        return f"{who}: {title(row)} was not measured, its budget is {limit_text(row)}"
    least = "at least " if row["unit"] == "score" else ""
    return f"{who}: {title(row)} is {value_text(row)}, its budget is {least}{limit_text(row)}"
