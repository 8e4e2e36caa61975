"""Children that crash, hang, eat memory or leave: each is one clear problem, and nothing of them remains."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper

from bundler import process
from bundler.errors import BugError, InputError, Interrupted, OutputError, StepError
from bundler.process import Limits

HERE = "tests.isolated:"
MIB = 1 << 20


def run(name: str, *args: Any, **options: Any) -> Any:
    return process.run(HERE + name, *args, label="simplify icons/q8", **options)


def problem_of(name: str, *args: Any, **options: Any) -> Any:
    with pytest.raises(StepError) as caught:
        run(name, *args, **options)
    (problem,) = caught.value.problems
    assert "simplify icons/q8" in problem.what
    assert problem.step == "simplify icons/q8"
    assert problem.fix
    return problem


def save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], **graph: Any) -> str:
    made = helper.make_graph(nodes, "g", inputs, outputs, **graph)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return str(path)


def value(name: str, *shape: Any) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def integers(name: str, values: list[int]) -> Any:
    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_returns_the_result_of_the_function() -> None:
    assert run("add", 2, 3) == 5


def test_a_child_is_another_process_with_a_folder_that_is_removed() -> None:
    folder, temporary, stdin = run("working_folder", "dropped.onnx")
    assert folder == temporary != os.getcwd()
    assert not Path(folder).exists()
    assert stdin == ""
    assert not Path("dropped.onnx").exists()


def test_the_working_folder_lies_where_the_caller_says(tmp_path: Path) -> None:
    folder, _, _ = run("working_folder", "x", tmp=str(tmp_path))
    assert Path(folder).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_no_core_is_dumped() -> None:
    assert run("core_limit") == (0, 0)


def test_the_users_main_module_does_not_run_again(tmp_path: Path) -> None:
    script = tmp_path / "user.py"
    marks = tmp_path / "marks"
    script.write_text(
        f"open({str(marks)!r}, 'a').write('ran\\n')\n"
        "from bundler import process\n"  # no `if __name__ == '__main__'`
        "print(process.run('os:getpid'))\n"
    )
    subprocess.run([sys.executable, script], check=True, env=os.environ | {"PYTHONPATH": os.getcwd()}, timeout=60)
    assert marks.read_text() == "ran\n"


def test_what_a_child_prints_reaches_the_caller_and_not_our_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    printed: list[str] = []
    run("say", "hello", printed=printed.append)
    assert sorted("".join(printed).split()) == ["hello", "hello", "native"] or "native hello" in printed[0]
    assert capfd.readouterr() == ("", "")


def test_errors_of_ours_come_back_as_themselves() -> None:
    with pytest.raises(InputError) as caught:
        run("refuse")
    assert caught.value.problems[0].file == "a.onnx"
    with pytest.raises(BugError, match="invariant"):
        run("bug")


def test_an_unexpected_exception_names_its_type_and_keeps_the_traceback() -> None:
    problem = problem_of("unexpected")
    assert problem.code == "MB306"
    assert "KeyError: '77'" in problem.what
    assert "isolated.py" in problem.frame


def test_a_result_that_cannot_be_sent_back() -> None:
    assert problem_of("unpicklable").code == "MB306"


@pytest.mark.parametrize(("name", "args"), [("leave", (0,)), ("leave", (3,))])
def test_leaving_is_not_succeeding(name: str, args: tuple[int, ...]) -> None:
    assert problem_of(name, *args).code == "MB307"


def test_sys_exit_is_an_exception_like_others() -> None:
    assert "SystemExit" in problem_of("exit_politely").what


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGFPE", "SIGABRT", "SIGBUS", "SIGILL"])
def test_a_signal_is_named(name: str) -> None:
    problem = problem_of("kill_itself", getattr(signal, name).value)
    assert problem.code == "MB301"
    assert name in problem.what


def test_sigkill_asks_for_memory() -> None:
    problem = problem_of("kill_itself", signal.SIGKILL.value)
    assert problem.code == "MB302"
    assert "out of memory?" in problem.what


def test_layer_normalization_with_an_empty_bias_crashes_onnxruntime(tmp_path: Path) -> None:
    nodes = [helper.make_node("LayerNormalization", ["x", "g", ""], ["y"])]
    scale = helper.make_tensor("g", TensorProto.FLOAT, [4], [1.0] * 4)
    path = save(tmp_path / "m.onnx", nodes, [value("x", 2, 4)], [value("y", 2, 4)], initializer=[scale])
    problem = problem_of("open_at_extended", path)
    assert problem.code == "MB301"
    assert "SIGSEGV" in problem.what


def test_a_stride_of_zero_crashes_onnxsim(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], strides=[0, 0])]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1, 1, 1, 1], [1.0])
    path = save(tmp_path / "m.onnx", nodes, [value("x", 1, 1, 4, 4)], [value("y", 1, 1, 4, 4)], initializer=[weight])
    problem = problem_of("simplify_file", path)
    assert problem.code == "MB301"
    assert "SIGFPE" in problem.what


def test_an_expand_bomb_meets_the_memory_limit(tmp_path: Path) -> None:
    nodes = [helper.make_node("Expand", ["x", "s"], ["y"])]
    shape = integers("s", [1 << 14, 1 << 14])
    path = save(tmp_path / "m.onnx", nodes, [value("x", 1)], [value("y", None, None)], initializer=[shape])
    feeds = {"x": np.ones(1, np.float32)}
    problem = problem_of("run_session", path, feeds, limits=Limits(memory=768 * MIB))
    assert problem.code == "MB305"
    assert "0.75 GiB" in problem.what
    assert run("run_session", path, feeds, limits=Limits(memory=2 << 30)) == [[1 << 14, 1 << 14]]


def test_a_constant_of_64_gib_meets_the_memory_limit(tmp_path: Path) -> None:
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["y"])]
    shape = integers("s", [1 << 17, 1 << 17])
    path = save(tmp_path / "m.onnx", nodes, [], [value("y", None, None)], initializer=[shape])
    assert problem_of("run_session", path, {}).code == "MB305"


def test_python_memory_errors_are_told_alike() -> None:
    assert problem_of("allocate", 1 << 30, limits=Limits(memory=512 * MIB)).code == "MB305"
    assert run("allocate", 1 << 30) == 1 << 30


def test_weights_may_be_mapped_that_are_larger_than_the_memory_limit(tmp_path: Path) -> None:
    """An external tensor of 768 MiB under a limit of 384: mapped by onnxruntime, not allocated."""
    side = 14188
    with open(tmp_path / "w", "wb") as file:
        file.truncate(4 * side * side)
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[side, side], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="w")
    nodes = [helper.make_node("Gather", ["w", "i"], ["y"])]
    at = helper.make_tensor_value_info("i", TensorProto.INT64, [1])
    path = save(tmp_path / "m.onnx", nodes, [at], [value("y", 1, side)], initializer=[weight])
    limits = Limits(memory=384 * MIB, mapped=4 * side * side + MIB)
    assert run("run_session", path, {"i": np.zeros(1, np.int64)}, limits=limits) == [[1, side]]


def test_the_wall_clock_ends_a_loop() -> None:
    started = time.monotonic()
    problem = problem_of("spin", limits=Limits(wall=0.3))
    assert problem.code == "MB303"
    assert "0.3 s" in problem.what
    assert time.monotonic() - started < 5


def test_processor_time_is_limited() -> None:
    assert problem_of("spin", limits=Limits(cpu=1, wall=30)).code == "MB304"


def test_a_timeout_kills_the_whole_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    assert problem_of("sleep_with_grandchild", str(pids), limits=Limits(wall=1)).code == "MB303"
    for pid in pids.read_text().split():
        assert wait_until(lambda pid=int(pid): gone(pid))  # type: ignore[misc]


def test_a_grandchild_does_not_outlive_a_finished_child() -> None:
    pid = run("return_with_grandchild")
    assert wait_until(lambda: gone(pid))


def test_children_run_at_the_same_time_from_many_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: run("add", n, n), range(40)))
    assert results == [2 * n for n in range(40)]


def test_nothing_is_left_after_many_ends(tmp_path: Path) -> None:
    for name, args in [("add", (1, 2)), ("leave", (1,)), ("unexpected", ()), ("kill_itself", (9,))]:
        with contextlib.suppress(StepError):
            run(name, *args, tmp=str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert [c for c in psutil.Process().children(recursive=True) if c.status() == psutil.STATUS_ZOMBIE] == []


def test_a_killed_server_is_one_problem_and_then_replaced(tmp_path: Path) -> None:
    assert problem_of("kill_the_server", tmp=str(tmp_path)).code == "MB308"
    assert list(tmp_path.iterdir()) == []
    assert run("add", 1, 1) == 2


def test_a_folder_that_cannot_hold_the_child(tmp_path: Path) -> None:
    with pytest.raises((OutputError, FileNotFoundError)):
        run("add", 1, 1, tmp=str(tmp_path / "absent"))


def test_stop_interrupts_what_runs_in_other_threads() -> None:
    raised: list[BaseException] = []

    def work() -> None:
        try:
            run("spin")
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.5)
    process.stop()
    thread.join(10)
    assert [type(error) for error in raised] == [Interrupted]
    assert run("add", 1, 1) == 2


_WAITING = """
import sys, signal
sys.path.insert(0, {root!r})
from bundler import process
process.run("tests.isolated:sleep_with_grandchild", {pids!r}, tmp={tmp!r})
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_ended_build_takes_its_children_along(name: str, tmp_path: Path) -> None:
    """Also with SIGKILL, which leaves the build no time to clean up: its server does."""
    pids, work = tmp_path / "pids", tmp_path / "work"
    work.mkdir()
    script = _WAITING.format(root=os.getcwd(), pids=str(pids), tmp=str(work))
    build = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    assert wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    build.send_signal(getattr(signal, name))
    build.wait(20)
    for pid in pids.read_text().split():
        assert wait_until(lambda pid=int(pid): gone(pid))  # type: ignore[misc]
    assert wait_until(lambda: list(work.iterdir()) == [])


def test_the_light_half_imports_nothing_heavy() -> None:
    heavy = {"numpy", "onnx", "onnxruntime", "onnxsim"}
    code = f"import sys, bundler.process; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_temp_folder_is_the_systems_by_default() -> None:
    folder, _, _ = run("working_folder", "x")
    assert Path(folder).parent == Path(tempfile.gettempdir())


@pytest.mark.parametrize(
    "make", [lambda tmp: process.run("os:getpid", tmp=tmp), lambda tmp: process.scratch_folder("a", tmp)]
)
def test_a_folder_that_takes_no_files_is_told(tmp_path: Path, make: Callable[[str], object]) -> None:
    with pytest.raises(OutputError) as caught:
        make(str(tmp_path / "gone"))
    assert caught.value.problems[0].code == "MB309"
