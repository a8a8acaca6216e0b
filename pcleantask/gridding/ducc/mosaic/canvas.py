"""The grid on which a mosaic is summed up, coarser than the image where that shows all there is.

The sum over pointings of beam times dirty image has no more detail than the longest baseline and a dish's diameter give
it, where each beam ends smoothly and lies on the grid as a whole. So it is made at the cells that this needs, and
interpolated to the image's by Fourier transforms.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # its submodules, which take 0.2 s to load, are loaded when they are used
from numpy.typing import NDArray

from ...data.selection import Pointing
from .plane import ImagePlane

MARGIN = 1.02  # of the detail that the grid can show to that which there is
WORTHWHILE = 0.8  # size of its cells, relative to the image's, from which on it isn't worth it
SPARE = 8  # pixels


@dataclass(frozen=True)
class Canvas:
    """A periodic grid about the image's centre.

    Attributes
    ----------
    plane : ImagePlane
        Its own plane, of even sizes.
    image : ImagePlane
        That of the image.
    period : tuple of int
        Its size in the image's cells.
    """

    plane: ImagePlane
    image: ImagePlane
    period: tuple[int, int]

    @classmethod
    def of(
        cls, image: ImagePlane, pointings: Iterable[Pointing], radius: float, detail: tuple[float, float]
    ) -> Canvas | None:
        """The canvas of an image; None where one isn't worth it.

        Parameters
        ----------
        image : ImagePlane
        pointings : iterable of Pointing
            Those on the image.
        radius : float
            Of beams [rad].
        detail : tuple of float
            The highest spatial frequencies along x and y [wavelengths].
        """
        places = np.array([image.place(pointing) for pointing in pointings]).reshape(-1, 2)
        period, shape, cell = [], [], []
        for axis, (size, step) in enumerate(zip(image.shape, image.cell, strict=True)):
            reach = float(np.abs(places[:, axis]).max(initial=0)) + radius
            half = max(size / 2, reach / abs(step)) + SPARE
            period.append(_good_size(2 * half))
            needed = period[-1] * abs(step) * 2 * detail[axis] * MARGIN
            shape.append(_good_size(needed))
            cell.append(step * period[-1] / shape[-1])
        if min(own / step for own, step in zip(cell, image.cell, strict=True)) * WORTHWHILE < 1:
            return None
        own = ImagePlane(image.axes, (shape[0], shape[1]), (cell[0], cell[1]))
        return cls(own, image, (period[0], period[1]))

    def to_image(self, plane: NDArray[Any]) -> NDArray[np.float32]:
        """A plane [y, x] interpolated to the image's pixels."""
        (nx, ny), (period_x, period_y) = self.plane.shape, self.period
        values = np.roll(plane, (-(ny // 2), -(nx // 2)), (0, 1)).astype(np.float32, copy=False)
        spectrum = scipy.fft.rfft2(values)
        padded = np.zeros((period_y, nx // 2), spectrum.dtype)
        padded[: ny // 2] = spectrum[: ny // 2, :-1]
        padded[1 - ny // 2 :] = spectrum[1 - ny // 2 :, :-1]
        columns = scipy.fft.ifft(padded, axis=0)[self._rows(1)]
        found = scipy.fft.irfft(columns, period_x, axis=1)[:, self._rows(0)]
        return np.asarray(found * np.float32(period_x * period_y / (nx * ny)))

    def from_image(self, plane: NDArray[Any]) -> NDArray[np.float32]:
        """The transpose: what an image [y, x] comes to where nothing but products with what the canvas can show count.

        The sum over pixels of such a product is the same on the canvas.
        """
        (nx, ny), (period_x, period_y) = self.plane.shape, self.period
        rows = np.zeros((len(plane), period_x), np.float32)
        rows[:, self._rows(0)] = plane
        columns = np.zeros((period_y, nx // 2), np.complex64)
        columns[self._rows(1)] = scipy.fft.rfft(rows, axis=1)[:, : nx // 2]
        spectrum = scipy.fft.fft(columns, axis=0)
        kept = np.zeros((ny, nx // 2), np.complex64)
        kept[: ny // 2] = spectrum[: ny // 2]
        kept[1 - ny // 2 :] = spectrum[1 - ny // 2 :]
        return np.roll(scipy.fft.irfft2(kept, (ny, nx)), (ny // 2, nx // 2), (0, 1))

    def _rows(self, axis: int) -> NDArray[np.int64]:
        """Where the image's pixels are along an axis of the period that begins at its centre."""
        size = self.image.shape[axis]
        return (np.arange(size) - size // 2) % self.period[axis]


def _good_size(least: float) -> int:
    """An even size for Fourier transforms."""
    size = int(np.ceil(least / 2))
    while scipy.fft.next_fast_len(size, real=True) != size:
        size += 1
    return 2 * size
