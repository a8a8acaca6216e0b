"""Which rows of a mosaic's data look where, and with which dishes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import casa
from .directions import Direction
from .frames import Observation
from .reading import Target, selected_rows
from .selection import DataSet, Pointing

BY_DISH = frozenset({"ALMA", "ACA"})  # telescopes whose dishes have beams of their own
DIGITS = 11  # of direction cosines by which directions are told apart: 2e-6 arcsec


def pieces_of(source: DataSet, target: Target, observation: Observation) -> Iterable[DataSet]:
    """The data set; of a mosaic a piece for each field and, where these have beams of their own, pair of dishes.

    The antennas look at the field's phase centre, as with usepointing=False.

    Parameters
    ----------
    source : DataSet
    target : Target
        What the data are for.
    observation : Observation
        Of the data's MeasurementSet.
    """
    return _by_pointing(source, observation, target.centre) if target.joins_pointings else [source]


def _by_pointing(source: DataSet, observation: Observation, centre: Direction) -> Iterator[DataSet]:
    with selected_rows(source) as table:
        fields, when = table.getcol("FIELD_ID"), float(table.getcell("TIME", 0))
        antennas = np.stack([table.getcol("ANTENNA1"), table.getcol("ANTENNA2")])
    with casa.opened_table(f"{source.vis}/ANTENNA") as table:
        diameters = table.getcol("DISH_DIAMETER")
    with casa.opened_table(f"{source.vis}/OBSERVATION") as table:
        telescope = str(table.getcell("TELESCOPE_NAME", 0))
    if telescope not in BY_DISH:
        diameters[...] = diameters.max()
    dishes, numbers = np.unique(np.sort(diameters[antennas], axis=0), axis=1, return_inverse=True)
    for field in np.unique(fields).tolist():
        cosines = observation.direction_in(centre.frame, field, when).cosines
        for number, pair in enumerate(dishes.T.tolist()):
            own = (fields == field) & (numbers.ravel() == number)
            if own.any():
                looks = Pointing(_rounded(cosines), telescope, (pair[0], pair[1]))
                yield dataclasses.replace(source, rows=source.rows[own], field=field, pointing=looks)


def _rounded(cosines: NDArray[Any]) -> tuple[float, float, float]:
    x, y, z = np.round(cosines, DIGITS).tolist()
    return x, y, z
