"""Division of a mosaic's planes by its weight image, as CASA divides those of cubes along with the gridding.

From SIImageStore::divideResidualByWeight and divideModelByWeight (CASA's ImagerObjects/SIImageStore.cc); continuum
images are divided by CASA itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def divide_residual(residual: Floats, weight: Floats, normtype: str, pblimit: float) -> Floats:
    """A residual [y, x], divided by the sum of weights, in Jy/beam as `normtype` says.

    Parameters
    ----------
    residual, weight : ndarray of float32, shape (y, x)
    normtype : str
        'flatnoise', 'flatsky' or 'pbsquare'.
    pblimit : float
        Level of the primary beam below which there is nothing.
    """
    peak = float(weight.max())
    if peak <= 0:
        return residual
    if normtype == "pbsquare":
        return residual / np.float32(peak)
    if normtype == "flatsky":
        return _divided(residual, weight, pblimit**2 * peak)
    divisor: NDArray[Any] = np.sqrt(np.abs(weight)) * np.float32(np.sqrt(peak))
    return _divided(residual, divisor, abs(pblimit) * peak)


def divide_model(model: Floats, weight: Floats, normtype: str, pblimit: float) -> Floats:
    """The sky's brightness of a model [y, x]; for the parameters see `divide_residual`."""
    peak = float(weight.max())
    if peak <= 0 or normtype == "flatsky":
        return model
    divisor: NDArray[Any] = np.abs(weight) / np.float32(peak)
    if normtype == "flatnoise":
        divisor = np.sqrt(divisor)
    return _divided(model, divisor, abs(pblimit))


def _divided(plane: Floats, divisor: NDArray[Any], level: float) -> Floats:
    """The quotient; 0 where the divisor isn't above a level."""
    inside = divisor > level
    return np.where(inside, plane / np.where(inside, divisor, 1), np.float32(0))
