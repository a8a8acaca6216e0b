"""Where the pixels of an image are: the only place that knows the keys of CASA's coordinate systems."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import casa
from ..recordvalues import Record

GRID = ("crval", "crpix", "cdelt", "pc")  # what places an axis
OBSERVATION = ("telescope", "observer", "obsdate", "telescopeposition")  # what is told of it
UNMOVED = ("Undefined", "REST")  # spectral frames in which frequencies are taken as they are


@dataclass(frozen=True)
class LinearAxis:
    """An evenly spaced spectral axis.

    Attributes
    ----------
    crval, cdelt : float
        Frequency at the reference pixel, and from channel to channel [Hz].
    crpix : float
        The reference pixel; channels are counted from 0.
    """

    crval: float
    cdelt: float
    crpix: float

    def at(self, channel: float) -> float:
        """The frequency of a channel [Hz]."""
        return self.crval + (channel - self.crpix) * self.cdelt


@dataclass(frozen=True)
class ImageCoordinates:
    """The coordinate system of an image with so many channels.

    Attributes
    ----------
    record : dict
        CASA's, as `synthesisimager.getcsys` or an image's `coordsys` gives it, for CASA's tools.
    nchan : int
        Number of channels.
    """

    record: Record
    nchan: int

    @functools.cached_property
    def stokes(self) -> tuple[str, ...]:
        """The polarisations, one a plane."""
        return tuple(self._part("stokes")["stokes"])

    @functools.cached_property
    def cell(self) -> tuple[float, float]:
        """Signed pixel sizes (dx, dy) [rad]; dx < 0 where x grows westwards."""
        return self._radians("cdelt")

    @property
    def direction_frame(self) -> str:
        """Such as 'J2000'."""
        return str(self._part("direction")["system"])

    @functools.cached_property
    def reference_direction(self) -> tuple[float, float]:
        """Longitude and latitude at the reference pixel [rad]."""
        return self._radians("crval")

    @property
    def direction_units(self) -> tuple[str, str]:
        """The units in which CASA's tools give longitudes and latitudes."""
        lon, lat = map(str, self._part("direction")["units"])
        return lon, lat

    @property
    def spectral_frame(self) -> str:
        """Such as 'LSRK'."""
        return str(self._part("spectral")["system"])

    @property
    def is_moving(self) -> bool:
        """Whether frequencies of data are converted at all."""
        return self.spectral_frame not in UNMOVED

    @property
    def linear_axis(self) -> LinearAxis | None:
        """The spectral axis; None where channels are evenly spaced in optical velocity: CASA has a table of them."""
        axis = self._part("spectral").get("wcs")
        return None if axis is None else LinearAxis(*(float(axis[name]) for name in ("crval", "cdelt", "crpix")))

    @property
    def reference_frequency(self) -> float:
        """The frequency at the reference pixel [Hz]."""
        spectral = self._part("spectral")
        return float(spectral["wcs"]["crval"] if "wcs" in spectral else spectral["tabular"]["crval"][0])

    @property
    def telescope(self) -> str:
        return str(self.record.get("telescope", ""))

    @property
    def telescope_position(self) -> Record:
        """CASA's measure of it."""
        return dict(self.record["telescopeposition"])

    @property
    def date(self) -> Record:
        """CASA's measure of when the image was observed, at which its spectral frame is converted."""
        return dict(self.record["obsdate"])

    def from_channel(self, first: int, nchan: int) -> ImageCoordinates:
        """The coordinates of some channels; their frequencies stay the same to the last bit."""
        record = copy.deepcopy(self.record)
        record[self._key("spectral")]["wcs"]["crpix"] -= first
        return ImageCoordinates(record, nchan)

    def of_plane(
        self,
        direction: tuple[float, float],
        cell: tuple[float, float],
        reference: tuple[int, int],
        frequencies: NDArray[np.float64],
    ) -> ImageCoordinates:
        """The coordinates of a cube in Stokes I of another plane, in the same frame and of the same observation.

        Parameters
        ----------
        direction : tuple of float
            Longitude and latitude at the reference pixel [rad].
        cell : tuple of float
            Signed pixel sizes (dx, dy) [rad].
        reference : tuple of int
            That pixel (x, y).
        frequencies : ndarray of float64, shape (chan,)
            Evenly spaced [Hz].
        """
        with casa.tool("coordsys") as tool:
            tool.newcoordsys(direction=True, spectral=True, stokes=["I"])
            tool.setdirection(
                refcode=self.direction_frame,
                proj="SIN",
                refval=[f"{angle}rad" for angle in direction],
                refpix=list(reference),
                incr=[f"{step}rad" for step in cell],
            )
            tool.setreferencevalue(f"{frequencies[0]}Hz", "spectral")
            tool.setincrement(f"{frequencies[1] - frequencies[0]}Hz", "spectral")
            tool.setreferencepixel(0.0, "spectral")
            record: Record = tool.torecord()
        return ImageCoordinates({**record, **{key: self.record[key] for key in OBSERVATION}}, len(frequencies))

    def has_grid_of(self, other: ImageCoordinates) -> bool:
        """Whether both have the same direction and spectral axes, to the last bit."""
        pairs = zip(self._grid(), other._grid(), strict=True)
        return all(np.array_equal(one[name], another[name]) for one, another in pairs for name in GRID if name in one)

    def _grid(self) -> tuple[Record, Record]:
        return self._part("direction"), self._part("spectral")["wcs"]

    def _radians(self, name: str) -> tuple[float, float]:
        lon, lat = (
            casa.radians(float(value), unit)
            for value, unit in zip(self._part("direction")[name], self.direction_units, strict=True)
        )
        return lon, lat

    def _part(self, kind: str) -> Record:
        """The record of a coordinate."""
        return dict(self.record[self._key(kind)])

    def _key(self, kind: str) -> str:
        """The key of a coordinate, such as 'direction0'."""
        return next(name for name in self.record if name.startswith(kind) and name[len(kind) :].isdigit())
