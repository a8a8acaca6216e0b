"""How many workers a call asks for, before its parameters are checked; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..cores import usable_cores
from ..processes import mpi_team
from ..traits import DUCC, ENGINES

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


def workers_ahead(document: Mapping[str, Any]) -> int:
    """How many workers on this machine these parameters, not yet checked, will ask for; 0 where none or unknown.

    So many are started while this process loads CASA, without which nothing can be checked.
    """
    nworkers, nchan = document["nworkers"], document["nchan"]
    if not is_parallel(document["parallel"] is True) or not isinstance(nworkers, int) or mpi_team.link() is not None:
        return 0
    workers = asked_workers(nworkers) or usable_cores()
    if are_threads_enough(str(document["engine"]), workers):
        return 0
    if workers > 2 * usable_cores():  # more than can be of use, or a slip that a check will find
        return 0
    is_known = str(document["specmode"]).startswith("cube") and isinstance(nchan, int) and nchan > 0
    return max(0, min(workers, nchan) if is_known else workers)


def are_threads_enough(engine: str, workers: int) -> bool:
    """Whether so many workers on this machine are better threads of this process; 'auto' mostly becomes 'ducc'."""
    return ENGINES.get(engine, ENGINES[DUCC]).is_threaded and workers <= THREADS
