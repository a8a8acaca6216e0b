"""The processes that scripts/bench starts: their memory, and their end when they take too long."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

SAMPLE_S = 0.2
PAGE = os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def limited(group: int, limit_s: float) -> Iterator[None]:
    """Kill the process group when the block has taken longer than the limit."""
    timer = threading.Timer(limit_s, os.killpg, (group, signal.SIGKILL))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class MemoryWatch:
    """Watches, as a context, what a process and all that it has started hold in memory together.

    Pages that processes share count once for each of them. Samples miss a short peak.

    Parameters
    ----------
    root : int
        The process.

    Attributes
    ----------
    peak_mb : float
        The largest sum so far [MB].
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_mb = 0.0

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(SAMPLE_S):
            pages = sum(map(_resident_pages, tree(self._root)))
            self.peak_mb = max(self.peak_mb, pages * PAGE / 2**20)


def tree(root: int) -> list[int]:
    """The process and all below it, as far as their parents are alive."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            pid, _, state = path.read_text(encoding="utf-8", errors="replace").partition(" (")
            children.setdefault(int(state.rpartition(") ")[2].split()[1]), []).append(int(pid))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _resident_pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
