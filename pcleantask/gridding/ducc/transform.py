"""Fourier transforms between images and visibilities by ducc0.wgridder: the only place that imports ducc0.

    V(u, v, w, nu) = sum over pixels of I(l, m) exp(2 pi i nu/c (u l + v m + w (n - 1))),   n = sqrt(1 - l^2 - m^2),

with l and m [rad] the pixel's distances east and north of the image's centre, pixel (nx // 2, ny // 2); in a transform
that isn't wide the term in w is left out, as CASA's gridder='standard' does. The dirty image is the adjoint,

    D(l, m) = sum over visibilities of W Re(V exp(-2 pi i nu/c (...))),

not divided by the sum of weights. See Arras et al. 2021, A&A 646, A58 (doi:10.1051/0004-6361/202039723).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import ducc0
import numpy as np
from numpy.typing import NDArray

from ...errors import ImagingError

SINGLE, DOUBLE = 1.05e-5, 1e-12  # accuracy asked of ducc0, for float32 (which must be above 1e-5) and for float64
SINGLE_WIDE = 3e-5  # for float32 images with w, where digits cost planes in w: they are 2e-6 of the peak off
SMALLEST = 32  # pixels along an axis that ducc0 needs; it also wants their number even


@dataclass(frozen=True)
class Transform:
    """The transform for one image; its precision is that of the arrays it is given.

    Attributes
    ----------
    shape : tuple of int
        Pixels (nx, ny).
    cell : tuple of float
        Signed pixel sizes (dx, dy) [rad]; dx < 0 where x grows westwards.
    wide : bool
        Whether the term in w is taken, exactly (w-stacking).
    nthreads : int
        Threads to compute with.
    centre : tuple of float
        l and m of the centre pixel [rad], where visibilities are about another direction than the image's centre.
    accuracy : float
        Asked of ducc0 for dirty images in single precision, without w: their largest error is a tenth of it or less,
        relative to that of a point source of like flux.
    """

    shape: tuple[int, int]
    cell: tuple[float, float]
    wide: bool = False
    nthreads: int = 1
    centre: tuple[float, float] = (0.0, 0.0)
    accuracy: float = SINGLE

    def dirty(self, uvw: np.ndarray, freq: np.ndarray, vis: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The dirty image, not normalized.

        Parameters
        ----------
        uvw : float64 [row, 3]
            Baselines [m].
        freq : float64 [chan]
            Frequencies [Hz], in any order.
        vis : complex64 or complex128 [row, chan]
            Visibilities [Jy]; must be finite, also where their weight is zero.
        weight : float32 or float64 [row, chan]
            Imaging weights, in the precision of `vis`.

        Returns
        -------
        float32 or float64 [y, x]
        """
        if not vis.size:
            return np.zeros(self.shape, weight.dtype).T
        nx, ny = self._padded
        order, _ = _rising(freq)
        options = self._options(vis, SINGLE_WIDE if self.wide else self.accuracy)
        with _ducc0_at("gridding", vis.shape, self._padded):
            padded = ducc0.wgridder.vis2dirty(
                uvw=uvw, freq=freq[order], vis=vis[:, order], wgt=weight[:, order], npix_x=nx, npix_y=ny, **options
            )
        return padded[self._inside].T

    def predict(
        self, uvw: np.ndarray, freq: np.ndarray, plane: np.ndarray, wanted: np.ndarray | None = None
    ) -> np.ndarray:
        """The visibilities of a model.

        Parameters
        ----------
        plane : float32 or float64 [y, x]
            The model [Jy/pixel].
        wanted : bool [row, chan], optional
            Where they are wanted; they are zero elsewhere.

        Returns
        -------
        complex64 or complex128 [row, chan]
            Visibilities [Jy], in the precision of `plane`.
        """
        if not len(uvw) or not len(freq):
            return np.zeros((len(uvw), len(freq)), np.result_type(plane, np.complex64))
        padded = plane.T
        if padded.shape != self._padded:
            padded = np.zeros(self._padded, dtype=plane.dtype)
            padded[self._inside] = plane.T
        order, back = _rising(freq)
        mask = None if wanted is None else wanted.view(np.uint8)[:, order]
        with _ducc0_at("predicting visibilities", (len(uvw), len(freq)), self._padded):
            found = ducc0.wgridder.dirty2vis(
                uvw=uvw, freq=freq[order], dirty=padded, mask=mask, **self._options(plane, SINGLE)
            )
        return found[:, back]

    def places(self, x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.float64]:
        """Where pixels are: l, m, and n - 1 or, if the term in w isn't taken, 0; float64 [3, pixel]."""
        l, m = (
            middle + step * (pixel - size // 2)
            for middle, step, pixel, size in zip(self.centre, self.cell, (x, y), self.shape, strict=True)
        )
        return np.stack([l, m, np.sqrt(1 - l**2 - m**2) - 1 if self.wide else np.zeros_like(l)])

    def _options(self, values: np.ndarray, single: float) -> dict[str, object]:
        is_double = values.dtype in (np.float64, np.complex128)
        return {
            "pixsize_x": abs(self.cell[0]),
            "pixsize_y": abs(self.cell[1]),
            "flip_u": self.cell[0] > 0,
            "flip_v": self.cell[1] > 0,
            "center_x": -self.centre[0],  # in ducc0 a flip is one of the centre, too
            "center_y": -self.centre[1],
            "epsilon": DOUBLE if is_double else single,
            "do_wgridding": self.wide,
            "divide_by_n": False,
            "nthreads": self.nthreads,
        }

    @property
    def _padded(self) -> tuple[int, int]:
        """The shape given to ducc0, whose centre is the pixel at half of each size."""
        nx, ny = (max(SMALLEST, size + size % 2) for size in self.shape)
        return nx, ny

    @property
    def _inside(self) -> tuple[slice, slice]:
        """Where the image lies in the padded one."""
        x, y = (
            slice(large // 2 - size // 2, large // 2 - size // 2 + size)
            for size, large in zip(self.shape, self._padded, strict=True)
        )
        return x, y


Order = slice | NDArray[np.int64]


def _rising(freq: np.ndarray) -> tuple[Order, Order]:
    """What puts channels in the rising order that ducc0 needs, and what puts them back; views where it can be."""
    steps = np.diff(freq)
    if (steps >= 0).all():
        return slice(None), slice(None)
    if (steps <= 0).all():
        return slice(None, None, -1), slice(None, None, -1)
    order = np.argsort(freq, kind="stable")
    return order, np.argsort(order)


@contextlib.contextmanager
def _ducc0_at(stage: str, visibilities: tuple[int, ...], pixels: tuple[int, int]) -> Iterator[None]:
    """Turn what ducc0's C++ raises into an ImagingError that says what was being done, without its source lines."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        rows, channels = visibilities
        raise ImagingError(
            f"ducc0 failed while {stage} ({rows} rows of {channels} channels, {pixels[0]} x {pixels[1]} pixels): "
            f"{said[-1] if said else type(error).__name__}; engine='casa' grids without ducc0"
        ) from error
