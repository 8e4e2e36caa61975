"""Isolated children: whatever a library does to its process, the build lives on and can say what happened."""

from .limits import Limits
from .program import Ended, run_program
from .task import cancel, run, scratch_folder, stop, warm

__all__ = ["Ended", "Limits", "cancel", "run", "run_program", "scratch_folder", "stop", "warm"]
