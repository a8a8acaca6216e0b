"""The plan of a run: who does it, in one process or on a team, with how many threads and how much memory each."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import PcleanConfig
from ..cores import fair_share, usable_cores
from ..processes import mpi_team
from .asked import are_threads_enough, asked_workers, is_parallel
from .splitting import why_not_split

SERIAL, CUBE, ROWS = "serial", "cube", "rows"


@dataclass(frozen=True)
class Plan:
    """Who does a run, with how much; made once, before anything is opened.

    Attributes
    ----------
    kind : str
        SERIAL: one process does it all. CUBE: workers image slabs of channels. ROWS: workers grid a continuum image's
        rows.
    workers : int
        Worker processes at most; 0 for SERIAL.
    is_asked_for : bool
        Whether somebody has asked for that number, so that it isn't lowered where fewer are as quick.
    threads : int
        Threads of each process; 0 where it takes what its environment gives it, as the ranks of an MPI job do.
    memory : float
        The share of the machine's free memory that each may take; 0 where its environment says.
    reason : str
        Why a run that was to be parallel is done in one process.
    is_exception : bool
        Whether the user is warned of that reason.
    """

    kind: str = SERIAL
    workers: int = 0
    is_asked_for: bool = False
    threads: int = 0
    memory: float = 1.0
    reason: str = ""
    is_exception: bool = False

    @classmethod
    def of(cls, config: PcleanConfig) -> Plan:
        """The plan of a run.

        In an MPI job, and after `parallel_by_default`, every run is parallel that can be, whether that is asked for or
        not. What can't be split and stay exact is done in one process, as is engine='ducc' on few cores.
        """
        link, run = mpi_team.link(), config.run
        if link is None and not is_parallel(run.parallel):
            return cls()
        asked = asked_workers(run.nworkers)
        workers = asked or usable_cores()
        if link is not None:
            workers = min(asked or link.size, link.size)
        elif are_threads_enough(config.engine, workers):
            reason = f"Imaged in this process on {workers} threads, which is quicker than on so many workers"
            return cls(threads=workers, reason=reason)
        reason = why_not_split(config)
        if reason:
            return cls(reason=f"Imaged in one process: {reason}", is_exception=True)
        kind = CUBE if config.fields[0].is_cube else ROWS
        threads, memory = fair_share(workers) if link is None else (0, 0.0)
        return cls(kind, workers, bool(asked), threads, memory)
