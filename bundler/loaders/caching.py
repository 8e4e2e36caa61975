"""The chain's cache: step inputs to keys, results to the store, every look-up to the history for `cache why`."""

from __future__ import annotations

import os

from ..cache import tools
from ..cache.explain import History
from ..cache.keys import Key, step_key
from ..cache.memo import Memo
from ..cache.steps import Steps
from ..graph.model import Model, Region
from .record import StepRecord
from .workshop import StepInput


class CachedSteps:
    """A StepCache for one chain. `entry`, `variant`: for the history only; they are not in the key."""

    def __init__(self, steps: Steps, memo: Memo, history: History, root: str, entry: str, variant: str) -> None:
        self._steps, self._memo, self._history = steps, memo, history
        self._root, self._entry, self._variant = root, entry, variant
        self._index = 0
        self._keyed: tuple[StepInput, Key] | None = None
        """The step that was looked up last: it is the one that is saved next."""

    def load(self, step: StepInput) -> tuple[Model, StepRecord] | None:
        key = self._key(step)
        found = self._steps.load(key, step.source)
        record = None if found is None else _parsed(found[1])
        self._history.note(
            self._entry, self._variant, self._index, step.spec.name, key, hit=found is not None and record is not None
        )
        self._index += 1
        return None if found is None or record is None else (found[0], record)

    def save(self, step: StepInput, result: Model, record: StepRecord) -> Model:
        return self._steps.save(self._key(step), result, record.as_json(), step.source)

    def _key(self, step: StepInput) -> Key:
        if self._keyed is None or self._keyed[0] is not step:
            self._keyed = (step, self._made(step))
        return self._keyed[1]

    def _made(self, step: StepInput) -> Key:
        return step_key(
            model=self._memo.graph(step.model),
            loader=step.spec.name,
            version=step.version,
            options=step.spec.options,
            code=step.spec.digest,
            tools=tools.versions(step.tools),
            files={os.path.relpath(path, self._root): self._digest(path) for path in step.files},
            context={**step.context, "source": self._memo.graph(step.source)},
        )

    def _digest(self, path: str) -> str:
        return self._memo.sha256(Region(os.path.realpath(path), 0, os.path.getsize(path)))


def _parsed(value: object) -> StepRecord | None:
    try:
        return StepRecord.from_json(value)  # type: ignore[arg-type]
    except TypeError:
        return None
