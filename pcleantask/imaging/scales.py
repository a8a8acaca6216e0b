"""Components of several sizes, and what is smoothed with them: planes, PSFs, masks. Arrays only.

Arrays are [y, x] in C order. All convolutions are cyclic: by FFTs of the planes as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy  # its submodules, which take 0.2 s to load, are loaded when they are used
from numpy.typing import NDArray

from .tiles import Plane

Transform = NDArray[np.complex64]  # [y, x // 2 + 1]
Inside = NDArray[np.bool_]

MASK_LEVEL = np.float32(0.9)  # of a smoothed mask, above which components may lie
BORDER = 1.5  # width along the edges where none may lie, relative to a scale's size
# Rational approximations to the spheroidal function below 0.75 and below 1: where the range ends, and the coefficients
# of numerator and denominator.
SPHEROIDAL = (
    (0.75, (8.203343e-2, -3.644705e-1, 6.278660e-1, -5.335581e-1, 2.312756e-1), (1.0, 8.212018e-1, 2.078043e-1)),
    (1.0, (4.028559e-3, -3.697768e-2, 1.021332e-1, -1.201436e-1, 6.412774e-2), (1.0, 9.599102e-1, 2.918724e-1)),
)


class PsfProducts(NamedTuple):
    """What a clean by scales needs of a PSF.

    Attributes
    ----------
    transform : complex64 [y, x // 2 + 1]
        The PSF's Fourier transform.
    smoothed : dict
        (scale, scale) -> the PSF smoothed with both, float32 [y, x]; the second is not before the first.
    """

    transform: Transform
    smoothed: dict[tuple[int, int], Plane]

    @property
    def nbytes(self) -> int:
        return self.transform.nbytes + sum(plane.nbytes for plane in self.smoothed.values())


class Scales:
    """The scales of a clean of planes of one shape.

    Follows MatrixCleaner::makePsfScales, makeDirtyScales and makeScaleMasks (casatools 6.7).

    Parameters
    ----------
    shape : (int, int)
        Of planes [y, x].
    sizes : sequence of float
        Radii of the scales [pixel], 0 for a point; none at all are points.

    Attributes
    ----------
    sizes : tuple of float
    images : list
        The scales, float32 [y, x] of sum 1, cut to what isn't zero around (ny // 2, nx // 2).
    """

    def __init__(self, shape: tuple[int, int], sizes: Sequence[float]) -> None:
        self.shape = shape
        self.sizes = tuple(sizes) or (0.0,)
        planes = [scale_plane(shape, size) for size in self.sizes]
        self.images = [_cut(plane) for plane in planes]
        # symmetric about the centre, so that they are real; None for points, with which nothing changes
        self._transforms = [
            np.ascontiguousarray(scipy.fft.rfft2(np.fft.ifftshift(plane)).real) if size else None
            for size, plane in zip(self.sizes, planes, strict=True)
        ]

    def smooth(self, plane: Plane) -> list[Plane]:
        """The plane smoothed with each scale, float32 [y, x]; with a point it is the plane itself."""
        if not any(self.sizes):
            return [plane for _ in self.sizes]
        transform = scipy.fft.rfft2(plane)
        return [self._smoothed(plane, transform, scale) for scale in range(len(self.sizes))]

    def _smoothed(self, plane: Plane, transform: Transform, *chosen: int) -> Plane:
        """A plane smoothed with some scales, by its transform."""
        factors = [factor for scale in chosen if (factor := self._transforms[scale]) is not None]
        if not factors:
            return plane
        product = transform * factors[0]
        for factor in factors[1:]:
            product *= factor
        smoothed: Plane = scipy.fft.irfft2(product, self.shape, overwrite_x=True)
        return smoothed

    def products(self, psf: Plane) -> PsfProducts:
        """Of a PSF whose peak is at (ny // 2, nx // 2)."""
        transform = scipy.fft.rfft2(psf)
        return PsfProducts(transform, dict(self.by_pairs(psf, transform)))

    def by_pairs(self, psf: Plane, transform: Transform) -> Iterator[tuple[tuple[int, int], Plane]]:
        """(scale, scale) and the PSF smoothed with both, one after the other; the second is not before the first."""
        pairs = ((one, other) for other in range(len(self.sizes)) for one in range(other + 1))
        return ((pair, self._smoothed(psf, transform, *pair)) for pair in pairs)

    def places(self, mask: Plane | None, level: np.float32 = MASK_LEVEL, *, reaches_edge: bool = False) -> Inside:
        """For each scale where its components may lie, bool [scale, y, x].

        That is where the mask smoothed with the scale is above `level`, away from the edges; or up to them for the
        first scale, if it `reaches_edge`.
        """
        places = np.ones((len(self.sizes), *self.shape), np.bool_)
        if mask is not None:
            np.greater(self.smooth(mask), level, out=places)
        for scale, (size, inside) in enumerate(zip(self.sizes, places, strict=True)):
            if scale or not reaches_edge:
                _clear_border(inside, int(size * BORDER) + 1)
        return places

    def biases(self, smallscalebias: float) -> NDArray[np.float32]:
        """The factors by which merits of the scales are weighed; values beyond -1 and 1 are taken as these.

        As in CASA sizes are relative to the last one, which needn't be the largest; unless that is 0.
        """
        if len(self.sizes) == 1:
            return np.ones(1, np.float32)
        bias, last = np.float32(min(max(smallscalebias, -1.0), 1.0)), self.sizes[-1] or max(self.sizes) or 1.0
        return np.float32(1) - bias * np.array(self.sizes, np.float32) / np.float32(last)


@functools.lru_cache(maxsize=8)
def scales_of(shape: tuple[int, int], sizes: tuple[float, ...]) -> Scales:
    """The scales of planes of a shape, which are the same for all planes of a cube."""
    return Scales(shape, sizes)


def scale_plane(shape: tuple[int, int], size: float) -> Plane:
    """A scale around the centre of a plane, float32 [y, x] of sum 1: a parabola that a spheroidal function tapers.

    Follows MatrixCleaner::makeScale and its mixture of precisions.
    """
    plane = np.zeros(shape, np.float32)
    if size == 0:
        plane[shape[0] // 2, shape[1] // 2] = 1
        return plane
    along_y, along_x = (((side // 2 - np.arange(side)) / size) ** 2 for side in shape)
    square = (along_y.astype(np.float32)[:, np.newaxis] + along_x).astype(np.float32)
    inside = square < 1
    found = square[inside]
    values = ((1.0 - found.astype(np.float64)) * _spheroidal(np.sqrt(found))).astype(np.float32)
    plane[inside] = values / np.add.accumulate(values)[-1]
    return plane


def _spheroidal(radius: Plane) -> Plane:
    """The taper at radii from 0 to 1, relative to a scale's; follows MatrixCleaner::spheroidal."""
    taper = np.ones_like(radius)
    begin = 0.0
    for end, numerator, denominator in SPHEROIDAL:
        chosen = (radius > 0) & (radius >= begin) & (radius < end)
        offset = (radius[chosen].astype(np.float64) ** 2 - end**2).astype(np.float32)
        taper[chosen] = _polynomial(numerator, offset) / _polynomial(denominator, offset)
        begin = end
    return taper


def _polynomial(coefficients: Sequence[float], at: Plane) -> Plane:
    terms = [np.float32(coefficient) * at ** np.float32(power) for power, coefficient in enumerate(coefficients)]
    return functools.reduce(np.add, terms)


def _cut(plane: Plane) -> Plane:
    """What isn't zero, as far on either side of the centre."""
    sides = []
    for axis, size in enumerate(plane.shape):
        reach = size // 2 - int(np.flatnonzero(plane.any(axis=1 - axis))[0])
        sides.append(slice(size // 2 - reach, size // 2 + reach + 1))
    return plane[tuple(sides)].copy()


def _clear_border(inside: Inside, width: int) -> None:
    """Set False so many pixels along each edge."""
    for pixels in (inside, inside.T):
        pixels[:width] = False
        pixels[max(0, len(pixels) - width) :] = False
