"""Where in the user's code a declaration was made.

A Site keeps the code object and the instruction, not the frame: nothing of the user's stays alive, and since
Python 3.11 those two give the exact span of the call, also when several stand on one line or in a loop.
"""

from __future__ import annotations

import os
import sys
from itertools import islice
from types import CodeType

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Site:
    __slots__ = ("_code", "_instruction", "line")

    def __init__(self, code: CodeType, instruction: int, line: int) -> None:
        self._code = code
        self._instruction = instruction
        self.line = line

    @classmethod
    def of_caller(cls) -> Site:
        """The innermost call on the stack that is not in this package."""
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
            frame = frame.f_back
        return cls(frame.f_code, frame.f_lasti, frame.f_lineno)

    @property
    def file(self) -> str:
        return self._code.co_filename

    @property
    def span(self) -> tuple[int | None, int | None, int | None, int | None]:
        """(first line, last line, first column, end column), columns in UTF-8 bytes as `ast` counts them."""
        return next(islice(self._code.co_positions(), self._instruction // 2, None), (None, None, None, None))

    @property
    def place(self) -> tuple[str, int, int, int, int] | None:
        """The file and the span; None when Python does not know it."""
        first, last, start, end = self.span
        if first is None or last is None or start is None or end is None:
            return None
        return self.file, first, last, start, end
