"""Hogbom clean of one plane in memory, component for component as CASA's. Arrays only.

Arrays are [y, x] in C order, the transpose of an image plane as casacore stores it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .tiles import Plane, TiledPlane

CLEANED = 0.5  # mask value above which a pixel is cleaned


class Step(NamedTuple):
    """What came of a step: the number of iterations as CASA counts them, and the peak |residual| in the mask."""

    iterations: int
    peak: float


class HogbomPlane:
    """Clean of one plane.

    Follows hclean.f of casacore and SDAlgorithmHogbomClean::takeOneStep (casatools 6.7).

    Parameters
    ----------
    residual, model
        float32 [y, x], [Jy/beam] and [Jy/pixel]; both are changed.
    psf
        float32 [y, x], its peak at (ny // 2, nx // 2); must not be changed in place.
    mask
        float32 [y, x]; pixels above 0.5 are cleaned. None: all are.
    whole
        Whether `finish` is to bring the residual up to date outside the mask too.
    """

    def __init__(
        self, residual: Plane, model: Plane, psf: Plane, mask: Plane | None = None, *, whole: bool = True
    ) -> None:
        self.residual, self.model = residual, model
        self._psf = psf
        self._soft_mask = None if mask is None or is_binary(mask) else mask
        cropped = mask is not None and not whole and self._soft_mask is None
        self._tiled = TiledPlane(residual, None if mask is None else _cleaned(mask), cropped=cropped)

    def take_step(self, gain: np.float32, niter: int, threshold: np.float32) -> Step:
        """Clean until the peak is below `threshold` [Jy/beam], or through `niter` iterations.

        CASA's loop includes its upper limit: it does one iteration more than it counts when it runs to the end.
        """
        for iteration in range(niter + 1):
            y, x, peak = self._tiled.find_peak()
            if peak < threshold:
                return Step(iteration, self._masked_peak())
            flux = gain * self.residual[y, x]
            self.model[y, x] += flux
            self._tiled.subtract(y, x, flux, self._psf)
        return Step(niter, self._masked_peak())

    def finish(self) -> None:
        """Bring the residual up to date where it is behind."""
        self._tiled.catch_up()

    def _masked_peak(self) -> float:
        """The peak that CASA reports after a step, from the product of residual and mask."""
        if self._soft_mask is None:
            return self._tiled.find_peak()[2]
        self.finish()
        product = self.residual * self._soft_mask
        lowest, highest = float(product.min()), float(product.max())
        return abs(lowest) if abs(lowest) > abs(highest) else highest


def is_binary(mask: Plane) -> bool:
    """Whether all values are 0 or 1."""
    return bool(((mask == 0) | (mask == 1)).all())


def _cleaned(mask: Plane) -> NDArray[np.bool_]:
    """The pixels that are cleaned; if there is none, the one where CASA's search begins, and ends then."""
    cleaned: NDArray[np.bool_] = mask > CLEANED
    if not cleaned.any():
        cleaned[0, 0] = True
    return cleaned
