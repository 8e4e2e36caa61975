"""The process: runs the command line and turns every outcome into an exit status.

0 ok · 1 build failed · 2 usage or config · 3 a bug of ours · 4 budget · 130 interrupted.
"""

from __future__ import annotations

import sys


def main() -> None:
    try:
        from .cli import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:  # before `run` could take it over
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
