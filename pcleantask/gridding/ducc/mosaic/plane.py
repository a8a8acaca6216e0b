"""The plane of a mosaic's image, in which its pointings lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....images.coordinates import ImageCoordinates
from ...data.directions import image_centre
from ...data.selection import Pointing


@dataclass(frozen=True)
class ImagePlane:
    """An image's plane: it touches the sky at the image's centre, pixel (nx // 2, ny // 2).

    Attributes
    ----------
    axes : ndarray of float64, shape (3, 3)
        Unit vectors to the east, to the north and to the centre, one a row, in the frame of the image's directions.
    shape : tuple of int
        Pixels (nx, ny).
    cell : tuple of float
        Signed pixel sizes (dx, dy) [rad].
    """

    axes: NDArray[np.float64]
    shape: tuple[int, int]
    cell: tuple[float, float]

    @classmethod
    def of(cls, coordinates: ImageCoordinates, shape: tuple[int, int]) -> ImagePlane:
        return cls(image_centre(coordinates, shape).tangent_axes, shape, coordinates.cell)

    def directions(self, x: NDArray[np.int64], y: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """l and m of pixels [rad]."""
        (nx, ny), (dx, dy) = self.shape, self.cell
        return dx * (x - nx // 2), dy * (y - ny // 2)

    def place(self, pointing: Pointing) -> tuple[float, float]:
        """l and m of a pointing [rad]."""
        east, north, _ = self.axes @ pointing.cosines
        return float(east), float(north)

    def pixel(self, pointing: Pointing) -> tuple[float, float]:
        """Where a pointing is, in pixels."""
        x, y = (
            size // 2 + at / step for size, at, step in zip(self.shape, self.place(pointing), self.cell, strict=True)
        )
        return x, y

    def holds(self, pointing: Pointing) -> bool:
        """Whether a pointing is on the image; CASA leaves out the others (HetArrayConvFunc::checkPBOfField)."""
        return all(0 <= int(at) < size for at, size in zip(self.pixel(pointing), self.shape, strict=True))
