"""How far CASA's uv grid reaches: what falls beyond it is not imaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...spectral.axis import LIGHT_SPEED
from .density import UvGrid

PADDING = np.float32(1.2)  # of images, to put their edges far from the aliases
SUPPORT = 3  # cells around a visibility on which it is spread


@dataclass(frozen=True)
class Extent:
    """Distances from the centre within which visibilities are gridded, along u and v [wavelengths].

    Follows GridFT::init and ogrid in CASA's GridFT.cc and fgridft.f; for mosaics MosaicFT::init and onmosgrid in
    MosaicFT.cc and fmosaic.f: there the grid isn't padded, and what lies on it counts, though it is spread beyond.
    """

    low: tuple[float, float]
    high: tuple[float, float]

    @classmethod
    def of(cls, grid: UvGrid, *, joins_pointings: bool = False) -> Extent:
        """Of the grid for an image of as many pixels as `grid` has cells; of a mosaic where that joins pointings."""
        ends = [_ends(count, step, joins_pointings) for count, step in ((grid.nx, grid.dx), (grid.ny, grid.dy))]
        return cls((ends[0][0], ends[1][0]), (ends[0][1], ends[1][1]))

    def holds_all(self, reach: NDArray[np.float64], frequency: NDArray[np.float64]) -> bool:
        """Whether all visibilities up to these distances along u and v [m] are gridded at these frequencies [Hz]."""
        nearest = [min(-low, high) for low, high in zip(self.low, self.high, strict=True)]
        return bool((reach * float(frequency.max()) / LIGHT_SPEED < nearest).all())

    def holds(self, uvw: NDArray[np.float64], frequency: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which visibilities are gridded, shape (row, chan).

        Parameters
        ----------
        uvw : ndarray of float64, shape (row, 3)
            [m]
        frequency : ndarray of float64, shape (chan,)
            [Hz]
        """
        inside = np.ones((len(uvw), len(frequency)), bool)
        for axis in (0, 1):
            place = np.multiply.outer(uvw[:, axis], frequency / LIGHT_SPEED)
            inside &= (place > self.low[axis]) & (place < self.high[axis])
        return inside


def _ends(count: int, step: float, joins_pointings: bool) -> tuple[float, float]:
    """The ends of the grid along an axis, for an image with so many pixels of this size [rad]."""
    size, low, high = padded_size(count), SUPPORT, SUPPORT  # cells, and those at either end on which nothing may fall
    if joins_pointings:
        size, low, high = count, 0, 1  # CASA's threads leave out the last cell of a mosaic (tweakGridSector)
    scale = size * step
    ends = (low - 0.5 - size // 2) / scale, (size - high - 0.5 - size // 2) / scale
    # CASA grids at -u and -v.
    return min(-ends[0], -ends[1]), max(-ends[0], -ends[1])


def padded_size(count: int) -> int:
    """The size of CASA's grid for an image of `count` pixels: even, and with no prime factor above 5."""
    size = int(PADDING * np.float32(count) - np.float32(0.5)) + 1
    while size % 2 or not _is_composite(size):
        size += 1
    return size


def _is_composite(number: int) -> bool:
    for factor in (2, 3, 5):
        while number % factor == 0:
            number //= factor
    return number == 1
