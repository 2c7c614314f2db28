"""What a process that holds keys asks of the operating system: no core dump, no debugger of the same user."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["forbid_core_dumps"]

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """Set the core limit to 0 for this process and its children and, on Linux, mark it as not dumpable.

    Not dumpable (prctl(2)): nothing is handed to a core-dump handler either, which a limit of 0 alone does not
    stop (core(5)), and other processes of the same user can neither attach to this one nor read its memory.
    """
    if os.name != "posix":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
