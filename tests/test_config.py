"""Good configs: what they say arrives as data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bundler
from bundler.config.load import load_config
from bundler.config.names import slug
from bundler.config.schema import BudgetSpec, ChunkSpec, GoldenSpec, LoaderSpec, OutputSpec
from bundler.config.values import size
from bundler.errors import ConfigError
from bundler.loaders import registry

ROOT = Path(__file__).resolve().parent.parent
FULL = """
from bundler import Budget, Chunks, Entry, Golden, Output, define_config
from bundler.loaders import quantize_dynamic, simplify

config = define_config(
    entries={
        "icons": Entry(
            source="models/minilm",
            use=[simplify()],
            variants={"q8": [quantize_dynamic(per_channel=True, ops=("MatMul",))], "fp32": []},
            golden=Golden("golden/icons.npz", metric="cosine", at_least=0.99),
            budget=Budget(size="25 MB"),
            assets=["models/tokenizer.json"],
            load="idle",
            on_regression="error",
            max_error=0.5,
            external_ops=["my.domain::*"],
            allow_external=["/tmp"],
        ),
        "a.b": Entry(source="models/minilm/m.onnx"),
    },
    output=Output(dir="public/models", base="/models/", max_ir_version=9, max_opset=21, keep=3),
    chunks=Chunks(min_size="1 MiB", max_size=8 << 20),
)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    for file in ("models/minilm/m.onnx", "models/tokenizer.json", "golden/icons.npz"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "model.config.py").write_text(FULL)
    return tmp_path


def test_everything_that_can_be_said(app: Path) -> None:
    built = load_config(str(app))
    other, icons = built.entries
    assert (other.name, icons.name) == ("a.b", "icons")
    assert (built.root, built.config_file, built.mode) == (str(app), str(app / "model.config.py"), "production")
    assert icons.source_path == other.source_path == str(app / "models/minilm/m.onnx")
    simple = LoaderSpec("simplify", (("skip", ()),))
    options = (("ops", ("MatMul",)), ("per_channel", True), ("reduce_range", False), ("weight_type", "auto"))
    assert [(v.name, v.steps) for v in icons.variants] == [
        ("q8", (simple, LoaderSpec("quantize_dynamic", options))),
        ("fp32", (simple,)),
    ]
    assert icons.golden == GoldenSpec(str(app / "golden/icons.npz"), "cosine", 0.99)
    assert icons.budget == BudgetSpec(25_000_000)
    assert icons.assets == (str(app / "models/tokenizer.json"),)
    assert (icons.load, icons.on_regression, icons.max_error) == ("idle", "error", 0.5)
    assert (icons.external_ops, icons.allow_external) == (("my.domain::*",), ("/tmp",))
    assert built.output == OutputSpec(str(app / "public/models"), "/models/", 9, 21, 3)
    assert built.chunks == ChunkSpec(1 << 20, 8 << 20)
    assert built.config_inputs == (str(app / "model.config.py"),)


def test_defaults(app: Path) -> None:
    (app / "model.config.py").write_text(
        "from bundler import Entry, define_config\n"
        "config = define_config(entries={'a': Entry(source='models/minilm')})\n"
    )
    built = load_config(str(app / "model.config.py"))
    (only,) = built.entries
    assert [(v.name, v.steps) for v in only.variants] == [("default", ())]
    assert built.output == OutputSpec(str(app / "dist"))
    assert built.chunks == ChunkSpec()
    assert load_config(str(app), mode="development").chunks.max_size == 64 << 20


@pytest.mark.parametrize("form", ["config = define_config(build)", "config = build", "config = lambda env: build(env)"])
def test_a_function_config_gets_the_environment(app: Path, form: str) -> None:
    (app / "model.config.py").write_text(
        "from bundler import ConfigEnv, Entry, define_config\n"
        "def build(env: ConfigEnv):\n"
        "    name = f'{env.command}-{env.mode}'\n"
        "    return define_config(entries={name: Entry(source=f'{env.root}/models/minilm')})\n" + form
    )
    assert load_config(str(app), mode="development", command="watch").entries[0].name == "watch-development"


def test_a_config_may_define_dataclasses_and_use_paths(app: Path) -> None:
    (app / "model.config.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom pathlib import Path\n"
        "from bundler import Entry, define_config\n"
        "@dataclass\nclass Mine:\n    path: Path\n"
        "here = Mine(Path(__file__).parent / 'models' / 'minilm')\n"
        "config = define_config(entries={'a': Entry(source=here.path)})\n"
    )
    assert load_config(str(app)).entries[0].source_path == str(app / "models/minilm/m.onnx")


