"""How many workers a call asks for, before its parameters are checked; nothing heavy is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..cores import usable_cores
from ..engines import asked_engine, default_engine
from ..errors import ParameterError
from ..processes import mpi_team
from ..traits import DUCC, ENGINES

THREADS = 4  # workers up to which engine='ducc' is quicker, and takes less memory, with as many threads of one process
VARIABLE = "PCLEAN_NWORKERS"  # of the environment: as `parallel_by_default`
_asked_for: list[int] = []  # what `parallel_by_default` was told last


def parallel_by_default(nworkers: int) -> None:
    """From now on, image in parallel in this process, whatever a call's `parallel` says.

    Parameters
    ----------
    nworkers : int
        Workers of a call that names no number itself; 0 is one per core that this process may use.
    """
    _asked_for[:] = [nworkers]


def default_workers() -> tuple[int | None, str]:
    """How many workers calls have that name no number, 0 for one per core, and who says so; (None, '') if nobody does.

    Raises
    ------
    ParameterError
        The environment's value is no such number.
    """
    if _asked_for:
        return _asked_for[0], "pclean run --nworkers"
    named = os.environ.get(VARIABLE, "").strip()
    if not named:
        return None, ""
    if not named.isdecimal():
        raise ParameterError(f"{VARIABLE}={named!r} in the environment is no number of workers; 0 is one per core")
    return int(named), VARIABLE


def is_parallel(parallel: bool) -> bool:
    """Whether a call with that `parallel` is to be parallel."""
    return parallel or default_workers()[0] is not None


def asked_workers(nworkers: int) -> int:
    """How many workers a call with that `nworkers` is to have; 0 where nobody has said a number."""
    return nworkers or default_workers()[0] or 0


def with_defaults(parameters: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A call's parameters with what the command or the environment says where it names nothing itself.

    Returns
    -------
    dict
    list of str
        What has been taken, and from whom, in the user's words.
    """
    taken = dict(parameters)
    engine, teller = default_engine()
    told = [f"engine={engine!r}, as {teller} says"] if engine and not taken["engine"] else []
    taken["engine"] = asked_engine(taken["engine"])
    workers, teller = default_workers()
    if workers is not None:
        if not (taken["parallel"] and taken["nworkers"]):
            told.append(f"parallel=True, nworkers={taken['nworkers'] or workers}, as {teller} says")
        taken |= {"parallel": True, "nworkers": taken["nworkers"] or workers}
    return taken, told


def workers_ahead(document: Mapping[str, Any]) -> int:
    """How many workers on this machine these parameters, not yet checked, will ask for; 0 where none or unknown.

    So many are started while this process loads CASA, without which nothing can be checked.
    """
    nworkers, nchan = document["nworkers"], document["nchan"]
    if not is_parallel(document["parallel"] is True) or not isinstance(nworkers, int) or mpi_team.link() is not None:
        return 0
    workers = asked_workers(nworkers) or usable_cores()
    if are_threads_enough(asked_engine(str(document["engine"])), workers):
        return 0
    if workers > 2 * usable_cores():  # more than can be of use, or a slip that a check will find
        return 0
    is_known = str(document["specmode"]).startswith("cube") and isinstance(nchan, int) and nchan > 0
    return max(0, min(workers, nchan) if is_known else workers)


def are_threads_enough(engine: str, workers: int) -> bool:
    """Whether so many workers on this machine are better threads of this process; 'auto' mostly becomes 'ducc'."""
    return ENGINES.get(engine, ENGINES[DUCC]).is_threaded and workers <= THREADS
