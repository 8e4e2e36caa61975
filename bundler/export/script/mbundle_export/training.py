"""The training of a student. Everything that decides the result is in `Progress`, which is saved while it goes on:
broken off and begun again, it gives the same weights."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from . import lesson, matching
from .request import Lesson, Pipe, Refused

FILE = "training.pt"
SHARE = 20
"""Of the time at most a twentieth is spent on saving."""
GAIN = 1e-4
"""What an epoch must bring in the metric to count as better."""
_WARM = 0.05
"""Share of the steps in which the learning rate rises."""


@dataclass
class Progress:
    """`epoch`, `step`: what comes next. `best`: the metric after the best epoch, whose number is `at`."""

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    best: float = float("-inf")
    at: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    done: bool = False


Judge = Callable[[], float]


class Training:
    def __init__(
        self, request: Lesson, teacher: Any, student: Any, names: Sequence[str], rows: lesson.Rows, order: Sequence[int]
    ) -> None:
        import torch

        self.request, self.teacher, self.student, self.rows = request, teacher, student, rows
        self._names, self._order, self._lengths = names, order, rows.lengths()
        self._optimizer = torch.optim.AdamW(
            [one for one in student.parameters() if one.requires_grad], lr=request["learning_rate"], weight_decay=0.0
        )
        self.progress = Progress()
        self._best: dict[str, Any] = {}
        self._saver = _Saver(os.path.join(request["state"], FILE))

    def run(self, judge: Judge, pipe: Pipe) -> None:
        """The student then has the weights of its best epoch. Refused "diverged"."""
        self._resume(pipe)
        progress, epochs = self.progress, self.request["epochs"]
        while progress.epoch < epochs and not progress.done:
            self._epoch(pipe)
            self._look(judge(), pipe)
        self._saver.save(self._state())
        self.student.load_state_dict(self._best)

    def _epoch(self, pipe: Pipe) -> None:
        progress, request = self.progress, self.request
        order = f"{request['seed']} {progress.epoch}"
        batches = lesson.batches(self._order, self._lengths, request["batch_size"], order)
        began, first, told = time.monotonic(), progress.step, 0.0
        for step in range(progress.step, len(batches)):
            value = self._learn(batches[step], progress.epoch * len(batches) + step, len(batches) * request["epochs"])
            progress.loss = value if step == 0 else 0.95 * progress.loss + 0.05 * value
            progress.step = step + 1
            now = time.monotonic()
            if now - told > 1:
                told = now
                left = (
                    (now - began)
                    / (step + 1 - first)
                    * (len(batches) * (request["epochs"] - progress.epoch) - step - 1)
                )
                where = f"epoch {progress.epoch + 1}/{request['epochs']}, step {step + 1}/{len(batches)}"
                pipe.say(progress=f"{where}, {_span(left)} left, loss {progress.loss:.4f}")
            self._saver.tick(self._state)

    def _learn(self, batch: Sequence[int], step: int, steps: int) -> float:
        import torch

        feeds = self.rows.feeds(batch)
        with torch.no_grad():
            theirs = matching.outputs_of(self.teacher, feeds)
        mine = matching.outputs_of(self.student, feeds, self._names)
        loss = matching.loss(mine, theirs, feeds)
        value = float(loss)
        if not value < float("inf"):
            raise Refused("diverged", f"the loss is {value} at step {step + 1}")
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = self.request["learning_rate"] * _rate(step, steps)
        self._optimizer.step()
        return value

    def _look(self, metric: float, pipe: Pipe) -> None:
        """After an epoch."""
        progress = self.progress
        progress.epoch, progress.step = progress.epoch + 1, 0
        progress.history.append({"loss": progress.loss, "metric": metric})
        if metric > progress.best + GAIN or not self._best:
            progress.best, progress.at = metric, progress.epoch
            self._best = {name: one.detach().clone() for name, one in self.student.state_dict().items()}
        progress.done = progress.epoch - progress.at >= self.request["patience"]
        pipe.say(
            line=f"epoch {progress.epoch}/{self.request['epochs']}: loss {progress.loss:.4f}, agreement {metric:.4f}"
        )
        self._saver.tick(self._state)

    def _state(self) -> dict[str, Any]:
        import torch

        return {
            "progress": asdict(self.progress),
            "student": self.student.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "best": self._best,
            "chance": torch.get_rng_state(),
        }

    def _resume(self, pipe: Pipe) -> None:
        import torch

        found = self._saver.load()
        if found is None:
            return
        self.progress = Progress(**found["progress"])
        self.student.load_state_dict(found["student"])
        self._optimizer.load_state_dict(found["optimizer"])
        self._best = found["best"]
        torch.set_rng_state(found["chance"])
        progress = self.progress
        if progress.epoch < self.request["epochs"] and not progress.done:
            pipe.say(line=f"goes on where it was broken off: epoch {progress.epoch + 1}, step {progress.step + 1}")


def _rate(step: int, steps: int) -> float:
    """Share of the learning rate: up from nothing, then down to nothing."""
    warm = max(1, round(steps * _WARM))
    return (step + 1) / warm if step < warm else (steps - step) / max(1, steps - warm)


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


class _Saver:
    """One file, replaced by a rename; as often as its cost allows."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._due = 0.0

    def tick(self, state: Callable[[], Any]) -> None:
        if time.monotonic() >= self._due:
            self.save(state())

    def save(self, state: Any) -> None:
        import torch

        began = time.monotonic()
        partial = f"{self._path}.{os.getpid()}"
        torch.save(state, partial)
        os.replace(partial, self._path)
        ended = time.monotonic()
        self._due = ended + SHARE * (ended - began)

    def load(self) -> Any:
        """None where there is none that can be read: what was killed while it wrote left the one before."""
        import torch

        try:
            return torch.load(self._path, weights_only=True)
        except FileNotFoundError:
            return None
        except Exception:  # of another version of ours, or damaged: it begins again
            return None
