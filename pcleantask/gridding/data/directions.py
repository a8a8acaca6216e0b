"""Directions on the sky, and how visibilities about one are rotated to be about another, by CASA's measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import casa
from ...images.coordinates import ImageCoordinates
from ...recordvalues import Record

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Direction:
    """A direction on the sky.

    Attributes
    ----------
    frame : str
        Such as 'J2000' or 'ICRS'.
    lon, lat : float
        [rad]
    """

    frame: str
    lon: float
    lat: float

    @classmethod
    def of_measure(cls, measure: Record) -> Direction:
        """The direction that CASA's measures tool gives."""
        return cls(str(measure["refer"]), float(measure["m0"]["value"]), float(measure["m1"]["value"]))

    @property
    def measure(self) -> Record:
        """CASA's measure of it."""
        angles = {name: {"value": angle, "unit": "rad"} for name, angle in (("m0", self.lon), ("m1", self.lat))}
        return {"type": "direction", "refer": self.frame, **angles}

    @property
    def cosines(self) -> Doubles:
        """Cartesian coordinates in its frame, shape (3,)."""
        east = np.cos(self.lat)
        return np.array([east * np.cos(self.lon), east * np.sin(self.lon), np.sin(self.lat)])

    @property
    def tangent_axes(self) -> Doubles:
        """Unit vectors to the east, to the north and along it, one a row, shape (3, 3)."""
        return _basis(self.cosines)

    def seen_in(self, frame: str, measures: Any) -> Direction:
        """The same direction in another frame, by the measures tool with its frame set."""
        return Direction.of_measure(measures.measure(self.measure, frame))


def image_centre(coordinates: ImageCoordinates, imsize: tuple[int, int] | None) -> Direction:
    """The direction at an image's centre pixel; with imsize=None the reference direction."""
    with casa.tool("coordsys") as tool:
        tool.fromrecord(coordinates.record)
        place = tool.referencepixel()["numeric"]
        if imsize is not None:
            place[:2] = imsize[0] // 2, imsize[1] // 2
        world = tool.toworld(place, "n")["numeric"][:2]
    lon, lat = (
        casa.radians(float(value), unit) for value, unit in zip(world, coordinates.direction_units, strict=True)
    )
    return Direction(coordinates.direction_frame, lon, lat)


@dataclass(frozen=True)
class Rotation:
    """From the coordinates of one phase centre to those of another.

    Attributes
    ----------
    matrix : ndarray of float64, shape (3, 3)
        uvw @ matrix is uvw about the new centre.
    phase : ndarray of float64, shape (3,)
        New uvw @ phase is the delay by which visibilities are shifted [m].
    """

    matrix: Doubles
    phase: Doubles

    @classmethod
    def between(cls, field: Direction, centre: Direction, measures: Any) -> Rotation:
        """How CASA rotates a field's uvw to an image's centre (casacore's UVWMachine, without reprojection).

        Parameters
        ----------
        field, centre : Direction
        measures
            The measures tool, with its frame set.
        """
        end, converted = centre.cosines, field.seen_in(centre.frame, measures).cosines
        # The axes of the field's frame as they are in the image's.
        poles = (Direction(field.frame, *angles) for angles in ((0.0, 0.0), (np.pi / 2, 0.0), (0.0, np.pi / 2)))
        axes = np.array([pole.seen_in(centre.frame, measures).cosines for pole in poles])
        old, new = field.tangent_axes @ axes, centre.tangent_axes
        same = np.array_equal(converted, end)
        return cls(np.eye(3) if same else old @ new.T, np.zeros(3) if same else new @ (end - converted))

    @property
    def is_nothing(self) -> bool:
        return bool(np.abs(self.phase).max() == 0 and np.abs(self.matrix - np.eye(3)).max() < 1e-15)


def _basis(pole: Doubles) -> Doubles:
    """Unit vectors to the east, to the north and along the pole, one a row."""
    lon, lat = np.arctan2(pole[1], pole[0]), np.arcsin(pole[2])
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    return np.array([east, north, pole])
