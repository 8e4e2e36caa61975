"""The emitted runtime is the written one: the same program in fewer bytes and files, small enough for any page."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bundler.emit.link import link
from bundler.emit.loader import runtime_files
from bundler.emit.minified import emitted, runtime_sources
from bundler.emit.shrink import shrink
from bundler.emit.templates import folder
from bundler.errors import BugError

from .conftest import ROOT

TOKENS = Path(__file__).parent / "node" / "tokens.mjs"
SOURCES = sorted((folder() / "runtime").glob("*.js"))

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def node(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["node", *map(str, arguments)], capture_output=True, text=True, timeout=60)


TRICKY = r"""
const a = 1 /* one */ / 2; // two
const r = /[/"'`]\/(?:x)/g.test("//no comment") ? "/* nor this */" : `a ${`b ${1 + {x: "}"}.x}`} // c \` ${r}`;
let b = a + +a - -a, c = a++ + ++a, d = 1..toString(), e = .5e-3, f = 0xffn, g = a ?.5 : a?.b ?? 1_000;
const h = () => /x/, i = async function* () { yield /y/; return /z/ }
const j = i
;[1].forEach((x) => x)
class K { #p = 1; static get [Symbol.species]() { return K }
  q = 2;
  *m() { return this.#p in this }
}
label: for (;;) { break label }
"""


@needs_node
def test_a_real_parser_sees_the_same_program(tmp_path: Path) -> None:
    (tmp_path / "tricky.js").write_text(TRICKY)
    pairs = []
    for source in [*SOURCES, tmp_path / "tricky.js"]:
        pairs += [source, tmp_path / f"shrunk-{source.name}"]
        pairs[-1].write_text(shrink(source.read_text()))
    done = node(TOKENS, *pairs)
    assert done.returncode == 0, done.stderr


def test_what_no_tokenizer_of_ours_knows_is_a_bug_not_a_guess() -> None:
    for source in ("const a = '", "const \u00e9 = 1", "`open", "@x"):
        with pytest.raises((BugError, IndexError)):
            shrink(source)


def test_modules_join_in_the_order_of_their_imports() -> None:
    modules = {
        "index.js": 'import { one } from "./a.js";\nexport { two } from "./b.js";\nexport const all = () => one;\n',
        "a.js": 'import { two } from "./b.js";\nexport const one = two + 1;\n',
        "b.js": "// a comment\nexport const two = 2;\n",
        "late.js": 'import { one } from "./a.js";\nexport { two } from "./b.js";\nexport const three = one;\n',
    }
    linked = link(modules, "index.js")
    assert linked["index.js"] == "const two=2;const one=two+1;const all=()=>one;\nexport{all,one,two};\n"
    assert linked["late.js"] == 'import{one}from"./index.js";export{two}from"./index.js";export const three=one;\n'


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        ("export const x = 1;\n", "const x = 2;\n", "both declare x"),
        ('import { y } from "./b.js";\n', 'import { x } from "./a.js";\n', "circle"),
    ],
)
def test_what_cannot_be_joined_is_refused(a: str, b: str, says: str) -> None:
    index = 'import { x } from "./a.js";\nimport { y } from "./b.js";\n'
    with pytest.raises(BugError, match=says):
        link({"index.js": index, "a.js": a, "b.js": b}, "index.js")


@needs_node
def test_the_emitted_runtime_loads_and_stays_small(tmp_path: Path) -> None:
    """What each page pulls in; all else is imported when it is needed. An app's own minifier makes it smaller again."""
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for name, content in runtime_files()[1].items():
        (tmp_path / name).write_bytes(content)
    script = """
      const { readFileSync } = require("fs");
      const { brotliCompressSync } = require("zlib");
      const sizes = process.argv.slice(1).map((file) => brotliCompressSync(readFileSync(file)).length);
      import(process.argv[1]).then((m) => console.log("entry" in m, sizes.reduce((a, b) => a + b)));
    """
    done = node("-e", script, tmp_path / "index.js", tmp_path / "api.js")
    assert done.stdout.startswith("true "), done.stderr
    assert int(done.stdout.split()[1]) <= 11_300  # and of the build's own modules 200 bytes, and 12 for each chunk


@needs_node
def test_the_minified_runtime_is_that_of_the_sources() -> None:
    """If this fails: scripts/minify."""
    sources = runtime_sources()
    command = ["node", str(ROOT / "scripts" / "minify.mjs")]
    done = subprocess.run(command, input=json.dumps(link(sources)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == emitted(sources)


def test_changed_sources_are_emitted_without_the_minified_ones() -> None:
    sources = runtime_sources()
    sources["errors.js"] += "export const changed = 1;\n"
    assert emitted(sources) == link(sources)