def test_the_order_of_entries_does_not_matter(app: Path) -> None:
    head = "from bundler import Entry, define_config\nentries = {n: Entry(source='models/minilm') for n in %r}\n"
    tail = "config = define_config(entries=entries)\n"
    built = []
    for names in ("xyz", "zyx"):
        (app / "model.config.py").write_text(head % names + tail)
        built.append(load_config(str(app)))
    assert built[0] == built[1]


OWN = """
from bundler import Entry, define_config
from bundler.loaders import simplify
from steps import double, Scaled

def local(model, context):
    return ("local", model)

def closing(factor):
    return lambda model: (factor, model)

config = define_config(entries={
    "a.b": Entry(
        source="models/minilm",
        use=[simplify(), double, local, closing(2), Scaled(3)],
        variants={"x": [closing(4)], "y": []},
    ),
})
"""


def test_functions_and_objects_of_the_users_own_are_found_again(app: Path) -> None:
    (app / "steps.py").write_text(
        "import later_helper\n"
        "def double(model): return later_helper.two(model)\n"
        "class Scaled:\n    def __init__(self, by): self.by = by\n"
        "    def apply(self, model, context): return self.by\n"
    )
    (app / "later_helper.py").write_text("def two(model): return ('double', model)\n")
    (app / "model.config.py").write_text(OWN)
    variant_x, variant_y = load_config(str(app)).entries[0].variants
    steps = variant_x.steps
    inner = "closing.<locals>.<lambda>"
    assert [step.name for step in steps] == ["simplify", "double", "local", inner, "Scaled", inner]
    assert [step.kind for step in steps] == ["builtin", *["function"] * 5]
    assert steps[:5] == variant_y.steps
    code = (
        "import sys\nfrom bundler.config.evaluate import evaluate_function\n"
        "config, *places = sys.argv[1:]\n"
        "found = [evaluate_function(config, where) for where in places]\n"
        "print(found[0](0), found[1](0, None), found[2](0), found[3](0, None), found[4](0))"
    )
    places = [step.where for step in steps[1:]]
    assert places[0] == "a.b/use/1"
    command = [sys.executable, "-c", code, str(app / "model.config.py"), *places]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "('double', 0) ('local', 0) (2, 0) 3 (4, 0)"


def digests(app: Path) -> dict[str, str]:
    return {step.where: step.digest for step in load_config(str(app)).entries[0].variants[0].steps}


def test_the_digest_of_a_function_follows_what_decides_its_result(app: Path) -> None:
    (app / "steps.py").write_text(
        "import later_helper\ndef double(model): return model\n"
        "class Scaled:\n    def __init__(self, by): self.by = by\n    def apply(self, model, context): return model\n"
    )
    (app / "later_helper.py").write_text("X = 1\n")
    (app / "model.config.py").write_text(OWN)
    before = digests(app)
    assert len(set(before.values())) == len(before)
    (app / "model.config.py").write_text(OWN.replace("closing(2)", "closing(7)"))
    after = digests(app)
    assert after["a.b/use/1"] == before["a.b/use/1"], "a function of a helper does not depend on the config"
    assert after["a.b/use/3"] != before["a.b/use/3"], "a closure holds values of the config"
    (app / "later_helper.py").write_text("X = 2\n")
    assert digests(app)["a.b/use/1"] != before["a.b/use/1"], "a helper's helper counts"


def test_a_step_that_the_config_no_longer_has(app: Path) -> None:
    code = (
        "import sys\nfrom bundler.config.evaluate import evaluate_function\n"
        "try: evaluate_function(sys.argv[1], 'icons/use/9')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    command = [sys.executable, "-c", code, str(app / "model.config.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.startswith("ConfigError MB107")


def test_editors_and_type_checkers_see_the_options(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(FULL)
    (tmp_path / "bad.py").write_text(FULL.replace("source=", "sorce=").replace("per_channel", "per_chanel"))
    run = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path / "cache")]
    good = subprocess.run([*run, "good.py"], capture_output=True, text=True, cwd=tmp_path, env=_mypy_path())
    assert good.returncode == 0, good.stdout
    bad = subprocess.run([*run, "bad.py"], capture_output=True, text=True, cwd=tmp_path, env=_mypy_path())
    assert 'Unexpected keyword argument "sorce" for "Entry"; did you mean "source"?' in bad.stdout
    assert 'Unexpected keyword argument "per_chanel"' in bad.stdout


def _mypy_path() -> dict[str, str]:
    import os

    return os.environ | {"MYPYPATH": str(ROOT)}


