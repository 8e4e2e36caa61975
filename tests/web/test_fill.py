"""Names from a model cannot leave the strings that they are written in."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.emit.fill import fill, literal
from bundler.emit.loader import render, runtime_files, stem

from .test_types import entry, port

NASTY = [
    "</script><script>alert(1)</script>",
    '";alert(1);//',
    "`${alert(1)}`",
    "\u2028alert(1)\u2029",
    "<!--",
    "\\",
    "\n//@each files\n",
    "__FILE__",
    '"__NAME__"',
    "*/ alert(1) /*",
    "\u202e",
    "\ud800",
    "__proto__",
]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)
    )
)
def test_a_literal_is_the_value_and_plain_ascii(value: object) -> None:
    text = literal(value)
    assert json.loads(text) == value
    assert re.fullmatch(r"[ -~]*", text)
    assert not set("<>&") & set(text)


def test_values_are_never_read_as_templates() -> None:
    filled = fill('f("__A__", "__B__/x"); //@each rows\n', {"A": '"__B__"'}, {"rows": [{"B": "b"}, {"B": '"'}]})
    assert filled == 'f("\\"__B__\\"", "b/x");\nf("\\"__B__\\"", "\\"/x");\n'


@pytest.mark.parametrize("name", NASTY)
def test_nasty_names_stay_strings(name: str, tmp_path: Path) -> None:
    made = render(
        {"entries": {name: entry([port(name, "float32", [name])], [port(name, "int64", None)])}}, "m.json", "0", 1
    )
    for path, content in made.items():
        assert re.fullmatch(r"(models|entries/[A-Za-z0-9_-]+)\.(js|d\.ts)", path)
        assert b"<" not in re.sub(rb"(Feeds|Model|Outputs|Api|Entry|ModelOf|FeedsOf|OutputsOf)<[^\n]*", b"", content)
    for path in made:
        if path.endswith(".js"):
            file = tmp_path / path
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(made[path])
            subprocess.run(["node", "--check", str(file)], check=True, capture_output=True)


def test_stems_are_safe_and_distinct() -> None:
    stems = [stem(name) for name in NASTY]
    assert len(set(stems)) == len(NASTY)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", each) for each in stems)
    assert stem("icons") == "icons"


def test_the_runtime_folder_is_named_by_its_content() -> None:
    name, files = runtime_files()
    assert re.fullmatch(r"runtime-[0-9a-f]{8}", name)
    assert {"index.js", "types.d.ts"} <= files.keys()
    assert runtime_files()[0] == name
