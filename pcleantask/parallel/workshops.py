"""Which workshop images what in parallel, and with how many workers."""

from __future__ import annotations

from ..config import PcleanConfig
from ..imaging.workshop import Workshop
from .continuum import RowsWorkshop
from .cube import CubeWorkshop
from .environment import usable_cores
from .team import LocalTeam


def make_workshop(config: PcleanConfig) -> Workshop:
    """The workshop of a parallel run.

    Raises
    ------
    ParameterError
        The run can't be split and stay exact; the message names the serial way.
    """
    nworkers = config.run.nworkers or usable_cores()
    kind = CubeWorkshop if config.fields[0].is_cube else RowsWorkshop
    return kind(config, LocalTeam, nworkers)
