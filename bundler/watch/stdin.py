"""For programs that start mbundle: it ends when they do, also when they are killed, for its stdin closes then."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable


def at_end(call: Callable[[], None]) -> None:
    """Calls `call` in a thread of its own when stdin is closed; what comes before is thrown away."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        call()

    threading.Thread(target=wait, name="stdin", daemon=True).start()
