"""Fixtures of all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from .chains import Bench

from bundler import cli

from .cli import Ran, Within

# The same examples in every run, so that a change is blamed for what it did; MBUNDLE_EXPLORE=1 looks for new ones. That
# a machine is busy is no fault of theirs.
settings.register_profile(
    "same",
    derandomize=not os.environ.get("MBUNDLE_EXPLORE"),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for browsers, servers and other processes gets a second try, and pytest says so ("R"): of 2,450 tests
    on two busy cores one or two lose a race, others each time. All else gets one try.
    """
    for item in items:
        if any(item.get_closest_marker(name) for name in ("browser", "slow")):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture
def within(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Within]:
    """The command line in this process: spares the start of Python where hundreds of cases are tried."""

    def attempt(folder: Path, *arguments: str) -> Ran:
        monkeypatch.chdir(folder)
        capfd.readouterr()
        return Ran(cli.run(arguments), *capfd.readouterr())

    handler = signal.getsignal(signal.SIGTERM)
    yield attempt
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A project with three models; `a` and `b` share their first layer."""
    from fixtures import models  # here: most tests need no onnx

    root = tmp_path / "app"
    (root / "models").mkdir(parents=True)
    model = models.mlp(width=64, layers=4)
    models.save(model, root / "models/a.onnx")
    model.graph.initializer[6].CopyFrom(models.tensor("w3", models.noise(99, 64, 64)))
    models.save(model, root / "models/b.onnx")
    models.save(models.conv_net(), root / "models/conv.onnx")
    return root


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Chains of loaders in a folder of the test's own."""
    from .chains import Bench  # here: most tests need no onnx

    return Bench(tmp_path)
