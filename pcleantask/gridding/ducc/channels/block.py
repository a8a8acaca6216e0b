"""The unit in which visibilities go to a gridder."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...data.selection import Pointing
from ...spectral.axis import LIGHT_SPEED


@dataclass(frozen=True)
class Sampling:
    """Where visibilities are that share one set of frequencies.

    Attributes
    ----------
    uvw : ndarray of float64, shape (row, 3)
        [m], rotated to the image's phase centre; `uvw * freq / c` is in wavelengths in the image's frame.
    freq : ndarray of float64, shape (chan,)
        [Hz], in the image's frame.
    pointing : Pointing, optional
        In a mosaic: visibilities are about its direction, not about the image's centre.
    """

    uvw: NDArray[np.float64]
    freq: NDArray[np.float64]
    pointing: Pointing | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Block(Sampling):
    """Visibilities ready to be gridded.

    Attributes
    ----------
    data : ndarray of complex64, shape (npol, row, chan)
        The image's products [Jy], shifted to the phase centre; 0 where the weight is.
    weight : ndarray of float32, shape (row, chan)
        Imaging weights of residuals; 0 where flagged.
    psf_weight : ndarray of float32, shape (row, chan)
        Weights of the PSF. They are the same array, but where CASA grids for the PSF what it flags in the data:
        a channel next to a flagged one in a cube with densities of its own.
    """

    data: NDArray[np.complex64]
    weight: NDArray[np.float32]
    psf_weight: NDArray[np.float32]


def at_one_doppler(
    uvw: NDArray[np.float64],
    doppler: NDArray[np.float64],
    mean_doppler: float,
    frequency: NDArray[np.float64],
    pointing: Pointing | None = None,
) -> Sampling:
    """Rows at frequencies `frequency * doppler` [row], put to `frequency * mean_doppler` by scaling their uvw."""
    return Sampling(uvw * (doppler / mean_doppler)[:, np.newaxis], frequency * mean_doppler, pointing=pointing)


def phasor(delay: NDArray[np.float64], frequency: NDArray[np.float64] | float) -> NDArray[np.complex128]:
    """What shifts visibilities by `delay` [m]; the arguments broadcast."""
    return np.exp(-2j * np.pi / LIGHT_SPEED * (delay * frequency))
