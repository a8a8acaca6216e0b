"""Clark clean of one channel in memory, component for component as CASA's. Arrays only.

Arrays are [pol, y, x]. Several polarisations are cleaned together: the peak is where their polarised maximum is, and a
component has a flux in each.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy  # its submodules, which take 0.2 s to load, are loaded when they are used
from numpy.typing import NDArray

from .hogbom import Step
from .tiles import Plane, overlap

Planes = NDArray[np.float32]

MAJOR_CYCLES = 10  # of Clark's own, between which it subtracts by FFT
FACTOR = np.float32(1.5) / np.float32(4.5)  # of the exterior sidelobe, in the flux limit
BAD_SIDELOBES = ((0.5, 5), (0.35, 50))  # exterior sidelobe above which so many iterations are the most between FFTs
SLOW_ITERATIONS = 10  # the most between FFTs once the peak has grown
SMALLEST_LOBE = 4  # pixels
MOST_DIRECT = 100  # components that are subtracted one by one and not by FFT


def patch_size(beam_pix: float) -> int:
    """Side of the PSF patch [pixels] for a beam of that FWHM [pixels], as SDAlgorithmClarkClean2 chooses it."""
    return 3 * max(SMALLEST_LOBE, math.ceil(beam_pix)) + 1


class _Limits(NamedTuple):
    """What a round of iterations keeps to."""

    gain: np.float32
    threshold: np.float32
    flux: np.float32
    iterations: int


class ClarkPlanes:
    """Clean of one channel: components are found on the brightest pixels by a patch of the PSF, and subtracted by FFT.

    Follows ClarkCleanLatModel::solve and SDAlgorithmClarkClean2::takeOneStep (casatools 6.7): residuals agree to the
    rounding of FFTs in single precision. Unlike CASA's, they are right where size + size // 2 is odd, as for images
    of 250 pixels: CASA's are a pixel off there, and its Clark diverges.

    Parameters
    ----------
    residual, model
        float32 [pol, y, x], [Jy/beam] and [Jy/pixel], 1, 2 or 4 polarisations; both are changed.
    psf
        float32 [y, x], its peak at (ny // 2, nx // 2).
    mask
        float32 [y, x], a weight for the residual; None: all ones.
    patch
        Side of the PSF patch [pixels], of `patch_size`.
    """

    def __init__(self, residual: Planes, model: Planes, psf: Plane, mask: Plane | None, patch: int) -> None:
        if residual.shape[0] not in (1, 2, 4):
            raise ValueError(f"Clark cleans 1, 2 or 4 polarisations together, got {residual.shape[0]}")
        self.residual, self.model = residual, model
        self._psf, self._mask = psf, mask
        sides = min(patch, psf.shape[0]), min(patch, psf.shape[1])
        y, x = (size // 2 - side // 2 for size, side in zip(psf.shape, sides, strict=True))
        self._patch = psf[y : y + sides[0], x : x + sides[1]].T
        self._sidelobe = _exterior_sidelobe(psf, sides)
        self._convolver: _Convolver | None = None
        self._behind: tuple[Planes, Planes, set[tuple[int, int]]] | None = None

    def take_step(self, gain: np.float32, niter: int, threshold: np.float32) -> Step:
        """Clean until the peak is at `threshold` [Jy/beam], or through `niter` iterations or ten FFTs."""
        self.finish()
        dirty = self.residual.copy()
        delta = np.zeros_like(dirty)
        places: set[tuple[int, int]] = set()
        peak = previous = _weighted_peak(dirty, self._mask)
        most = next((number for level, number in BAD_SIDELOBES if self._sidelobe > level), niter)
        factor, is_slow, done, cycles = FACTOR, False, 0, 0
        while done < niter and peak > threshold and cycles < MAJOR_CYCLES:
            self.finish()
            flux_limit = self._flux_limit(peak, factor)
            active = _ActivePixels(self.residual, self._mask, max(flux_limit, threshold))
            if not active.size:
                if is_slow:
                    break
                factor, is_slow = np.float32(float(factor) * 1.2), True
                continue
            limits = _Limits(gain, threshold, flux_limit, min(most, niter - done))
            number, peak = self._iterate(active, delta, places, limits, done)
            done += number
            self._behind = dirty, delta, places
            if peak > previous:
                factor, most, is_slow = factor * np.float32(3), SLOW_ITERATIONS, True
            previous = peak
            cycles += 1
        self.model += delta
        return Step(done, float(peak))

    def _flux_limit(self, peak: np.float32, factor: np.float32) -> np.float32:
        """The level below which pixels are at the mercy of sidelobes beyond the patch [Jy/beam]."""
        limit = peak * self._sidelobe * factor
        return np.float32(min(0.95 * float(peak), float(limit))) if factor > 1 else limit

    def finish(self) -> None:
        """Subtract the components found since the residual was last up to date, from what the step began with."""
        if self._behind is None:
            return
        dirty, delta, places = self._behind
        if self._convolver is None:
            self._convolver = _Convolver(self._psf)
        for pol, plane in enumerate(delta):
            np.subtract(dirty[pol], self._convolver(plane, places), out=self.residual[pol])
        self._behind = None

    def _iterate(
        self, active: _ActivePixels, delta: Planes, places: set[tuple[int, int]], limits: _Limits, before: int
    ) -> tuple[int, np.float32]:
        """Clean the active pixels, adding to `delta` and its `places` (x, y); the number of iterations, the peak left.

        Follows ClarkCleanLatModel::doMinorIterations: the flux limit grows with the uncertainty of what is subtracted.
        """
        position, peak = active.find_peak()
        limit = max(limits.flux, limits.threshold)
        uncertainty, number = np.float32(0), 0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            growth = np.power(limits.flux / peak, np.float32(-1))
            while number < limits.iterations and peak > limit:
                flux = active.values(position) * limits.gain
                delta[:, position[1], position[0]] += flux
                places.add(position)
                active.subtract(position, flux, self._patch)
                number += 1
                position, peak = active.find_peak()
                uncertainty += growth / np.float32(before + number)
                limit = limits.flux * uncertainty
                if limit < limits.threshold:  # a flux limit that is no number ends the round
                    limit = limits.threshold
        return number, peak


class _ActivePixels:
    """The pixels that components are sought on; [x, y], as CASA lists them with y running faster.

    Parameters
    ----------
    residual, mask
        As those of `ClarkPlanes`.
    limit
        |residual| x mask from which a pixel is active [Jy/beam].
    """

    def __init__(self, residual: Planes, mask: Plane | None, limit: np.float32) -> None:
        inside: NDArray[np.bool_] = _selection_level(residual, mask) >= limit
        self.size = int(np.count_nonzero(inside))
        if not self.size:
            return
        y, x = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        self._first = int(x[0]), int(y[0])
        box = slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1)
        weighted = residual[(slice(None), *box)] if mask is None else residual[(slice(None), *box)] * mask[box]
        self._values = np.ascontiguousarray(weighted.transpose(0, 2, 1))
        self._passive = np.ascontiguousarray(~inside[box].T)
        self._levels = _polarised_maximum(self._values)
        self._levels[self._passive] = -1
        self._highest = self._levels.max(axis=1)

    def find_peak(self) -> tuple[tuple[int, int], np.float32]:
        """Position (x, y) and level of the first of the highest active pixels."""
        x = int(self._highest.argmax())
        y = int(self._levels[x].argmax())
        return (x + self._first[0], y + self._first[1]), self._levels[x, y]

    def values(self, position: tuple[int, int]) -> NDArray[np.float32]:
        """float32 [pol]"""
        return self._values[:, position[0] - self._first[0], position[1] - self._first[1]]

    def subtract(self, position: tuple[int, int], flux: NDArray[np.float32], patch: Plane) -> None:
        """Subtract a component of `flux` [pol] with the patch [x, y] of the PSF."""
        cuts = [
            overlap(at - first, size, side)
            for at, first, size, side in zip(position, self._first, self._passive.shape, patch.shape, strict=True)
        ]
        box, response = tuple(cut[0] for cut in cuts), patch[tuple(cut[1] for cut in cuts)]
        for values, part in zip(self._values, flux, strict=True):
            pixels = values[box]
            np.subtract(pixels, response * part, out=pixels)
        levels = self._levels[box]
        levels[...] = _polarised_maximum(self._values[(slice(None), *box)])
        np.copyto(levels, np.float32(-1), where=self._passive[box])
        self._highest[box[0]] = self._levels[box[0]].max(axis=1)


def _polarised_maximum(values: Planes) -> Plane:
    """The level that pixels are compared by: |I|, max |I +- V|, or |I + sqrt(Q^2 + U^2 + V^2)| (absmax.f, maxabs.f)."""
    if len(values) == 1:
        return np.abs(values[0])
    if len(values) == 2:
        return np.maximum(np.abs(values[0] + values[1]), np.abs(values[0] - values[1]))
    return np.abs(values[0] + np.sqrt(values[1] * values[1] + values[2] * values[2] + values[3] * values[3]))


def _selection_level(residual: Planes, mask: Plane | None) -> Plane:
    """The level that makes a pixel active (getbig.f); with two polarisations another one than they are compared by."""
    weighted = residual if mask is None else residual * mask
    if len(weighted) == 2:
        return np.abs(weighted[0] + np.abs(weighted[1]))
    return _polarised_maximum(weighted)


def _weighted_peak(residual: Planes, mask: Plane | None) -> np.float32:
    level = _polarised_maximum(residual)
    return np.float32((level if mask is None else level * mask).max())


def _exterior_sidelobe(psf: Plane, sides: tuple[int, int]) -> np.float32:
    """Highest |PSF| beyond the patch, as ClarkCleanLatModel::absMaxBeyondDist finds it; 0 if the patch is all of it."""
    if sides == psf.shape:
        return np.float32(0)
    (centre_y, centre_x), (beyond_y, beyond_x) = (size // 2 for size in psf.shape), (side // 2 for side in sides)
    level = np.abs(psf)
    rows = level[centre_y - beyond_y : centre_y + beyond_y + 1]
    rows[:, max(1, centre_x - beyond_x) : centre_x + beyond_x] = 0
    return np.float32(level.max())


class _Convolver:
    """Convolution of a plane with the PSF; by FFT of a padded plane, unless components are few.

    The transform of the PSF is made when it is first needed.
    """

    def __init__(self, psf: Plane) -> None:
        self._psf = psf
        self._shape = tuple(scipy.fft.next_fast_len(size + size // 2, real=True) for size in psf.shape)
        self._transform: NDArray[np.complex64] | None = None

    def __call__(self, plane: Plane, places: set[tuple[int, int]]) -> Plane:
        """The plane, which is zero but at `places` (x, y), convolved."""
        if len(places) <= MOST_DIRECT:
            return self._sum_of_responses(plane, places)
        if self._transform is None:
            self._transform = scipy.fft.rfft2(self._psf, self._shape)
        product = scipy.fft.rfft2(plane, self._shape)
        product *= self._transform
        y, x = (size // 2 for size in plane.shape)
        return scipy.fft.irfft2(product, self._shape)[y : y + plane.shape[0], x : x + plane.shape[1]]

    def _sum_of_responses(self, plane: Plane, places: set[tuple[int, int]]) -> Plane:
        (ny, nx), (half_y, half_x) = plane.shape, (size // 2 for size in plane.shape)
        result = np.zeros_like(plane)
        for x, y in places:
            y0, y1, x0, x1 = max(0, y - half_y), min(ny, y - half_y + ny), max(0, x - half_x), min(nx, x - half_x + nx)
            response = self._psf[y0 - y + half_y : y1 - y + half_y, x0 - x + half_x : x1 - x + half_x]
            result[y0:y1, x0:x1] += plane[y, x] * response
        return result