def test_the_public_names_are_sorted_and_there() -> None:
    assert bundler.__all__ == sorted(bundler.__all__)
    assert all(getattr(bundler, name).__name__ == name for name in bundler.__all__)
    with pytest.raises(AttributeError):
        _ = bundler.nothing  # type: ignore[attr-defined]


def test_a_declaration_cannot_be_changed_later() -> None:
    entry = bundler.Entry(source="m.onnx")
    assert (entry.source, entry.load) == ("m.onnx", "lazy")
    with pytest.raises(AttributeError, match="source="):
        entry.source = "n.onnx"  # type: ignore[misc]


def test_builtin_loaders_are_made_from_their_spec() -> None:
    spec = LoaderSpec("quantize_dynamic", (("ops", ("MatMul",)), ("per_channel", True)))
    made = registry.make(spec)
    assert (made.name, made.per_channel, made.ops) == ("quantize_dynamic", True, ("MatMul",))  # type: ignore[attr-defined]
    assert {"quantize_dynamic", "simplify"} <= set(registry.names())


PLUGIN = """
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal
from bundler.config.options import Range

@dataclass(frozen=True)
class Shrink:
    name: ClassVar[str] = "shrink"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ()
    max_error: ClassVar[float] = 0.1
    min_cosine: ClassVar[float] = 0.9
    warn_cosine: ClassVar[float] = 0.99
    bits: Annotated[int, Range(2, 8)]
    groups: Literal[32, 64] = 32
    share: float | None = None
    def reads(self): return ()
    def apply(self, model, context): return model

@dataclass(frozen=True)
class Half:
    name: ClassVar[str] = "half"
    def apply(self, model, context): return model
"""


@pytest.fixture
def plugin(app: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = app / "site"
    (site / "acme_loaders-1.0.dist-info").mkdir(parents=True)
    (site / "acme_loaders-1.0.dist-info/METADATA").write_text("Name: acme-loaders\nVersion: 1.0\n")
    points = [f"{name} = acme_loaders:{name.title()}" for name in ("shrink", "missing", "half")]
    text = "\n".join(["[mbundle.loaders]", *points, ""])
    (site / "acme_loaders-1.0.dist-info/entry_points.txt").write_text(text)
    (site / "acme_loaders.py").write_text(PLUGIN)
    monkeypatch.setenv("PYTHONPATH", str(site))
    return app


def plugged(app: Path, call: str, name: str = "shrink") -> str:
    (app / "model.config.py").write_text(
        f"from bundler import Entry, define_config\nfrom bundler.loaders import {name}\n"
        f"config = define_config(entries={{'a': Entry(source='models/minilm', use=[{call}])}})\n"
    )
    return str(app)


def test_a_loader_of_an_installed_package(plugin: Path) -> None:
    (step,) = load_config(plugged(plugin, "shrink(bits=4)")).entries[0].variants[0].steps
    assert (step.name, step.kind, len(step.digest)) == ("shrink", "plugin", 64)
    assert step.options == (("bits", 4), ("groups", 32), ("share", None))


@pytest.mark.parametrize(
    ("call", "code", "what"),
    [
        ("shrink(bits=9)", "MB113", "from 2 to 8"),
        ("shrink()", "MB111", "`bits`"),
        ("shrink(bits=4, groups=16)", "MB113", "32 or 64"),
        ("shrink(bits=4, share='x')", "MB112", "must be a number"),
    ],
)
def test_options_of_an_installed_loader_are_checked(plugin: Path, call: str, code: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(plugged(plugin, call))
    (found,) = caught.value.problems
    assert (found.code, found.line) == (code, 3)
    assert what in found.what


def test_an_installed_loader_that_does_not_load(plugin: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(plugged(plugin, "missing()", "missing"))
    (found,) = caught.value.problems
    assert (found.code, found.file, found.line) == ("MB123", "model.config.py", 2)


def test_an_installed_loader_that_lacks_what_a_chain_asks_for(plugin: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(plugged(plugin, "half()", "half"))
    (found,) = caught.value.problems
    assert (found.code, "max_error, min_cosine, reads, tools, version and warn_cosine" in found.what) == ("MB123", True)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 B", 1), ("16 MiB", 16 << 20), ("16mib", 16 << 20), ("1.5 kB", 1500), ("2GB", 2 * 10**9), (7, 7)],
)
def test_sizes(text: str | int, value: int) -> None:
    assert size(text) == value


def test_slugs() -> None:
    assert [slug(name) for name in ("Icons", "a.b", "a_b", "v1.2-Rc")] == ["icons", "a-b", "a-b", "v1-2-rc"]
