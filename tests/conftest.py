"""Fixtures of all tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler import cli

from .cli import Ran, Within


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
