"""Configs that are wrong, each with the code, the line and the words by which it is told.

The line that a case marks with `#!` is the one that the first problem must name.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Case(NamedTuple):
    name: str
    text: str
    code: str
    what: str
    fix: str = ""
    caret: str = ""
    """The text over the carets."""


def entry(options: str) -> str:
    """A config whose only entry has `options`, all on the marked line."""
    return f"config = define_config(entries={{'a': Entry(\n    {options},  #!\n)}})"


def top(options: str) -> str:
    return f"config = define_config(entries={{'a': Entry(source='m.onnx')}},\n    {options},  #!\n)"


def use(step: str) -> str:
    return entry(f"source='m.onnx', use=[{step}]")


def budget(options: str) -> str:
    return entry(f"source='m.onnx', budget=Budget({options})")


CASES = [
    # Python itself
    Case("syntax", "config = define_config(entries={'a': Entry(source='m.onnx')}\nx = = 1", "MB102", "never closed"),
    Case("syntax in a line", "x = = 1  #!", "MB102", "Invalid syntax"),
    Case("indentation", "if True:\nx = 1  #!", "MB102", "Expected an indented block"),
    Case("raises", "def f():\n    raise ValueError('no such thing')  #!\nf()", "MB103", "ValueError: no such thing"),
    Case("raises without text", "assert False  #!", "MB103", "AssertionError."),
    Case("recursion", "def f(n):\n    return f(n + 1)  #!\nf(0)", "MB103", "RecursionError"),
    Case("undefined", "config = defin_config()  #!", "MB103", "NameError", "", "defin_config"),
    Case(
        "loader not imported",
        "del simplify\nsimplify()  #!",
        "MB103",
        "simplify",
        "from bundler.loaders import simplify",
    ),
    Case("word not imported", "del Entry\nEntry()  #!", "MB103", "Entry", "from bundler import Entry"),
    Case("asks a question", "input('which? ')  #!", "MB103", "EOFError", "--mode"),
    Case("module missing", "import no_such_module_here  #!", "MB108", "no_such_module_here", "Install"),
    Case("name missing in bundler", "from bundler import Entri  #!", "MB108", "Entri", "Did you mean `Entry`?"),
    Case("deep syntax", "x = " + "(" * 300 + ")" * 300 + "  #!", "MB102", ""),
    # the value
    Case("nothing", "", "MB106", "does not set `config`", "define_config"),
    Case("other name", "conf = define_config(entries={'a': Entry(source='m.onnx')})  #!", "MB106", "", "`conf`"),
    Case("a dict", "config = {'entries': {}}  #!", "MB107", "a dict", "define_config"),
    Case("a list", "config = [define_config(entries={'a': Entry(source='m.onnx')})]  #!", "MB107", "a list"),
    Case("None", "config = None  #!", "MB107", "None"),
    Case("an entry", "config = Entry(source='m.onnx')  #!", "MB107", "an Entry"),
    Case("async", "async def config(env):  #!\n    return None", "MB107", "async", "without async"),
    Case("function of nothing", "def config():  #!\n    return None", "MB107", "exactly one argument", "ConfigEnv"),
    Case("function returns None", "def config(env):  #!\n    pass", "MB107", "returned None", "Return define_config"),
    Case("function raises", "def config(env):\n    return env.mod  #!", "MB103", "AttributeError"),
    # options of define_config
    Case("no entries", "config = define_config()  #!", "MB111", "needs the option `entries`"),
    Case("entries empty", "config = define_config(entries={})  #!", "MB115", "empty", "Add one", "entries"),
    Case("entries a list", "config = define_config(entries=[Entry(source='m.onnx')])  #!", "MB112", "must map names"),
    Case(
        "entry a string",
        "config = define_config(entries={'a': 'm.onnx'})  #!",
        "MB112",
        "'m.onnx'",
        'Entry(source="m.onnx")',
    ),
    Case(
        "entry a dict",
        "config = define_config(entries={'a': {'source': 'm.onnx'}})  #!",
        "MB112",
        "",
        "Entry(source=...)",
    ),
    Case("positional", "config = define_config({'a': Entry(source='m.onnx')})  #!", "MB114", "by name", "entries=..."),
    Case("misspelt", top("chnks=Chunks()"), "MB110", "`chnks`", "Did you mean `chunks`?", "chnks"),
    Case("output a string", top("output='dist'"), "MB112", "must be Output(...)", "output=Output(...)", "'dist'"),
    # names
    Case("name empty", "config = define_config(entries={'': Entry(source='m.onnx')})  #!", "MB116", "empty", "", "''"),
    Case(
        "name climbs",
        "config = define_config(entries={'../x': Entry(source='m.onnx')})  #!",
        "MB116",
        "two in a row",
        '"x"',
    ),
    Case("name slash", "config = define_config(entries={'a/b': Entry(source='m.onnx')})  #!", "MB116", '"/"', '"a-b"'),
    Case(
        "name long",
        "config = define_config(entries={\n'" + "a" * 300 + "': Entry(source='m.onnx')})  #!",
        "MB116",
        "300",
    ),
    Case(
        "name number",
        "config = define_config(entries={1: Entry(source='m.onnx')})  #!",
        "MB116",
        "must be a string",
        "",
        "1",
    ),
    Case(
        "name accent",
        "config = define_config(entries={'modèle': Entry(source='m.onnx')})  #!",
        "MB116",
        "è",
        '"modele"',
    ),
    Case("name dot end", "config = define_config(entries={'a.': Entry(source='m.onnx')})  #!", "MB116", "dot"),
    Case("name control", "config = define_config(entries={'a\\nb': Entry(source='m.onnx')})  #!", "MB116", "\\u000a"),
    Case(
        "name proto", "config = define_config(entries={'__proto__': Entry(source='m.onnx')})  #!", "MB118", "JavaScript"
    ),
    Case(
        "name constructor",
        "config = define_config(entries={'constructor': Entry(source='m.onnx')})  #!",
        "MB118",
        "JavaScript",
    ),
    Case("name CON", "config = define_config(entries={'CON': Entry(source='m.onnx')})  #!", "MB118", "Windows"),
    Case("name nul.txt", "config = define_config(entries={'nul.txt': Entry(source='m.onnx')})  #!", "MB118", "Windows"),
    Case(
        "name twice",
        "config = define_config(entries={'a': Entry(source='m.onnx'),\n 'a': Entry(source='m.onnx')})  #!",
        "MB117",
        "there twice",
    ),
    Case(
        "name by case",
        "config = define_config(entries={'Ab': Entry(source='m.onnx'),\n 'aB': Entry(source='m.onnx')})  #!",
        "MB117",
        '"ab"',
        "Rename",
        "'aB'",
    ),
    Case(
        "name by punctuation",
        "config = define_config(entries={'a.b': Entry(source='m.onnx'),\n 'a_b': Entry(source='m.onnx')})  #!",
        "MB117",
        '"a-b"',
    ),
    Case("variant name", entry("source='m.onnx', variants={'q 8': []}"), "MB116", "a variant", '"q-8"', "'q 8'"),
    Case("variant twice", entry("source='m.onnx', variants={'q8': [], 'q8': []}"), "MB117", "twice", "", "'q8'"),
    # options of an entry
    Case(
        "source missing", "config = define_config(entries={'a': Entry()})  #!", "MB111", "`source`", "Entry(source=...)"
    ),
    Case(
        "entry positional",
        "config = define_config(entries={'a': Entry('m.onnx')})  #!",
        "MB114",
        "by name",
        "source=...",
    ),
    Case("src", entry("src='m.onnx', source='m.onnx'"), "MB110", "`src`", "Did you mean `source`?", "src"),
    Case("loaders", entry("source='m.onnx', loaders=[]"), "MB110", "`loaders`", "Did you mean `use`?", "loaders"),
    Case("lod", entry("source='m.onnx', lod='lazy'"), "MB110", "`lod`", "Did you mean `load`?", "lod"),
    Case("far off", entry("source='m.onnx', xyzzy=1"), "MB110", "`xyzzy`", "It has allow_external", "xyzzy"),
    Case("source number", entry("source=3"), "MB112", "must be a path, not 3", "in quotes", "3"),
    Case("source empty", entry("source='  '"), "MB113", "must not be empty", "", "'  '"),
    Case("source bytes", entry("source=b'm.onnx'"), "MB112", "must be a path"),
    Case("source NUL", entry("source='m\\0.onnx'"), "MB113", "one line"),
    Case("load wrong", entry("source='m.onnx', load='eagr'"), "MB113", "eager, idle or lazy", '"eager"', "'eagr'"),
    Case("load True", entry("source='m.onnx', load=True"), "MB113", "not True", "in quotes"),
    Case("regression", entry("source='m.onnx', on_regression='eror'"), "MB113", "error or rollback", '"error"'),
    Case("max_error NaN", entry("source='m.onnx', max_error=float('nan')"), "MB113", "finite, not nan"),
    Case("max_error negative", entry("source='m.onnx', max_error=-1"), "MB113", "at least 0", "", "-1"),
    Case("max_error bool", entry("source='m.onnx', max_error=True"), "MB112", "must be a number, not True"),
    Case("split twice", use("split(stages=2), split(stages=3)"), "MB137", "last in `use`, and there once"),
    Case("split first", use("split(stages=2), simplify()"), "MB137", "must be last in `use`"),
    Case("split two ways", use("split(stages=2, at=['y'])"), "MB137", "not at and stages"),
    Case("split no way", use("split()"), "MB137", "not none of them"),
    Case("split size", use("split(max_bytes='8 apples')"), "MB112", "apples"),
    Case("split one", use("split(stages=1)"), "MB113", "from 2 to 64"),
    Case("assets string", entry("source='m.onnx', assets='t.json'"), "MB112", "must be a list", "['t.json']"),
    Case(
        "assets missing",
        entry("source='m.onnx', assets=['t.json', 'tt.json']"),
        "MB148",
        "tt.json",
        '"t.json"',
        "'tt.json'",
    ),
    Case("assets folder", entry("source='m.onnx', assets=['sub']"), "MB112", "is a folder"),
    Case(
        "assets clash", entry("source='m.onnx', assets=['t.json', 'sub/t.json']"), "MB132", "t.json", "", "'sub/t.json'"
    ),
    Case("external op", entry("source='m.onnx', external_ops=['MyOp']"), "MB113", "my.domain::MyOp", "", "'MyOp'"),
    Case("allow missing", entry("source='m.onnx', allow_external=['/no/such']"), "MB148", "/no/such"),
    Case("allow file", entry("source='m.onnx', allow_external=['t.json']"), "MB112", "is a file"),
    Case("golden string", entry("source='m.onnx', golden='g.npz'"), "MB112", "Golden(...)", "golden=Golden(...)"),
    Case("golden missing", entry("source='m.onnx', golden=Golden('g.npz')"), "MB148", "g.npz", "", "'g.npz'"),
    Case(
        "golden metric",
        entry("source='m.onnx', golden=Golden('t.json', metric='cosin')"),
        "MB113",
        "cosine",
        '"cosine"',
    ),
    Case(
        "golden metrics and metric",
        entry("source='m.onnx', golden=Golden('t.json', metrics={'top1': 1}, at_least=1)"),
        "MB131",
        "it takes no `at_least`",
    ),
    Case(
        "golden metrics list", entry("source='m.onnx', golden=Golden('t.json', metrics=['top1'])"), "MB112", "must map"
    ),
    Case(
        "golden metrics name",
        entry("source='m.onnx', golden=Golden('t.json', metrics={'top1': 1, 'top6': 0})"),
        "MB113",
        "'top6'",
        'Did you mean "top',
    ),
    Case(
        "golden metrics twice",
        entry("source='m.onnx', golden=Golden('t.json', metrics={lambda a, b: 1: 1, lambda a, b: 2: 0})"),
        "MB117",
        "'<lambda>'",
    ),
    Case(
        "budget of a metric that is not there",
        entry("source='m.onnx', golden=Golden('t.json', metric='top1'), budget=Budget(accuracy={'top2': 1})"),
        "MB113",
        "'top2'",
        'Did you mean "top1"?',
    ),
    Case("golden limits", entry("source='m.onnx', golden=Golden('t.json', at_least=2)"), "MB113", "from -1 to 1"),
    Case("golden twice", entry("source='m.onnx', golden=Golden('t.json', path='t.json')"), "MB114", "given twice"),
    # loaders
    Case(
        "use one",
        entry("source='m.onnx', use=simplify()"),
        "MB112",
        "a list of loaders",
        "Write [simplify()]",
        "simplify",
    ),
    Case("use string", entry("source='m.onnx', use='simplify'"), "MB112", "a list of loaders"),
    Case("not called", use("simplify"), "MB121", "without its parentheses", "simplify()", "simplify"),
    Case("class", "class Mine: ...\n" + use("Mine"), "MB121", "the class Mine", "Mine()", "Mine"),
    Case("by name", use("'simplify'"), "MB121", "not a loader", "from bundler.loaders import simplify", "'simplify'"),
    Case("None step", use("None"), "MB121", "None", "Leave it out", "None"),
    Case("nested list", use("[simplify()]"), "MB121", "not a loader", "star", "[simplify()]"),
    Case("number", use("8"), "MB121", "is 8", "simplify()", "8"),
    Case("async step", "async def step(m): ...\n" + use("step"), "MB122", "async", "without async", "step"),
    Case("generator", "def step(m): yield m\n" + use("step"), "MB122", "generator", "Return", "step"),
    Case("too many", "def step(m, c, x): ...\n" + use("step"), "MB122", "cannot be called", "def step(model)", "step"),
    Case("no argument", use("lambda: None"), "MB122", "<lambda>", "", "lambda: None"),
    Case(
        "unknown loader",
        "from bundler.loaders import simplfy\n" + use("simplfy()"),
        "MB120",
        "`simplfy`",
        "`simplify`",
        "simplfy",
    ),
    Case("loader option", use("simplify(skp=['a'])"), "MB110", "`skp`", "Did you mean `skip`?", "skp"),
    Case("loader value", use("quantize_dynamic(weight_type='int4')"), "MB113", "auto, int8 or uint8", "", "'int4'"),
    Case("loader flag", use("quantize_dynamic(per_channel=1)"), "MB112", "True or False, not 1", "Write True", "1"),
    Case("loader list", use("quantize_dynamic(ops='MatMul')"), "MB112", "must be a list", "['MatMul']", "'MatMul'"),
    Case("loader element", use("quantize_dynamic(ops=['MatMul', 3])"), "MB112", "[1] must be a string, not 3", "", "3"),
    Case("loader positional", use("simplify(['a'], 2)"), "MB114", "at most 1", "", "2"),
    Case("loader twice", use("simplify(['a'], skip=['b'])"), "MB114", "given twice", "", "skip"),
    Case("variants list", entry("source='m.onnx', variants=[simplify()]"), "MB112", "must map names", "variants={"),
    Case(
        "variant step",
        entry("source='m.onnx', variants={'q8': quantize_dynamic()}"),
        "MB112",
        "a list of loaders",
        "[quantize_dynamic()]",
    ),
    # budgets, output, chunks
    Case("size unit", budget("size='25 XB'"), "MB112", '"XB" is no unit', "MiB", "'25 XB'"),
    Case("size bare", budget("size='25'"), "MB112", "the unit is missing", "MiB", "'25'"),
    Case("size bool", budget("size=True"), "MB112", "not True", "", "True"),
    Case("size negative", budget("size=-5"), "MB113", "at least 1 byte", "", "-5"),
    Case("size float", budget("size=2.5"), "MB112", "whole number of bytes", "", "2.5"),
    Case("size absurd", budget("size='99999999 GB'"), "MB113", "at most 8 PiB"),
    Case("out root", top("output=Output(dir='.')"), "MB130", "the project itself", 'dir="dist"', "'.'"),
    Case("out parent", top("output=Output(dir='..')"), "MB130", "a folder that the project lies in"),
    Case("out filesystem", top("output=Output(dir='/')"), "MB130", "a folder that the project lies in"),
    Case("out file", top("output=Output(dir='t.json')"), "MB130", "t.json is a file"),
    Case("out below file", top("output=Output(dir='t.json/dist')"), "MB130", "t.json is a file"),
    Case("out git", top("output=Output(dir='.git/dist')"), "MB130", "inside .git"),
    Case(
        "out holds a source",
        "config = define_config(entries={'a': Entry(source='sub/n.onnx')}, output=Output(dir='sub'))  #!",
        "MB130",
        "sub/n.onnx",
        "",
        "'sub'",
    ),
    Case("out link to root", top("output=Output(dir='loop')"), "MB130", "the project itself"),
    Case("outDir", top("output=Output(outDir='dist')"), "MB110", "`outDir`", "Did you mean `dir`?", "outDir"),
    Case("base no slash", top("output=Output(base='/models')"), "MB113", "end with a slash", '"/models/"', "'/models'"),
    Case("base script", top("output=Output(base='javascript:alert(1)/')"), "MB113", "must start with"),
    Case("base other host", top("output=Output(base='//evil/')"), "MB113", "must start with"),
    Case("opset", top("output=Output(max_opset=99)"), "MB113", "from 7 to 26", "", "99"),
    Case("ort", top("output=Output(ort='selv')"), "MB113", "must be app or self", 'Did you mean "self"?', "'selv'"),
    Case("keep zero", top("output=Output(keep=0)"), "MB113", "from 1 to 100"),
    Case(
        "chunk order",
        top("chunks=Chunks(min_size='8 MiB', max_size='4 MiB')"),
        "MB131",
        "more than `max_size`",
        "",
        "'8 MiB'",
    ),
    Case("chunk tiny", top("chunks=Chunks(max_size='1 kB')"), "MB113", '"4 KiB"'),
    Case("chunk class", top("chunks=Chunks"), "MB112", "Chunks(...)", "chunks=Chunks(...)"),
    # sources
    Case("no file", entry("source='n.onnx'"), "MB140", "does not exist", "", "'n.onnx'"),
    Case("near file", entry("source='sub/nn.onnx'"), "MB140", "does not exist", '"sub/n.onnx"'),
    Case("near folder", entry("source='subb/n.onnx'"), "MB140", "there is no subb", '"sub/n.onnx"'),
    Case("dangling link", entry("source='dangling.onnx'"), "MB140", "a link to"),
    Case("checkpoint", entry("source='weights.safetensors'"), "MB141", "weights without a graph", "Export"),
    Case("not a model", entry("source='t.json'"), "MB141", '".json" file'),
    Case("folder of two", entry("source='two'"), "MB142", "2 .onnx files: a.onnx, b.onnx", 'source="two/a.onnx"'),
    Case("folder of none", entry("source='empty'"), "MB142", "no .onnx file", "Name the file"),
    Case("folder of folders", entry("source='deep'"), "MB142", "deeper", 'source="deep/onnx/model.onnx"'),
    Case("fifo", entry("source='pipe.onnx'"), "MB147", "not a regular file"),
    Case("address", entry("source='https://example.com/m.onnx'"), "MB146", "downloads nothing", "Save"),
    Case("scheme", entry("source='pacakge:magika/m.onnx'"), "MB146", "no kind of source", '"package:magika/m.onnx"'),
    Case("pip", entry("source='pip:magika/m.onnx'"), "MB146", "no kind of source", '"package:magika/m.onnx"'),
    Case("package bare", entry("source='package:magika'"), "MB146", "package:<distribution>/<path>"),
    Case(
        "package missing",
        entry("source='package:no-such-dist/m.onnx'"),
        "MB143",
        '"no-such-dist"',
        "pip install no-such-dist",
    ),
    Case("package climbs", entry("source='package:pip/../m.onnx'"), "MB145", "leads out"),
    Case("package other", entry("source='package:click/onnxy/__init__.onnx'"), "MB140", "does not exist"),
    Case("npm missing", entry("source='npm:@acme/models/m.onnx'"), "MB144", '"@acme/models"', "pnpm add @acme/models"),
    Case("npm climbs", entry("source='npm:have/../../m.onnx'"), "MB145", "leads out"),
    Case("npm link out", entry("source='npm:have/out.onnx'"), "MB145", "a link that leads out"),
    Case("npm bare", entry("source='npm:have'"), "MB146", "npm:<package>/<path>"),
    Case("npm file", entry("source='npm:have/n.onnx'"), "MB140", "does not exist", "m.onnx"),
]


def make_project(root: Path) -> Path:
    for folder in ("sub", "two", "empty", "deep/onnx", ".git", "node_modules/have"):
        (root / folder).mkdir(parents=True)
    files = ("m.onnx", "t.json", "sub/t.json", "sub/n.onnx", "two/a.onnx", "two/b.onnx", "deep/onnx/model.onnx")
    for file in (*files, "weights.safetensors", "node_modules/have/m.onnx", "pnpm-lock.yaml"):
        (root / file).touch()
    (root / "dangling.onnx").symlink_to("gone.onnx")
    (root / "loop").symlink_to(".")
    (root / "node_modules/have/out.onnx").symlink_to(root / "m.onnx")
    import os

    os.mkfifo(root / "pipe.onnx")
    return root
