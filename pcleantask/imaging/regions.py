"""Masks as regions of pixels: prune the small, grow, smooth. Arrays only.

Masks are [row, column] views whose columns lie next to each other in memory; what is large is handled by runs of pixels
or by its frontier, as clean masks are sparse.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import scipy  # its submodules, which take 0.2 s to load, are loaded when they are used
from numpy.typing import NDArray

from .beam import FWHM_PER_SIGMA
from .robust import Mask, Plane

FFT_SIZE = 128


class Kernel(NamedTuple):
    """Smoothing kernel: FWHM [pixels] and the (row, column) direction of the major axis."""

    major: float
    minor: float
    row: float
    column: float


def _runs(mask: Mask) -> tuple[Mask, NDArray[np.intp], NDArray[np.intp]]:
    """Runs of True along rows: a flat copy with one False before each row, and where in it runs start and stop."""
    height, width = mask.shape
    flat = np.zeros(height * (width + 1) + 1, bool)
    flat[:-1].reshape(height, width + 1)[:, 1:] = mask
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return flat, edges[0::2], edges[1::2]


def _ranges(starts: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """start, start + 1, ... (count of them) for each start, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if ends.size else 0) + np.repeat(starts - ends + counts, counts)


def prune(mask: Mask, min_size: float) -> None:
    """Clear, in place, the 4-connected regions of fewer than `min_size` pixels (SDMaskHandler::YAPruneRegions).

    Regions are joined from runs along rows: the work goes with the number of runs, not of pixels.
    """
    flat, starts, stops = _runs(mask)
    if not starts.size:
        return
    stride = mask.shape[1] + 1
    first = np.searchsorted(stops, starts + stride, side="right")
    touching = np.searchsorted(starts, stops + stride, side="left") - first
    upper, lower = np.repeat(np.arange(starts.size), touching), _ranges(first, touching)
    links = scipy.sparse.coo_array((np.ones(upper.size, bool), (upper, lower)), shape=(starts.size, starts.size))
    region = scipy.sparse.csgraph.connected_components(links, directed=False)[1]
    lengths = stops - starts
    small = (np.bincount(region, weights=lengths) < min_size)[region]
    flat[_ranges(starts[small], lengths[small])] = False
    mask[...] = flat[:-1].reshape(mask.shape[0], stride)[:, 1:]


def grow(mask: Mask, allowed: Mask, steps: int) -> Mask:
    """The mask's pixels in `allowed`, and what of `allowed` lies within `steps` 4-neighbour steps of them inside it.

    Equals SDMaskHandler::binaryDilation times its constraint: a geodesic dilation. Only its frontier is visited.
    """
    height, width = mask.shape
    seeds = mask & allowed
    padded = np.zeros((height + 2, width + 1), bool)  # a False border; column 0 also ends the row before
    near = np.zeros_like(padded)
    free, around = padded[1:-1, 1:], near[1:-1, 1:]
    np.greater(allowed, mask, out=free)
    around[1:] |= seeds[:-1]
    around[:-1] |= seeds[1:]
    around[:, 1:] |= seeds[:, :-1]
    around[:, :-1] |= seeds[:, 1:]
    near &= padded
    unreached, frontier = padded.reshape(-1), np.flatnonzero(near)
    unreached[frontier] = False
    for _ in range(steps - 1):
        if not frontier.size:
            break
        reached = []
        for offset in (1, -1, width + 1, -width - 1):
            neighbours = frontier + offset
            neighbours = neighbours[unreached[neighbours]]
            unreached[neighbours] = False
            reached.append(neighbours)
        frontier = np.concatenate(reached)
    return np.greater(allowed, free)


def smoothing_kernel(kernel: Kernel) -> NDArray[np.float64]:
    """Rotated Gaussian on a square of odd side that reaches 5 sigma, as casacore's Image2DConvolver samples it."""

    def side(width: float) -> int:
        return 2 * (int(5.0 * width / FWHM_PER_SIGMA + 0.5) + 1) + 1

    n = max(side(kernel.major), side(kernel.minor))
    offset = np.arange(n) - n // 2
    rows, columns = offset[:, None], offset[None, :]
    along = rows * kernel.row + columns * kernel.column
    across = columns * kernel.row - rows * kernel.column
    gauss = np.exp(-(FWHM_PER_SIGMA**2 / 2) * ((along / kernel.major) ** 2 + (across / kernel.minor) ** 2))
    return gauss / gauss.sum()


@functools.lru_cache(maxsize=8)
def _kernel_spectrum(kernel: Kernel) -> tuple[int, int, NDArray[np.complex128]]:
    """Half-width of the kernel, side of the FFT, and the kernel's FFT, centred on pixel 0."""
    gauss = smoothing_kernel(kernel)
    half = gauss.shape[0] // 2
    side = scipy.fft.next_fast_len(max(FFT_SIZE, 6 * half), real=True)
    centred = np.zeros((side, side))
    centred[: 2 * half + 1, : 2 * half + 1] = gauss
    return half, side, scipy.fft.rfft2(np.roll(centred, (-half, -half), (0, 1)))


def _span(hits: Any, margin: int) -> tuple[int, int]:
    """First and last + 1 of the True elements, a margin added at both ends."""
    return max(0, int(hits.argmax()) - margin), min(hits.size, hits.size - int(hits[::-1].argmax()) + margin)


def _smooth(mask: Mask, kernel: Kernel) -> tuple[Plane, tuple[slice, slice]]:
    """The mask convolved with the kernel, zero beyond its edges, and the box out of which it is zero.

    Tile by tile in double precision (overlap-save), leaving out the tiles with nothing in reach.
    """
    half, side, spectrum = _kernel_spectrum(kernel)
    (top, bottom), (left, right) = _span(mask.any(axis=1), half), _span(mask.any(axis=0), half)
    smoothed = np.zeros((bottom - top, right - left), np.float32)
    step = side - 2 * half
    for row in range(top, bottom, step):
        for column in range(left, right, step):
            low_row, low_column = row - half, column - half
            window = mask[max(0, low_row) : low_row + side, max(0, low_column) : low_column + side]
            if not window.any():
                continue
            tile = np.zeros((side, side))
            skip_row, skip_column = max(0, -low_row), max(0, -low_column)
            tile[skip_row : skip_row + window.shape[0], skip_column : skip_column + window.shape[1]] = window
            product = scipy.fft.rfft2(tile)
            product *= spectrum
            target = smoothed[row - top : row - top + step, column - left : column - left + step]
            done = scipy.fft.irfft2(product, s=(side, side), overwrite_x=True)
            target[...] = done[half : half + target.shape[0], half : half + target.shape[1]]
    return smoothed, (slice(top, bottom), slice(left, right))


def smooth_and_cut(mask: Mask, kernel: Kernel, cut: float) -> Mask:
    """Where the smoothed mask is above `cut` times its peak; empty where the mask is empty."""
    result = np.zeros(mask.shape, bool)
    if mask.any():
        smoothed, box = _smooth(mask, kernel)
        result[box] = smoothed > np.float32(float(np.float32(cut)) * float(smoothed.max()))
    return result
