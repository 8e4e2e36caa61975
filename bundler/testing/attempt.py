"""One pass over the cases in a process of its own.

It ends between two cases when the loader ends it; the parent reads from the replies how far it came.
"""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import InputError, MbundleError
from ..graph.model import Model
from ..loaders.base import Context, Skip
from ..loaders.step import checked
from ..loaders.verify.baseline import Baseline
from .subject import name_of, step_of

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass(frozen=True, slots=True)
class Request:
    """`subject`: pickled, so that what cannot be read here is told as such. `cases` are tried in their order."""

    subject: bytes
    cases: Mapping[str, tuple[Model, Baseline]]
    scratch: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`skipped`: the reason, None: not skipped. `failed`: what went wrong, ""."""

    model: Model | None = None
    skipped: str | None = None
    failed: str = ""
    log: tuple[str, ...] = ()


BEGUN = Outcome(failed="begun")
"""Stands in the replies while a case runs."""


def attempt(subject: Any, name: str, model: Model, baseline: Baseline, scratch: str) -> Outcome:
    """Applies it once, as a build does."""
    log: list[str] = []
    context = Context(scratch, "production", os.path.dirname(scratch), name, log=log.append)
    if getattr(subject, "wants_samples", False):
        context = replace(context, samples=baseline)
    try:
        result = checked(step_of(subject)(model, context), name_of(subject), name)
    except Skip as skip:
        return Outcome(model, skipped=str(skip), log=tuple(log))
    except MbundleError as error:
        kind = "its result cannot be used: " if isinstance(error, InputError) else ""
        first = error.problems[0]
        return Outcome(failed=f"{kind}{first.what}. {first.fix or ''}".strip())
    except Exception as error:
        return Outcome(failed=f"it raises {type(error).__name__}: {error}{_where(error)}")
    return Outcome(result, log=tuple(log))


def _where(error: BaseException) -> str:
    """The last line of the loader's own code on the way to the error."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(HERE)]
    return f" ({os.path.basename(own[-1].filename)}, line {own[-1].lineno})" if own else ""


def main(request_path: str, replies_path: str) -> None:
    """Appends (case, Outcome) twice a case: when it begins and when it is over."""
    with open(request_path, "rb") as file:
        request: Request = pickle.load(file)
    subject = pickle.loads(request.subject)
    with open(replies_path, "wb", buffering=0) as replies:
        for name, (model, baseline) in request.cases.items():
            replies.write(pickle.dumps((name, BEGUN)))
            scratch = os.path.join(request.scratch, name)
            os.makedirs(scratch)
            replies.write(pickle.dumps((name, attempt(subject, name, model, baseline, scratch))))
