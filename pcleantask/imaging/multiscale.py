"""Multiscale clean of one plane in memory, component for component as CASA's. Arrays only.

Arrays are [y, x] in C order, the transpose of an image plane as casacore stores it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy  # its submodules, which take 0.2 s to load, are loaded when they are used

from .hogbom import Step
from .scales import MASK_LEVEL, Inside, PsfProducts, Scales
from .tiles import Plane, TiledPlane

TILE = (32, 512)  # pixels (y, x)
MARGIN = 1 + 1e-5  # more than what rounding may add to a scale's merit, relative


class _Choice(NamedTuple):
    """The strongest component: where, of which scale, its flux [Jy], and the merit by which it was chosen."""

    scale: int
    y: int
    x: int
    strength: np.float32
    merit: np.float32


NOTHING = _Choice(0, 0, 0, np.float32(0), np.float32(0))


class MultiscalePlane:
    """Clean of one plane by components of several sizes.

    The residual smoothed with each scale is kept, and a component of any scale is subtracted from each by the PSF
    smoothed with both. Follows MatrixCleaner::clean and SDAlgorithmMSClean::takeOneStep (casatools 6.7): components are
    the same as far as FFTs in single precision round alike. Unlike CASA's, they are right along axes of odd size, where
    CASA's are a pixel off; and a plane that no component may be put on has no iteration, where CASA tells the number of
    the plane before.

    Parameters
    ----------
    residual, model
        float32 [y, x], [Jy/beam] and [Jy/pixel]; the model is changed.
    products
        Of the PSF, by `scales`.
    scales
        Of planes of this shape.
    smallscalebias
        -1 to 1: how much small scales are preferred; values beyond are taken as these.
    mask
        float32 [y, x], a weight for the peak that is reported; None: all ones.
    places
        Where components of each scale may lie: `scales.places(mask)`.
    whole
        Whether the residual is wanted when it has been cleaned.
    """

    def __init__(
        self, residual: Plane, model: Plane, products: PsfProducts, scales: Scales, smallscalebias: float,
        mask: Plane | None, places: Inside, *, whole: bool = True,
    ) -> None:  # fmt: skip
        self.residual, self.model = residual, model
        self._dirty, self._mask, self._whole = residual, mask, whole
        self._products, self._scales = products, scales
        self._peaks = [_signed_peak(products.smoothed[scale, scale]) for scale in range(len(scales.sizes))]
        self._biases = scales.biases(smallscalebias)
        is_masked_out = mask is not None and mask.max() < MASK_LEVEL
        self._can_clean = min(self._peaks) >= 0 and not is_masked_out and bool(np.isfinite(residual.sum()))
        self._smoothed: dict[int, TiledPlane] = {}
        if self._can_clean:
            planes = [plane.copy() if plane is residual else plane for plane in scales.smooth(residual)]
            self._smoothed = {
                scale: TiledPlane(plane, inside, cropped=True, merges=True, side=TILE)
                for scale, (plane, inside) in enumerate(zip(planes, places, strict=True))
                if inside.any()
            }

    def take_step(self, gain: np.float32, niter: int, threshold: np.float32) -> Step:
        """Clean until the strongest component is below `threshold` [Jy], or through `niter` iterations.

        As in CASA the residual is the first one less this step's components: of a second step it lacks the first's.
        """
        before = self.model.copy()
        iterations = self._clean(gain, niter, max(threshold, np.float32(0))) if self._can_clean else 0
        residual = self._dirty - self._responses(self.model - before) if iterations else self._dirty
        if self._whole:
            self.residual = residual
        product = residual if self._mask is None else residual * self._mask
        return Step(iterations, max(float(product.max()), -float(product.min())))

    def finish(self) -> None:
        """The residual is up to date after each step, if it is wanted."""

    def _clean(self, gain: np.float32, niter: int, threshold: np.float32) -> int:
        """Iterations as CASA counts them: one that finds a reason to stop is one of them."""
        first = NOTHING
        for number in range(niter):
            found = self._strongest()
            first = found if number == 0 else first
            level, highest = abs(found.strength), abs(first.strength)
            if level < threshold or float(level - highest) > float(highest) / 2:
                return number + 1
            if level == 0:
                break
            self._add(found, gain * found.strength)
            self._subtract(found, gain * found.strength)
        return niter

    def _strongest(self) -> _Choice:
        """The component of the highest merit; of equal ones that of the smallest scale.

        A scale is looked at only if the limit of its peak may give it a higher merit than that of another scale.
        """
        limits = {scale: self._merit_limit(scale, plane.limit) for scale, plane in self._smoothed.items()}
        best = NOTHING
        for scale in sorted(limits, key=lambda scale: -limits[scale]):
            if limits[scale] < best.merit:
                break
            found = self._candidate(scale)
            if found.merit > best.merit or (found.merit == best.merit and found.scale < best.scale):
                best = found
        return best

    def _merit_limit(self, scale: int, peak: float) -> float:
        return peak * peak * float(self._biases[scale]) / float(self._peaks[scale]) * MARGIN

    def _candidate(self, scale: int) -> _Choice:
        """The strongest component of a scale, with CASA's merit: what it would take off the sum of squares."""
        plane = self._smoothed[scale]
        y, x, _ = plane.find_peak()
        value, bias = plane.pixels[y, x], self._biases[scale]
        merit = value / self._peaks[scale] * bias * value
        with np.errstate(divide="ignore", invalid="ignore"):
            return _Choice(scale, y, x, merit / bias / value, merit)

    def _add(self, component: _Choice, flux: np.float32) -> None:
        """Add a component to the model."""
        image = self._scales.images[component.scale]
        y, x = component.y - image.shape[0] // 2, component.x - image.shape[1] // 2
        self.model[y : y + image.shape[0], x : x + image.shape[1]] += flux * image

    def _subtract(self, component: _Choice, flux: np.float32) -> None:
        """Subtract a component from the residual at all scales."""
        for scale, plane in self._smoothed.items():
            pair = min(scale, component.scale), max(scale, component.scale)
            plane.subtract(component.y, component.x, flux, self._products.smoothed[pair])

    def _responses(self, model: Plane) -> Plane:
        """The PSF's response to a model."""
        product = scipy.fft.rfft2(model)
        product *= self._products.transform
        shifted = scipy.fft.irfft2(product, model.shape, overwrite_x=True)
        return np.roll(shifted, [-(size // 2) for size in model.shape], (0, 1))


def _signed_peak(plane: Plane) -> np.float32:
    """The value that is highest in absolute value."""
    highest, lowest = plane.max(), plane.min()
    return np.float32(lowest if -lowest > highest else highest)
