"""Whether and on how many workers a run is parallel where its call leaves that open, or threads do as well."""

from __future__ import annotations

from ..traits import CASA

THREADS = 4  # workers up to which engine='ducc' is quicker, and takes less memory, with as many threads of one process
_asked_for: list[int] = []  # what `parallel_by_default` was told last


def parallel_by_default(nworkers: int) -> None:
    """From now on, image in parallel in this process, whatever a call's `parallel` says.

    Parameters
    ----------
    nworkers : int
        Workers of a call that names no number itself; 0 is one per core that this process may use.
    """
    _asked_for[:] = [nworkers]


def is_parallel(parallel: bool) -> bool:
    """Whether a call with that `parallel` is to be parallel."""
    return parallel or bool(_asked_for)


def asked_workers(nworkers: int) -> int:
    """How many workers a call with that `nworkers` is to have; 0 where nobody has said a number."""
    return nworkers or sum(_asked_for)


def are_threads_enough(engine: str, nworkers: int) -> bool:
    """Whether so many workers on this machine are better threads of this process; 'auto' mostly becomes 'ducc'."""
    return engine != CASA and nworkers <= THREADS
