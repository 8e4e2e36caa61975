"""Configs that exit, hang, print, fork, leave threads or change folder: the build outlives them all, and says where."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundler.config.load import load_config
from bundler.config.schema import BuildConfig
from bundler.errors import ConfigError, Problem

ROOT = Path(__file__).resolve().parent.parent
GOOD = """
from bundler import Entry, define_config
config = define_config(entries={"a": Entry(source="m.onnx")})
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "m.onnx").touch()
    return tmp_path


def load(app: Path, text: str, limit: float = 20) -> BuildConfig:
    (app / "model.config.py").write_text(text)
    return load_config(str(app), limit=limit)


def refused(app: Path, text: str, limit: float = 20) -> Problem:
    with pytest.raises(ConfigError) as caught:
        load(app, text, limit)
    (found,) = caught.value.problems
    assert found.file == "model.config.py"
    return found


@pytest.mark.parametrize("status", ["0", "1", "'bye'", ""])
def test_sys_exit_is_no_success(app: Path, status: str) -> None:
    found = refused(app, f"import sys\nsys.exit({status})\n" + GOOD)
    assert (found.code, found.line) == ("MB104", 2)


@pytest.mark.parametrize("status", [0, 3])
def test_os_exit_is_no_success(app: Path, status: int) -> None:
    found = refused(app, f"import os\nos._exit({status})\n" + GOOD)
    assert (found.code, found.what) == ("MB104", f"The config ended its process (os._exit({status})).")


