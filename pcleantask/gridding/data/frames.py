"""Frames of reference, by CASA's measures: frequencies in motion, and directions to which visibilities are rotated."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import casa
from ...errors import ParameterError
from ...images.coordinates import UNMOVED, ImageCoordinates
from ...measurementsets import observatory_position
from ...recordvalues import Record
from ..spectral.axis import OwnFrame, SpectralAxis, multiplied
from .casacore_memory import LONG_AGO_S, Moment, forget
from .directions import Direction, Rotation, image_centre

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

GRIDDING_FRAME = "LSRK"  # in which CASA grids whatever the frame of the image, cubedata apart
PROBE_HZ = 2.0**30  # a power of two, so that what it is multiplied with comes back to the last bit
# Frames through which frequencies go to the gridding frame (casacore's MCFrequency).
NEXT = {
    "TOPO": "GEO",
    "GEO": "BARY",
    "BARY": "LSRK",
    "LSRD": "BARY",
    "GALACTO": "LSRD",
    "LGROUP": "BARY",
    "CMB": "BARY",
}
# Frames of directions that stay; others are bodies', such as SUN, or turn with the Earth.
FIXED = (
    "J2000", "JMEAN", "JTRUE", "APP", "B1950", "B1950_VLA", "BMEAN", "BTRUE", "GALACTIC", "SUPERGAL", "ECLIPTIC",
    "MECLIPTIC", "TECLIPTIC", "ICRS",
)  # fmt: skip
NODE_S = 60.0  # Doppler factors are found this often and interpolated where integrations are shorter; 1e-16 off
FEW = 16  # integrations that are not worth it


def spectral_axis(coordinates: ImageCoordinates, pad: int = 0) -> SpectralAxis:
    """The channels of an image with this coordinate system, in the frame in which data are gridded.

    CASA converts an axis in another frame than LSRK at one time, that of the image's coordinates. It pads an axis by
    its reference pixel, which moves the unevenness of one of optical velocities along it
    (BriggsCubeWeightor::fillImgWeightCol; casacore's TabularCoordinate::toWorld).

    Parameters
    ----------
    coordinates : ImageCoordinates
    pad : int
        Channels beyond each end.

    Raises
    ------
    ParameterError
        The channels have no width.
    """
    with casa.tool("coordsys") as tool:
        tool.fromrecord(coordinates.record)
        axis = tool.findcoordinate("spectral")["world"][0]
        reference = tool.referencepixel()["numeric"]
        reference[axis] += pad
        tool.setreferencepixel(reference)
        place = np.repeat(reference[:, np.newaxis], coordinates.nchan + 2 * pad + 1, axis=1)
        place[axis] = np.arange(coordinates.nchan + 2 * pad + 1)
        frequency = tool.toworldmany(place)["numeric"][axis]
    system, back = coordinates.spectral_frame, []
    if coordinates.is_moving and system != GRIDDING_FRAME:
        forget()
        with casa.tool("measures") as measures:
            _do_frame(measures, coordinates.telescope_position, image_centre(coordinates, None))
            measures.doframe(coordinates.date)
            frequency = multiplied(frequency, _factors(measures, system))
            back = _factors_back(measures, system)
    if frequency[1] == frequency[0]:
        raise ParameterError(
            "engine='ducc' doesn't do the image's channel, which has no width, as CASA makes a single one of optical "
            "velocities; use veltype='radio', two channels, or engine='casa'"
        )
    linear = coordinates.linear_axis
    own = None if linear is None else OwnFrame(tuple(back), linear.crval, linear.cdelt, linear.crpix + pad)
    return SpectralAxis(frequency[:-1], float(frequency[1] - frequency[0]), own)


class Observation:
    """Where and at what a MeasurementSet's antennas looked, for conversions of its rows.

    Parameters
    ----------
    vis : str
        Path of the MeasurementSet.

    Raises
    ------
    ParameterError
        A field that is asked for moves, which only engine='casa' follows.
    """

    def __init__(self, vis: str) -> None:
        self.vis = vis
        self._position = observatory_position(vis)
        with casa.opened_table(f"{vis}/FIELD") as table:
            self._frames = _field_frames(table)
            self._moving = _moving(table, self._frames)
            self._directions = [table.getcell("PHASE_DIR", row)[:, 0] for row in range(table.nrows())]
        with casa.opened_table(vis) as table:
            self._clock = table.getcolkeyword("TIME", "MEASINFO")["Ref"]

    def direction(self, field: int) -> Direction:
        """The phase centre of a field."""
        if self._moving[field]:
            raise ParameterError(
                f"field {field} of {self.vis!r} moves; engine='ducc' can't follow it, engine='casa' can"
            )
        return Direction(self._frames[field], *map(float, self._directions[field]))

    def doppler_factors(self, field: int, times: Doubles, frame: str) -> Doubles:
        """By what frequencies measured at these times [s, as TIME has them] are multiplied, to be in LSRK.

        Parameters
        ----------
        field : int
        times : ndarray of float64, shape (time,)
        frame : str
            That of the measured frequencies.
        """
        if frame in (*UNMOVED, GRIDDING_FRAME):
            return np.ones(len(times))
        nodes = _nodes(times)
        with casa.tool("measures") as measures:
            _do_frame(measures, self._position, self.direction(field))
            found = np.array([self._factor_at(measures, time, frame) for time in nodes])
        if len(nodes) == len(times):
            return found
        return _cubic(nodes, found, times)

    def converted(self, frequency: Doubles, field: int, moments: Sequence[Moment], frame: str) -> Doubles:
        """Frequencies measured at some times, in LSRK and rounded as CASA rounds them.

        What casacore says depends in the last bits on the times that it was asked about before: it is made to remember
        what it does when tclean asks.

        Parameters
        ----------
        frequency : ndarray of float64, shape (chan,)
        field : int
        moments : sequence of Moment
        frame : str

        Returns
        -------
        ndarray of float64, shape (moment, chan)
        """
        found = np.empty((len(moments), len(frequency)))
        remembered = None
        for row in sorted(range(len(moments)), key=lambda row: (moments[row].coefficients, moments[row].rotation)):
            moment = moments[row]
            if remembered != (moment.coefficients, moment.rotation):
                remembered = moment.coefficients, moment.rotation
                self._remember(field, *remembered)
            with self._looking_at(field) as measures:
                measures.doframe(_epoch(self._clock, moment.time))
                found[row] = multiplied(frequency, _factors(measures, frame))
        return found

    def _remember(self, field: int, coefficients: float, rotation: float) -> None:
        """Have casacore remember what it worked out for these times, and nothing else near them."""
        forget()
        for time in (coefficients, LONG_AGO_S, rotation):
            with self._looking_at(field) as measures:
                measures.doframe(_epoch(self._clock, time))
                _factor(measures, "TOPO")

    @contextlib.contextmanager
    def _looking_at(self, field: int) -> Iterator[Any]:
        """A new measures tool, which has worked out nothing yet, with its frame set but for the time."""
        with casa.tool("measures") as measures:
            _do_frame(measures, self._position, self.direction(field))
            yield measures

    def _factor_at(self, measures: Any, time: float, frame: str) -> float:
        measures.doframe(_epoch(self._clock, time))
        return _factor(measures, frame)

    def rotation(self, field: int, time: float, centre: Direction) -> Rotation:
        """From a field's phase centre to an image's."""
        with self._at(field, time) as measures:
            return Rotation.between(self.direction(field), centre, measures)

    def direction_in(self, frame: str, field: int, time: float) -> Direction:
        """A field's phase centre in another frame."""
        with self._at(field, time) as measures:
            return self.direction(field).seen_in(frame, measures)

    @contextlib.contextmanager
    def _at(self, field: int, time: float) -> Iterator[Any]:
        """The measures tool with its frame set to a field and a time."""
        with self._looking_at(field) as measures:
            measures.doframe(_epoch(self._clock, time))
            yield measures


def moving_fields(vis: str) -> list[bool]:
    """Which fields of a MeasurementSet move: by a polynomial, an ephemeris, or in a frame that does."""
    with casa.opened_table(f"{vis}/FIELD") as table:
        return _moving(table, _field_frames(table))


def _moving(table: Any, frames: Sequence[str]) -> list[bool]:
    """Which fields move, by the table FIELD and the frames of its directions."""
    has_path = table.getcol("NUM_POLY") > 0
    if "EPHEMERIS_ID" in table.colnames():
        has_path |= table.getcol("EPHEMERIS_ID") >= 0
    return [bool(moves) or frame not in FIXED for moves, frame in zip(has_path, frames, strict=True)]


def _nodes(times: Doubles) -> Doubles:
    """Times at which Doppler factors are found: these, or evenly spaced ones around them where they are many."""
    first, last = float(times.min()), float(times.max())
    count = int(np.ceil((last - first) / NODE_S)) + 8
    if len(times) <= max(FEW, count):
        return times
    return np.linspace(first - 2 * NODE_S, last + 2 * NODE_S, count)


def _cubic(nodes: Doubles, values: Doubles, places: Doubles) -> Doubles:
    """Cubic interpolation between evenly spaced nodes, by the four around each place."""
    position = (places - nodes[0]) / (nodes[1] - nodes[0])
    first = np.clip(position.astype(int) - 1, 0, len(nodes) - 4)
    x = position - first
    middle = values[first + 1]  # differences from it keep the digits
    total = np.zeros(len(places))
    for number in range(4):
        others = [other for other in range(4) if other != number]
        factor = np.prod([(x - other) / (number - other) for other in others], axis=0)
        total += factor * (values[first + number] - middle)
    return middle + total


def _field_frames(table: Any) -> list[str]:
    """The frame of each field's phase centre: one for all, or a column of numbers."""
    info = table.getcolkeyword("PHASE_DIR", "MEASINFO")
    if "VarRefCol" not in info:
        return [str(info["Ref"])] * table.nrows()
    names = {int(code): str(name) for code, name in zip(info["TabRefCodes"], info["TabRefTypes"], strict=True)}
    return [names[int(code)] for code in table.getcol(info["VarRefCol"])]


def _epoch(frame: str, seconds: float) -> Record:
    """The measure of a time; casacore is to make days of it, as of the column TIME, for its rounding."""
    return {"type": "epoch", "refer": frame, "m0": {"value": float(seconds), "unit": "s"}}


def _do_frame(measures: Any, position: Record, direction: Direction) -> None:
    measures.doframe(position)
    measures.doframe(direction.measure)


def _factor(measures: Any, frame: str, to: str = GRIDDING_FRAME) -> float:
    """What a frequency in a frame is multiplied with to be in another, in the frame that is set."""
    probe = {"type": "frequency", "refer": frame, "m0": {"value": PROBE_HZ, "unit": "Hz"}}
    return float(measures.measure(probe, to)["m0"]["value"]) / PROBE_HZ


def _factors(measures: Any, frame: str) -> list[float]:
    """What a frequency is multiplied with, one by one, on its way from a frame to LSRK."""
    return [_factor(measures, *step) for step in itertools.pairwise(_way(frame))]


def _factors_back(measures: Any, frame: str) -> list[float]:
    """What a frequency is multiplied with, one by one, on its way from LSRK to a frame."""
    return [_factor(measures, *step) for step in itertools.pairwise(reversed(_way(frame)))]


def _way(frame: str) -> list[str]:
    """The frames from one to LSRK."""
    found = [frame]
    while found[-1] != GRIDDING_FRAME:
        found.append(NEXT[found[-1]])
    return found
