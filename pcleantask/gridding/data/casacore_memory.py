"""What casacore remembers of the times that it was asked about: the last bits of its frequencies depend on it.

Coefficients of aberration and nutation are kept for the process, and serve times near those for which they were worked
out, the first that is near enough (casacore's MeasTableMul::getArray); so is the earth's rotation, but of one time
(MeasTable::dUT1). Channels of cubes begin where data are at one time, so that these bits decide what is imaged there.
Here what tclean asks, in a process of its own, is gone through beforehand.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ... import casa
from .selection import DataSet

COEFFICIENTS_S = 1e-6 * 36525 * 86400  # how near coefficients serve, 1e-6 Julian centuries
ROTATION_S = 0.04 * 86400  # and the earth's rotation, and what an object of casacore keeps for itself
KEPT = 32  # sets of coefficients; the one that was longest not used goes first
LONG_AGO_S = 42000 * 86400.0  # of which there are no data


class Visit(NamedTuple):
    """When rows were measured.

    Attributes
    ----------
    vis : str
    description : int
        DATA_DESC_ID.
    field : int
    time : float
        [s]
    """

    vis: str
    description: int
    field: int
    time: float


@dataclass(frozen=True)
class Moment:
    """A time, and the times for which what is used at it was worked out [s]."""

    time: float
    coefficients: float
    rotation: float


class Memory:
    """What casacore remembers, from when it knows nothing."""

    def __init__(self) -> None:
        self._coefficients: list[float] = []
        self._used: list[int] = []
        self._rotation = float("-inf")
        self._asked = 0

    def ask(self, time: float) -> Moment:
        """What it works with at a time that it is asked about now."""
        self._asked += 1
        if abs(time - self._rotation) > ROTATION_S:
            self._rotation = time
        place = next((n for n, kept in enumerate(self._coefficients) if abs(time - kept) <= COEFFICIENTS_S), None)
        if place is None:
            place = self._room()
            self._coefficients[place] = time
        self._used[place] = self._asked
        return Moment(time, self._coefficients[place], self._rotation)

    def _room(self) -> int:
        """The place of a new set of coefficients."""
        if len(self._used) < KEPT:
            self._coefficients.append(0.0)
            self._used.append(0)
            return len(self._used) - 1
        return self._used.index(min(self._used))


def forget() -> None:
    """Have casacore forget what it worked out for the times that it was asked about, as in a new process.

    It keeps what it was asked about last, which is long ago then.
    """
    with casa.tool("measures") as measures:
        measures.doframe(measures.position("ITRF", "0deg", "30deg", "6400km"))
        measures.doframe(measures.direction("J2000", "0deg", "0deg"))
        frequency = measures.frequency("TOPO", "1GHz")
        for number in range(KEPT + 1):
            measures.doframe(measures.epoch("UTC", f"{LONG_AGO_S + 86400 * number}s"))
            measures.measure(frequency, "LSRK")


class History:
    """What is remembered when the data of a run are gone through.

    Parameters
    ----------
    sources : sequence of DataSet
        All of the run, in the order in which they are selected.
    """

    def __init__(self, sources: Sequence[DataSet]) -> None:
        self._sources = sources

    def moments(self, source: DataSet, field: int, times: NDArray[np.float64]) -> list[Moment]:
        """The moments that casacore takes for some times [s] at which a field was measured."""
        return [self._all[Visit(source.vis, source.description, field, time)] for time in times.tolist()]

    @functools.cached_property
    def _all(self) -> dict[Visit, Moment]:
        return moments([visit for source in self._sources for visit in _visits(source)])


def _visits(source: DataSet) -> Iterator[Visit]:
    with casa.opened_table(source.vis) as table:
        times, fields = table.getcol("TIME")[source.rows], table.getcol("FIELD_ID")[source.rows]
    for field in np.unique(fields).tolist():
        for time in np.unique(times[fields == field]).tolist():
            yield Visit(source.vis, source.description, field, time)


def moments(visits: Sequence[Visit]) -> dict[Visit, Moment]:
    """What tclean's passes over the data meet.

    First it looks for the range of frequencies of each spectral window, with objects that keep what they have worked
    out (MSUtil::getFreqRangeInSpw in CASA's MSVis/MSUtil.cc), then it goes over the data in the order of the
    iterator, each time with new ones (VisibilityIteratorImpl2::getFrequencies); the second such pass is like all later.

    Parameters
    ----------
    visits : sequence of Visit
        Each once, MeasurementSet by MeasurementSet as they are imaged, in any order within one.
    """
    memory = Memory()
    number = {vis: place for place, vis in enumerate(dict.fromkeys(visit.vis for visit in visits))}
    for time in _far_apart(sorted(visits, key=lambda visit: (number[visit.vis], visit.description, visit.time))):
        memory.ask(time)
    in_order = sorted(visits, key=lambda visit: (number[visit.vis], visit.field, visit.description, visit.time))
    for visit in in_order:
        memory.ask(visit.time)
    return {visit: memory.ask(visit.time) for visit in in_order}


def _far_apart(visits: Iterable[Visit]) -> Iterator[float]:
    """The times, window by window, at which an object has to work out what it keeps."""
    window, last = None, float("-inf")
    for visit in visits:
        if (visit.vis, visit.description) != window or visit.time - last > ROTATION_S:
            window, last = (visit.vis, visit.description), visit.time
            yield last
