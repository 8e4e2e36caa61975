"""Isolated children: whatever a library does to its process, the build lives on and can say what happened."""

from .limits import Limits
from .task import cancel, run, scratch_folder, stop, warm

__all__ = ["Limits", "cancel", "run", "scratch_folder", "stop", "warm"]
