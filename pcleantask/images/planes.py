"""Planes of CASA images as numpy arrays: one (pol, chan) plane at a time, so that memory does not grow with the cube.

Arrays are [x, y] in Fortran order, as casacore stores them; image axes are (ra, dec, stokes, channel).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import casa
from ..inputs import is_image as is_image

ARCSEC = np.pi / (180 * 3600)


@dataclass(frozen=True)
class ImageGeometry:
    """Shape and direction axes of an image.

    Attributes
    ----------
    shape : tuple of int
        (nx, ny, npol, nchan).
    reference_pixel : tuple of float
        Pixel (x, y) of the reference direction.
    cell : tuple of float
        Signed increments (dx, dy) [rad].
    """

    shape: tuple[int, int, int, int]
    reference_pixel: tuple[float, float]
    cell: tuple[float, float]


class Planes:
    """The planes of an open image; made by `opened`."""

    def __init__(self, tool: Any) -> None:
        self._tool = tool
        nx, ny, npol, nchan = (int(size) for size in tool.shape())
        self.shape = (nx, ny, npol, nchan)

    def read_double(self, pol: int, chan: int) -> np.ndarray:
        """Plane as float64 [nx, ny], the type in which casatools hands out pixels."""
        return self._tool.getchunk(*self._corners(pol, chan))[:, :, 0, 0]

    def pixel(self, x: int, y: int) -> float:
        """One pixel of the first plane."""
        place = [x, y, 0, 0]
        return float(self._tool.getchunk(place, place).item())

    def read(self, pol: int, chan: int) -> np.ndarray:
        """Plane as float32 [nx, ny], the type in which images are stored."""
        return self.read_double(pol, chan).astype(np.float32)

    def read_valid(self, pol: int, chan: int) -> np.ndarray:
        """Pixel mask as bool [nx, ny]: True where pixels are good."""
        return self._tool.getchunk(*self._corners(pol, chan), getmask=True)[:, :, 0, 0].astype(bool, copy=False)

    def write(self, pixels: np.ndarray, pol: int, chan: int) -> None:
        """Overwrite one plane with [nx, ny] pixels."""
        self._tool.putchunk(pixels[:, :, np.newaxis, np.newaxis], blc=[0, 0, pol, chan])

    def has_pixel_mask(self) -> bool:
        """Whether the image has a pixel mask at all."""
        return bool(self._tool.maskhandler("default")[0])

    def geometry(self) -> ImageGeometry:
        """Shape, reference pixel and cell."""
        summary = self._tool.coordsys([0, 1])
        try:
            increment = summary.increment(format="n")["numeric"]
            reference = summary.referencepixel()["numeric"]
            units = summary.units()
        finally:
            summary.done()
        with casa.tool("quanta") as quanta:
            factors = [quanta.convert(quanta.quantity(1.0, unit), "rad")["value"] for unit in units[:2]]
        return ImageGeometry(
            shape=self.shape,
            reference_pixel=(float(reference[0]), float(reference[1])),
            cell=(float(increment[0]) * factors[0], float(increment[1]) * factors[1]),
        )

    def beams(self) -> np.ndarray:
        """Restoring beams [nchan, npol, 3]: major and minor axis (FWHM) and position angle [rad]; zeros where none."""
        table = np.zeros((self.shape[3], self.shape[2], 3))
        record = self._tool.restoringbeam()
        if "beams" in record:
            for chan in range(self.shape[3]):
                for pol in range(self.shape[2]):
                    table[chan, pol] = beam_values(record["beams"][f"*{chan}"][f"*{pol}"])
        elif "major" in record:
            table[:, :] = beam_values(record)
        return table

    def common_beam(self, start: int, stop: int) -> tuple[float, float, float]:
        """The beam that all beams of channels start <= channel < stop fit into: axes (FWHM) and position angle [rad].

        CASA's own (`image.commonbeam`), as its choice between candidates sits at rounding level.
        """
        return beam_values(self.common_beam_record(start, stop))

    def common_beam_record(self, start: int, stop: int) -> dict[str, Any]:
        """CASA's record, in its own units, of the beam that all beams of channels start <= channel < stop fit into."""
        nx, ny, npol, nchan = self.shape
        if nchan == 1 and npol == 1:
            return self._tool.restoringbeam()
        with casa.tool("regionmanager") as regions:
            box = regions.box(blc=[0, 0, 0, start], trc=[nx - 1, ny - 1, npol - 1, stop - 1])
        block = self._tool.subimage(region=box)
        try:
            return block.commonbeam()
        finally:
            block.done()

    def _corners(self, pol: int, chan: int) -> tuple[list[int], list[int]]:
        return [0, 0, pol, chan], [self.shape[0] - 1, self.shape[1] - 1, pol, chan]


def beam_values(beam: dict[str, Any]) -> tuple[float, float, float]:
    """Axes (FWHM) and position angle [rad] of CASA's record of a beam."""
    angle = beam.get("positionangle", beam.get("pa"))
    with casa.tool("quanta") as quanta:
        major, minor, pa = (
            float(quanta.convert(part, "rad")["value"]) for part in (beam["major"], beam["minor"], angle)
        )
    return major, minor, pa


@contextlib.contextmanager
def opened(imagename: str) -> Iterator[Planes]:
    """The planes of the image at `imagename`."""
    with casa.opened_image(imagename) as tool:
        yield Planes(tool)


def read_plane(imagename: str, pol: int, chan: int) -> np.ndarray:
    """One plane as float32 [nx, ny]."""
    with opened(imagename) as planes:
        return planes.read(pol, chan)


def read_plane_double(imagename: str, pol: int, chan: int) -> np.ndarray:
    """One plane as float64 [nx, ny]."""
    with opened(imagename) as planes:
        return planes.read_double(pol, chan)


def read_pixel_mask(imagename: str, pol: int, chan: int) -> np.ndarray | None:
    """Pixel mask of one plane as bool [nx, ny], or None where the image has none."""
    with opened(imagename) as planes:
        return planes.read_valid(pol, chan) if planes.has_pixel_mask() else None


def image_geometry(imagename: str) -> ImageGeometry:
    """Shape, reference pixel and cell of an image."""
    with opened(imagename) as planes:
        return planes.geometry()


def beams(imagename: str) -> np.ndarray:
    """Restoring beams [nchan, npol, 3] (major, minor, position angle) [rad]."""
    with opened(imagename) as planes:
        return planes.beams()


def brightness_unit(imagename: str) -> str:
    """The unit of the pixels, such as 'Jy/beam'."""
    with casa.opened_image(imagename) as image:
        return str(image.brightnessunit())


def blank_planes(sumwt: str) -> np.ndarray:
    """Which planes of a run's images, bool [chan, pol], no visibility has fallen on: where its .sumwt is zero.

    Where there is no such image nobody knows, and none is.
    """
    if not is_image(sumwt):
        return np.zeros((1, 1), bool)
    with casa.opened_image(sumwt) as image:
        return (image.getchunk() == 0).all(axis=(0, 1)).T


def is_below(imagename: str, limit: float) -> bool:
    """Whether there is such an image, and all of its pixels are below the limit."""
    if not is_image(imagename):
        return False
    with opened(imagename) as image:
        nx, ny, npol, nchan = image.shape
        keys = [(pol, chan) for chan in range(nchan) for pol in range(npol)]
        return image.pixel(nx // 2, ny // 2) < limit and all(image.read_double(*key).max() < limit for key in keys)
