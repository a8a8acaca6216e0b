"""Pixels of CASA images, some channels at a time: arrays are [chan, pol, y, x], the transpose of casacore's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import casa
from ..memory import left_by_limits

PIXELS, MASK_PIXELS = "map", "PagedArray"  # columns of an image's table, and of its pixel mask's
MASK = "mask0"  # CASA's name of the pixel mask
WRITTEN_PIXELS = 32_000_000  # that are worth one access to the disk
ACCESS_BYTES = 32  # that an access takes a pixel: casatools has them twice in single and in double precision
ACCESS_SHARE = 0.25  # of what limits leave, that an access may take
WRITTEN_AT_ONCE = 1 << 22  # pixels handed to casatools, which copies them; larger copies cost new pages of memory


def write_channels(path: str, pixels: NDArray[np.float32], start: int = 0, pol: int = 0) -> None:
    """Overwrite what an image has from channel `start` and polarisation `pol` on.

    Parameters
    ----------
    pixels : ndarray of float32, shape (chan, pol, y, x)
    """
    count, npol, ny, nx = pixels.shape
    step = max(1, WRITTEN_AT_ONCE // (nx * ny * npol))
    with casa.working_on(f"writing {path!r}"), casa.opened_table(path, writable=True) as table:
        for first in range(0, count, step):
            piece = pixels[first : first + step]
            ends = [0, 0, pol, start + first], [nx - 1, ny - 1, pol + npol - 1, start + first + len(piece) - 1]
            table.putcellslice(PIXELS, 0, piece.T, *ends, [1, 1, 1, 1])


def read_channels(path: str, start: int, stop: int, pols: range | None = None) -> NDArray[np.float32]:
    """Channels start <= channel < stop, float32 [chan, pol, y, x]; of neighbouring polarisations, by default all."""
    with casa.opened_table(path) as table:
        return np.ascontiguousarray(_get(table, PIXELS, start, stop, pols).T, dtype=np.float32)


def read_pixel_mask(path: str, start: int, stop: int) -> NDArray[np.bool_]:
    """The pixel mask of channels start <= channel < stop, bool [chan, pol, y, x]: True where pixels are good."""
    with casa.opened_table(str(Path(path) / MASK)) as table:
        return np.ascontiguousarray(_get(table, MASK_PIXELS, start, stop).T, dtype=bool)


def has_pixel_mask(path: str) -> bool:
    """Whether the image has CASA's pixel mask."""
    return (Path(path) / MASK).is_dir()


def _shape(table: Any, column: str) -> list[int]:
    return [int(size) for size in table.getcolshapestring(column)[0].strip("[]").split(",")]


def _get(table: Any, column: str, start: int, stop: int, pols: range | None = None) -> Any:
    nx, ny, npol, nchan = _shape(table, column)
    chosen = pols or range(npol)
    if (start, stop) == (0, nchan) and len(chosen) == npol:
        return table.getcell(column, 0)  # much faster than a slice
    ends = [0, 0, chosen[0], start], [nx - 1, ny - 1, chosen[-1], stop - 1]
    return table.getcellslice(column, 0, *ends, [1, 1, 1, 1])


def channel_groups(shape: Sequence[int], pixels: int | None = None) -> list[range]:
    """The channels of a cube (nx, ny, npol, nchan) in groups of so many pixels, unless one channel has more.

    By default as many as are worth an access to the disk, and limits on memory allow.
    """
    nx, ny, npol, nchan = (int(size) for size in shape)
    size = max(1, (pixels or pixels_at_once()) // (nx * ny * npol))
    return [range(start, min(start + size, nchan)) for start in range(0, nchan, size)]


def pixels_at_once() -> int:
    """Pixels that are worth one access to the disk, or as many as limits on memory allow."""
    return int(min(WRITTEN_PIXELS, ACCESS_SHARE * left_by_limits() / ACCESS_BYTES))
