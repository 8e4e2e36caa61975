"""`distill(...)`: what is refused before any torch is started; and, with torch, students that are trained here."""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from fixtures.checkpoints import WORDS

from . import dist
from .cli import ROOT, Within, command, environment, run

PYTHON = Path(os.environ.get("MBUNDLE_EXPORT_PYTHON") or ROOT / ".venv-export/bin/python")
needs_torch = [
    pytest.mark.slow,
    pytest.mark.torch,
    pytest.mark.skipif(not PYTHON.exists(), reason="scripts/test makes .venv-export"),
]
CONFIG = """from bundler import Entry, Golden, define_config, distill
from bundler.loaders import quantize_weights
from judge import agreement

config = define_config(entries=ENTRIES, export_python="./python")
"""

STUDENT = """import torch


def make(teacher):
    return Student(teacher.embeddings.word_embeddings.weight.clone())


class Student(torch.nn.Module):
    def __init__(self, words):
        super().__init__()
        self.words = torch.nn.Embedding.from_pretrained(words, freeze=False)
        self.line = torch.nn.Linear(32, 32)

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.line(self.words(input_ids)) * attention_mask[..., None]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The names of a checkpoint, texts to learn from, and a Python that writes down what it was asked to do; of
    exports it knows nothing while there is a file `no-export`."""
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert/config.json").write_text('{"architectures": ["BertModel"], "model_type": "bert"}')
    (tmp_path / "bert/model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    chance = random.Random(20)
    lines = (" ".join(chance.choices(WORDS, k=chance.randint(2, 9))) for _ in range(2000))
    (tmp_path / "texts.txt").write_text("\n".join(lines))
    (tmp_path / "judge.py").write_text("def agreement(outputs, reference, feeds):\n    return 0.5\n")
    wrapper = tmp_path / "python"
    refuse = '[ "$2" = export ] && [ -e no-export ] && exit 9'
    here = shlex.quote(str(tmp_path))
    python = shlex.quote(str(PYTHON if PYTHON.exists() else "/bin/false"))
    there = refuse.replace("no-export", f"{here}/no-export")
    wrapper.write_text(f'#!/bin/sh\necho "$2" >>{here}/asked\n{there}\nexec {python} "$@"\n')
    wrapper.chmod(0o755)
    return tmp_path


def configure(project: Path, **entries: str) -> None:
    listed = ", ".join(f'"{name}": Entry({options})' for name, options in entries.items())
    (project / "model.config.py").write_text(CONFIG.replace("ENTRIES", f"{{{listed}}}"))


def asked(project: Path) -> list[str]:
    """Verbs since the last call."""
    file = project / "asked"
    lines = file.read_text().split() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def test_what_is_wrong_is_told_before_torch_is_started(project: Path, within: Within) -> None:
    def refused(options: str, code: str, *parts: str) -> None:
        configure(project, net=f"source=distill({options})")
        ran = within(project, "build")
        assert ran.status == 2, ran.stderr
        assert f"error[{code}] model.config.py:5: " in ran.stderr
        for part in parts:
            assert part in " ".join(ran.stderr.split())

    refused('"bert", student=3, data="texts.txt"', "MB111", "distill needs the option `epochs`")
    refused('"bert", student=3, data="texts.txt", epoch=3', "MB110", "Did you mean `epochs`?")
    refused('"bertt", student=3, data="texts.txt", epochs=1', "MB140", "`teacher` of distill", 'Did you mean "bert"?')
    refused('"judge.py", student=3, data="texts.txt", epochs=1', "MB360", "no checkpoint")
    refused('"bert", student=0, data="texts.txt", epochs=1', "MB113", "`student` of distill must be a number from 1")
    refused('"bert", student=2.5, data="texts.txt", epochs=1', "MB112", '"intermediate_size": 768')
    refused('"bert", student={"layers": "3"}, data="texts.txt", epochs=1', "MB112", "[layers] must be a whole number")
    refused('"bert", student="judge.py", data="texts.txt", epochs=1', "MB113", '"student.py:make"')
    refused('"bert", student="jugde.py:make", data="texts.txt", epochs=1', "MB148", 'Did you mean "judge.py"?')
    refused('"bert", student=3, data="text.txt", epochs=1', "MB148", 'Did you mean "texts.txt"?')
    refused('"bert", student=3, data="judge.py", epochs=1', "MB148", "no .txt or .npz file")
    refused('"bert", student=3, data="texts.txt", epochs=0.5', "MB112", "`epochs` of distill must be a whole number")
    refused('"bert", student=3, data="texts.txt", epochs=1, learning_rate=2', "MB113", "from 1e-09 to 1")
    assert asked(project) == []

    configure(
        project, net='candidates={"teacher": "bert", "student": distill("bert", student=3, data="texts.txt", epochs=1)}'
    )
    assert "judged by a golden set" in within(project, "build").stderr


def test_without_torch_it_is_one_message_with_the_command(project: Path) -> None:
    configure(project, net='source=distill("bert", student=3, data="texts.txt", epochs=1)')
    text = (project / "model.config.py").read_text().replace(', export_python="./python"', "")
    (project / "model.config.py").write_text(text)
    ran = run(project, "build", env={"MBUNDLE_EXPORT_PYTHON": ""})
    ran.failed("MB350", "lacks torch", "pip install 'mbundle[export]'")
    assert ran.stderr.count("error[") == 1


@pytest.fixture
def twin(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two projects with the same real checkpoint and golden set."""
    script = ROOT / "fixtures/checkpoints.py"
    subprocess.run([PYTHON, "-P", script, project, "reader"], check=True, capture_output=True)
    ids = np.random.default_rng(20).integers(2, 100, (3, 4, 6))
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    np.savez(project / "golden.npz", **feeds)
    (project / "student.py").write_text(STUDENT)
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(project, other, dirs_exist_ok=True)
    (other / "python").write_text((project / "python").read_text().replace(str(project), str(other)))
    return project, other


def weights(project: Path) -> bytes:
    (found,) = (project / ".mbundle/cache").rglob("exports/*/*/model.safetensors")
    return found.read_bytes()


@pytest.mark.parametrize("needed", [pytest.param(None, marks=needs_torch)])
def test_a_student_is_trained_broken_off_goes_on_and_ships(needed: None, twin: tuple[Path, Path]) -> None:
    broken, whole = twin
    student = 'distill("reader", student={"num_hidden_layers": 2, "intermediate_size": 48}, data="texts.txt", '
    student += "epochs=50, patience=1, batch_size=8)"
    candidates = f'candidates={{"teacher": "reader", "student": {student}}}, '
    candidates += 'golden=Golden("golden.npz", metric=agreement, at_least=0.4)'
    for project in twin:
        (project / "no-export").touch()
        configure(project, net=candidates)

    process = subprocess.Popen(command("build"), cwd=broken, env=environment(), stderr=subprocess.DEVNULL)
    end, saved = time.monotonic() + 300, set[int]()
    while len(saved) < 4:
        saved |= {file.stat().st_mtime_ns for file in (broken / ".mbundle/cache").rglob("training.pt")}
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    assert process.wait(120) == 130
    assert not (broken / "dist").exists()

    run(whole, "build").failed("MB351")  # the export; the student is in the cache
    (broken / "no-export").unlink()
    asked(broken)
    ran = run(broken, "build").ok()
    assert sorted(asked(broken)) == ["distill", "export", "export", "probe", "probe"]
    step = re.search(r"net:student: goes on where it was broken off: epoch 1, step (\d+)", ran.stderr)
    assert step is not None
    assert int(step[1]) > 1
    assert weights(broken) == weights(whole)
    assert not list((broken / ".mbundle/cache").rglob("training.pt"))

    told = " ".join(ran.stderr.split())
    assert "ships student: " in told  # the metric says 0.5 of everything, so it stopped after an epoch without gain
    assert re.search(r"distilled: [\d.]+ k of [\d.]+ k parameters, 2 epochs, of which the 1st was best", told)
    assert "epoch 2/50: loss " in told

    own = 'source=distill("reader", student="student.py:make", data="golden.npz", epochs=3, learning_rate=0.01)'
    configure(broken, net=f"{candidates}, use=[quantize_weights(bits=8)]", own=own)
    entries = {one["name"]: one for one in run(broken, "build", "--json").ok().json["entries"]}
    assert sorted(asked(broken)) == ["distill", "probe", "probe", "probe"]
    assert entries["net"]["export"]["distilled"]["cached"]
    facts = entries["own"]["export"]
    assert facts["compared"]["last_hidden_state"]["cosine"] > 0.999999
    history = [one["metric"] for one in facts["distilled"]["history"]]
    assert -1 < history[0] < history[-1] < 1
    ports = dist.check(broken / "dist")["entries"]["own"]["variants"][0]
    assert [port["name"] for port in ports["outputs"]] == ["last_hidden_state"]
    assert [port["shape"][-1] for port in ports["inputs"]] == ["sequence_length"] * 3
    assert run(broken, "build", "--json").ok().json["fresh"]
    shutil.rmtree(broken / ".mbundle/cache")  # what was made is no input
    assert run(broken, "build", "--json").ok().json["fresh"]
    assert asked(broken) == []
