"""The contract of a loader as a test suite that its author runs:

    @pytest.mark.parametrize("rule", conformance(Halve(keep=("Softmax",))), ids=str)
    def test_conforms(rule): rule()

docs/loaders.md says what the rules are for. Nothing runs before a rule is called, and the rules of one call share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .rules import Trial

__all__ = ["Rule", "conformance"]


@dataclass(frozen=True)
class Rule:
    """One rule for one loader; calling it raises AssertionError, with what is wrong, where the loader breaks it."""

    name: str
    _trial: Trial
    _judge: Callable[[Trial], str]

    def __call__(self) -> None:
        wrong = self._judge(self._trial)
        if wrong:
            from .subject import name_of

            doc = (self._judge.__doc__ or "").splitlines()[0]
            raise AssertionError(f"{name_of(self._trial.subject)} breaks a rule of loaders: {doc}\n{wrong}")

    def __str__(self) -> str:
        return self.name


def conformance(
    loader: Any,
    *,
    others: Sequence[Any] = (),
    models: Mapping[str, Any] | None = None,
    cases: Sequence[str] = (),
    max_error: float | None = None,
    seconds: float = 300.0,
) -> list[Rule]:
    """The rules for `loader`, which is made (`Halve()`, not `Halve`), or a plain function as a config may hold one.

    others: the same loader with other options. models: your own, name -> path of an .onnx file or ModelProto, beside
    ours. cases: names of ours to try (`bundler.testing.cases.CASES`); empty: all. max_error: largest absolute
    difference to the source's outputs; without it a loader's own tolerances count, and a function may do what it likes
    short of nonsense. seconds: that one pass over the models may take. Raises TypeError for a class, ValueError for an
    unknown case.
    """
    from . import project, rules
    from .bench import Bench, chosen

    if isinstance(loader, type):
        raise TypeError(f"{loader.__name__} is a class: give a loader made from it, {loader.__name__}()")
    bench = Bench(loader, chosen(tuple(cases), models or {}), seconds)
    trial = rules.Trial(bench, loader, tuple(others), max_error)
    judges = (
        rules.declares,
        rules.travels,
        rules.runs,
        rules.acts,
        rules.keeps_the_source,
        rules.repeats_itself,
        rules.keeps_the_form,
        rules.agrees,
        project.is_cached_by_its_options,
        project.builds,
    )
    return [Rule(judge.__name__, trial, judge) for judge in judges]
