"""The goals of `python -m benchmarks.update`."""

from __future__ import annotations

import pytest

from benchmarks import update


@pytest.mark.slow
def test_an_update_costs_what_the_documentation_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert update.main() == 0, capsys.readouterr().out
