"""The kinds of runs on a team."""

from __future__ import annotations

import functools

from .. import casa
from ..config import PcleanConfig
from ..imaging.run import Run
from ..processes import mpi_team
from ..processes.team import dismiss_team_ahead, local_team
from .cube.run import CubeRun
from .plan import CUBE, ROWS, SERIAL, Plan
from .rows.run import RowsRun
from .team_run import TeamMaker, TeamRun

TEAM_RUNS: dict[str, type[TeamRun]] = {CUBE: CubeRun, ROWS: RowsRun}


def make_run(config: PcleanConfig, plan: Plan) -> Run | None:
    """The run on a team that is planned; None where one process does it all, and the log says why."""
    if plan.kind == SERIAL:
        dismiss_team_ahead()
        if plan.reason:
            casa.post(plan.reason, "WARN" if plan.is_exception else "INFO")
        return None
    link = mpi_team.link()
    make_team: TeamMaker = local_team if link is None else functools.partial(mpi_team.MpiTeam, link)
    return TEAM_RUNS[plan.kind](config, plan, make_team)
