"""The shape of the code base: imports run one way, heavy libraries stay in child processes, docs match the code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.catalogue import CATALOGUE, as_markdown

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "bundler"

# From the outermost to the innermost: a layer may import layers after it, never before it.
LAYERS = [
    "__main__",
    "cli",
    "commands",
    "testing",
    "measure",
    "serve",
    "watch",
    "build",
    "stages",
    "stats",
    "report",
    "built",
    "emit",
    "chunks",
    "split",
    "loaders",
    "export",
    "cache",
    "graph",
    "process",
    "squeeze",
    "config",
    "catalogue",
    "codes",
    "errors",
]
# Declarations that a config needs are made by loaders/, which knows nothing of the config's evaluation.
EXCEPTIONS = {("config", "loaders")}
HEAVY = {
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxsim",
    "onnx_ir",
    "torch",
    "optimum",
    "starlette",
    "uvicorn",
    "anyio",
    "watchdog",
}


def modules() -> Iterator[Path]:
    return (path for path in sorted(PACKAGE.rglob("*.py")) if "_templates" not in path.parts)


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_layers(path: Path) -> Iterator[str]:
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
            yield from names
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("bundler."):
            yield node.module.split(".")[1]


def test_imports_run_one_way() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {target}"
        for path in modules()
        for target in imported_layers(path)
        if target in LAYERS
        and layer_of(path) in LAYERS
        and LAYERS.index(target) < LAYERS.index(layer_of(path))
        and (layer_of(path), target) not in EXCEPTIONS
    ]
    assert wrong == []


def test_every_module_belongs_to_a_layer() -> None:
    assert {layer_of(path) for path in modules()} - {"__init__"} <= set(LAYERS)


@pytest.mark.parametrize(
    "module",
    [
        "bundler",
        "bundler.cli",
        "bundler.build",
        "bundler.commands.build",
        "bundler.commands.cache",
        "bundler.commands.report",
        "bundler.report.page.collect",
        "bundler.commands.preview",
        "bundler.commands.serve",
        "bundler.commands.watch",
        "bundler.emit.manifest",
    ],
)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_help_loads_click_and_none_of_the_verbs() -> None:
    code = (
        "import sys; from bundler.cli import run; status = run(['--help']);"
        "print([m for m in sys.modules if m.startswith('bundler.commands.')], status, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr.strip() == "[] 0"


def test_docs_list_every_diagnostic() -> None:
    assert (ROOT / "docs/errors.md").read_text() == as_markdown()


def test_no_code_is_given_twice() -> None:
    rows = [
        row
        for path in (PACKAGE / "codes").glob("*.py")
        for row in re.findall(r'^    "(MB\d+)":', path.read_text(), re.M)
    ]
    assert sorted(rows) == sorted(CATALOGUE)


def test_every_diagnostic_is_raised_somewhere() -> None:
    source = "\n".join(path.read_text() for path in modules() if layer_of(path) != "codes")
    assert [code for code in CATALOGUE if code not in source] == []
