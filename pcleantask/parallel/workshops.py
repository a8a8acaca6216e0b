"""Which workshop images what in parallel, and with how many workers."""

from __future__ import annotations

import functools

from .. import casa
from ..config import PcleanConfig
from ..imaging.workshop import Workshop
from . import mpi_team
from .continuum import RowsWorkshop
from .cube import CubeWorkshop
from .environment import usable_cores
from .partition import NotSplittableError
from .team import dismiss_team_ahead, local_team
from .team_workshop import TeamMaker


def make_workshop(config: PcleanConfig) -> Workshop | None:
    """The workshop of a parallel run; None where the run is to be done in one process.

    In an MPI job every run is parallel that can be, whether that is asked for or not. What can't be split and stay
    exact is done in one process, and the log says so.
    """
    link = mpi_team.link()
    if link is None and not config.run.parallel:
        return None
    make_team: TeamMaker = local_team
    nworkers = config.run.nworkers or usable_cores()
    if link is not None:
        make_team = functools.partial(mpi_team.MpiTeam, link)
        nworkers = min(config.run.nworkers or link.size, link.size)
    kind = CubeWorkshop if config.fields[0].is_cube else RowsWorkshop
    try:
        return kind(config, make_team, nworkers)
    except NotSplittableError as reason:
        dismiss_team_ahead()
        casa.post(f"Imaged in one process: {reason}", "WARN")
        return None