def test_a_crash_is_named(app: Path) -> None:
    found = refused(app, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n" + GOOD)
    assert found.code == "MB104"
    assert "SIGSEGV" in found.what


def test_an_endless_loop_is_stopped_and_located(app: Path) -> None:
    found = refused(app, "while True:\n    pass\n", limit=0.2)
    assert found.code == "MB105"
    assert found.line in (1, 2)
    assert "0.2 s" in found.what


def test_a_loop_that_catches_every_exception_is_stopped(app: Path) -> None:
    found = refused(app, "while True:\n    try:\n        pass\n    except Exception:\n        pass\n", limit=0.2)
    assert found.code == "MB105"


def test_a_loop_that_cannot_be_interrupted_is_killed(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundler.config.load._GRACE", 0.2)
    text = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\nwhile True: pass\n"
    found = refused(app, text, limit=0.3)
    assert (found.code, found.what) == ("MB105", "The config ran longer than 0.3 s and could not be interrupted.")


def test_a_deadlock_is_stopped_and_located(app: Path) -> None:
    found = refused(app, "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()\n", limit=0.3)
    assert (found.code, found.line) == ("MB105", 4)


def test_a_thread_that_never_ends_does_not_hold_the_build(app: Path) -> None:
    start = time.monotonic()
    load(app, "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n" + GOOD)
    assert time.monotonic() - start < 10


def test_processes_that_a_config_leaves_die_with_it(app: Path) -> None:
    text = "import subprocess\nchild = subprocess.Popen(['sleep', '600'])\nopen('pid', 'w').write(str(child.pid))\n"
    load(app, text + GOOD)
    assert _is_gone(int((app / "pid").read_text()))


def test_a_fork_that_runs_on_does_not_answer_in_its_place(app: Path) -> None:
    text = "import os, time\npid = os.fork()\n"
    text += "if pid == 0:\n    open('pid', 'w').write(str(os.getpid()))\n    time.sleep(600)\n"
    assert load(app, text + GOOD).entries[0].name == "a"
    if (app / "pid").exists() and (pid := (app / "pid").read_text()):
        assert _is_gone(int(pid))


def _is_gone(pid: int) -> bool:
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_print_goes_to_stderr(app: Path) -> None:
    (app / "model.config.py").write_text(f"print('from the config', flush=False)\n{GOOD}")
    code = f"from bundler.config.load import load_config; print(load_config({str(app)!r}).entries[0].name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("a\n", "from the config\n")


def test_input_is_never_waited_for(app: Path) -> None:
    found = refused(app, "name = input('name? ')\n" + GOOD)
    assert (found.code, found.line) == ("MB103", 1)


def test_a_changed_folder_moves_no_path(app: Path) -> None:
    built = load(app, "import os\nos.chdir('/')\n" + GOOD)
    assert built.entries[0].source_path == str(app / "m.onnx")


def test_a_closed_stdout_is_no_matter(app: Path) -> None:
    load(app, "import sys, os\nsys.stdout.close()\nos.close(1)\n" + GOOD)


def test_the_folder_of_the_caller_does_not_matter(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (app / "helper.py").write_text("NAME = 'm.onnx'\n")
    (app / "deep").mkdir()
    monkeypatch.chdir(app / "deep")
    text = "from helper import NAME\nfrom bundler import Entry, define_config\n"
    (app / "model.config.py").write_text(text + "config = define_config(entries={'a': Entry(source=NAME)})\n")
    assert load_config("../model.config.py").root == str(app)


@pytest.mark.parametrize("name", ["bundler", "ast", "difflib", "json", "typing", "pickle", "signal"])
def test_a_file_of_the_user_never_stands_in_for_a_module_of_ours(app: Path, name: str) -> None:
    (app / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    assert load(app, GOOD).entries[0].name == "a"


def test_no_bytecode_is_left_in_the_project(app: Path) -> None:
    (app / "helper.py").write_text("X = 1\n")
    load(app, "import helper\n" + GOOD)
    assert not list(app.rglob("__pycache__"))


def test_a_same_second_same_size_edit_of_a_helper_is_seen(app: Path) -> None:
    helper = app / "helper.py"
    text = "from helper import NAME\nfrom bundler import Entry, define_config\n"
    text += "config = define_config(entries={NAME: Entry(source='m.onnx')})\n"
    helper.write_text("NAME = 'one'\n")
    os.utime(helper, (1_700_000_000, 1_700_000_000))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", "import helper"], cwd=app, check=True, env=environment)
    assert list(app.rglob("*.pyc"))
    helper.write_text("NAME = 'two'\n")
    os.utime(helper, (1_700_000_000, 1_700_000_000))
    assert load(app, text).entries[0].name == "two"


def test_inputs_are_the_modules_and_data_that_the_config_read(app: Path) -> None:
    (app / "lib").mkdir()
    (app / "lib/__init__.py").touch()
    (app / "lib/steps.py").write_text("open('options.json').close()\nopen('written.txt', 'w').close()\n")
    (app / "options.json").write_text("{}")
    (app / "node_modules").mkdir()
    (app / "node_modules/x.py").write_text("Y = 1\n")
    text = "import sys, lib.steps\nsys.path.append('node_modules')\nimport x\n"
    inputs = load(app, text + GOOD).config_inputs
    names = [os.path.relpath(path, app) for path in inputs]
    assert names == ["lib/__init__.py", "lib/steps.py", "model.config.py", "options.json"]


def test_a_failed_config_still_tells_its_inputs(app: Path) -> None:
    (app / "helper.py").write_text("import other\n")
    (app / "other.py").write_text("x = = 1\n")
    (app / "model.config.py").write_text("import helper\n" + GOOD)
    with pytest.raises(ConfigError) as caught:
        load_config(str(app))
    assert (caught.value.problems[0].code, caught.value.problems[0].file) == ("MB102", "other.py")
    assert [os.path.basename(path) for path in caught.value.inputs] == ["helper.py", "model.config.py", "other.py"]


def test_a_missing_source_is_an_input_too(app: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(app, GOOD.replace("m.onnx", "later/m.onnx"))
    assert str(app / "later/m.onnx") in caught.value.inputs


def test_errors_inside_a_library_point_at_the_users_line(app: Path) -> None:
    found = refused(app, "import json\njson.loads('{')\n")
    assert (found.code, found.line) == ("MB103", 2)
    assert "JSONDecodeError" in found.what


def test_an_error_whose_text_fails_is_told_by_its_type(app: Path) -> None:
    text = "class Odd(Exception):\n    def __str__(self): return 1 / 0\nraise Odd\n"
    assert refused(app, text).what == "Odd."


def test_a_cyclic_import_of_helpers_works_as_in_python(app: Path) -> None:
    (app / "one.py").write_text("import two\nA = 1\n")
    (app / "two.py").write_text("import one\nB = 2\n")
    assert load(app, "import one\n" + GOOD).entries[0].name == "a"


def test_evaluation_imports_nothing_heavy_and_no_click(app: Path) -> None:
    (app / "model.config.py").write_text(
        "from bundler.loaders import simplify\n" + GOOD.replace(")})", ", use=[simplify()])})")
    )
    code = (
        "import sys\nfrom bundler.config.declare import ConfigEnv\nfrom bundler.config.evaluate import Evaluation\n"
        f"Evaluation({str(app / 'model.config.py')!r}, ConfigEnv('build', 'production', {str(app)!r})).build_config()\n"
        "heavy = {'click', 'orjson', 'numpy', 'onnx', 'onnxruntime', 'onnxsim', 'onnx_ir'}\n"
        "heavy |= {'importlib.metadata', 'difflib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, env=_path())
    assert done.stdout.strip() == "[]"


def _path() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}
