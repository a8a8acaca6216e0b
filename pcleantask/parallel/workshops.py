"""The workshop of a run, by its plan."""

from __future__ import annotations

import functools

from .. import casa
from ..config import PcleanConfig
from ..imaging.workshop import Workshop
from ..processes import mpi_team
from ..processes.team import dismiss_team_ahead, local_team
from .cube.workshop import CubeWorkshop
from .plan import CUBE, ROWS, SERIAL, Plan
from .rows.workshop import RowsWorkshop
from .team_workshop import TeamMaker, TeamWorkshop

TEAM_WORKSHOPS: dict[str, type[TeamWorkshop]] = {CUBE: CubeWorkshop, ROWS: RowsWorkshop}


def make_workshop(config: PcleanConfig, plan: Plan) -> Workshop | None:
    """The workshop of a parallel run; None where the run is done in one process, and the log says why."""
    if plan.kind == SERIAL:
        dismiss_team_ahead()
        if plan.reason:
            casa.post(plan.reason, "WARN" if plan.is_exception else "INFO")
        return None
    link = mpi_team.link()
    make_team: TeamMaker = local_team if link is None else functools.partial(mpi_team.MpiTeam, link)
    return TEAM_WORKSHOPS[plan.kind](config, plan, make_team)
