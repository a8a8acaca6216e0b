"""A lifeline ties a child process to its parent: a pipe whose other end only the parent holds."""

from __future__ import annotations

import os
import threading

from ..ownprocess import end_process

ORPHANED = 3  # exit status of a process whose parent is gone


def watch(lifeline: int) -> None:
    """End this process, whatever it is at, when the other end of the lifeline is closed.

    A thread waits for that; casatools lets threads run while it computes.
    """
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()


def _end_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)
    end_process(ORPHANED)
