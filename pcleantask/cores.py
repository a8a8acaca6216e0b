"""How many cores and threads this process may use."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar


def cores_of_this_process() -> set[int]:
    """The cores that this process may use."""
    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(cores_of_this_process())


_limit: ContextVar[int] = ContextVar("_limit", default=0)  # of the block of `limited_threads`


@contextlib.contextmanager
def limited_threads(number: int) -> Iterator[None]:
    """A block in which this process computes with so many threads; 0: with as many as it does anyway."""
    token = _limit.set(number or _limit.get())
    try:
        yield
    finally:
        _limit.reset(token)


def usable_threads() -> int:
    """Threads to compute with: what `limited_threads` or OMP_NUM_THREADS says, or one for each core."""
    if _limit.get():
        return _limit.get()
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdecimal() and int(wanted) > 0 else usable_cores()


def fair_share(size: int) -> tuple[int, float]:
    """Threads, and the share of the free memory, of each of so many processes that share this one's cores."""
    return max(1, usable_cores() // size), 1 / size


MEMORY = "PCLEANTASK_MEMORY_SHARE"  # the variable that tells a worker which part of the free memory is its own


def memory_share() -> float:
    """The part of the machine's free memory that this process may take: less than 1 for one of a team."""
    return float(os.environ.get(MEMORY, "1"))
