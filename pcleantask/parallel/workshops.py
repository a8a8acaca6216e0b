"""Which workshop images what in parallel, and with how many workers."""

from __future__ import annotations

import functools

from .. import casa
from ..config import PcleanConfig
from ..cores import usable_cores
from ..imaging.workshop import Workshop
from ..processes import mpi_team
from ..processes.team import dismiss_team_ahead, local_team
from .cube.workshop import CubeWorkshop
from .defaults import are_threads_enough, asked_workers, is_parallel
from .partition import NotSplittableError, refuse_to_split
from .rows.workshop import RowsWorkshop
from .team_workshop import TeamMaker


def threads_instead(config: PcleanConfig) -> int:
    """How many threads of this process do a parallel run better than as many workers; 0 where a team does it."""
    if mpi_team.link() is not None or not is_parallel(config.run.parallel):
        return 0
    nworkers = asked_workers(config.run.nworkers) or usable_cores()
    return nworkers if are_threads_enough(config.engine, nworkers) else 0


def make_workshop(config: PcleanConfig) -> Workshop | None:
    """The workshop of a parallel run; None where the run is to be done in one process.

    In an MPI job, and after `parallel_by_default`, every run is parallel that can be, whether that is asked for or not.
    What can't be split and stay exact is done in one process, and the log says so, as is engine='ducc' on few cores.
    """
    link = mpi_team.link()
    if link is None and not is_parallel(config.run.parallel):
        return None
    threads = threads_instead(config)
    if threads:
        dismiss_team_ahead()
        casa.post(f"Imaged in this process on {threads} threads, which is quicker than on so many workers")
        return None
    asked_for = asked_workers(config.run.nworkers)
    make_team: TeamMaker = local_team
    nworkers = asked_for or usable_cores()
    if link is not None:
        make_team = functools.partial(mpi_team.MpiTeam, link)
        nworkers = min(asked_for or link.size, link.size)
    kind = CubeWorkshop if config.fields[0].is_cube else RowsWorkshop
    try:
        refuse_to_split({"specmode='mvc' needs the whole cube between its cycles": config.fields[0].specmode == "mvc"})
        return kind(config, make_team, nworkers)
    except NotSplittableError as reason:
        dismiss_team_ahead()
        casa.post(f"Imaged in one process: {reason}", "WARN")
        return None
