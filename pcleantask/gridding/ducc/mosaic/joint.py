"""The measurement operator of a mosaic: a plane transform for each pointing, on the part of the image that it sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.selection import Pointing
from ..channels.block import Sampling
from ..measurement import Planes
from ..transform import Transform
from .beams import Beams
from .plane import ImagePlane

BAND = 0.002  # relative width of a band of frequencies that share a beam
KEPT = 4  # views for each thread
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """What a baseline sees of an image's plane.

    Attributes
    ----------
    x, y : slice
        The part of the plane, in pixels.
    beam : ndarray of float32, shape (y, x)
        The power pattern there.
    centre : tuple of float
        l and m of that part's centre pixel [rad].
    pointing : tuple of float
        l and m of the direction that is looked at [rad].
    """

    x: slice
    y: slice
    beam: Floats
    centre: tuple[float, float]
    pointing: tuple[float, float]

    @property
    def pixels(self) -> tuple[slice, slice]:
        return self.y, self.x

    def transform(self, cell: tuple[float, float], nthreads: int, *, about: tuple[float, float]) -> Transform:
        """The transform of visibilities about a direction, given by l and m."""
        centre = self.centre[0] - about[0], self.centre[1] - about[1]
        return Transform(self.beam.T.shape, cell, nthreads=nthreads, centre=centre)


class JointMeasurement:
    """The operator of a mosaic: A_p D_p, summed over pointings, with each one's beam A_p and dirty image D_p.

    Parameters
    ----------
    plane : ImagePlane
    beams : Beams
    nthreads : int
        Threads of one transform.
    at_once : int
        How many transforms are done at the same time.
    """

    def __init__(self, plane: ImagePlane, beams: Beams, nthreads: int = 1, at_once: int = 1) -> None:
        self._plane, self._beams, self._nthreads = plane, beams, nthreads
        self._view = lru_cache(KEPT * at_once)(self._make_view)

    def add_dirty(self, planes: Planes, at: Sampling, data: Sequence[Any], weights: Sequence[Any]) -> None:
        """Add dirty images to planes [weight, data, y, x]; see `Measurement`."""
        for view, freq, channels in self._views(at):
            transform = view.transform(self._plane.cell, self._nthreads, about=view.pointing)
            for number, weight in enumerate(weights):
                for product, values in enumerate(data):
                    found = transform.dirty(at.uvw, freq, values[:, channels], weight[:, channels])
                    planes[number, product][view.pixels] += view.beam * found

    def add_psf(self, planes: Planes, at: Sampling, weights: Sequence[Any]) -> None:
        """Add PSFs to planes [weight, y, x]: of a source at the image's centre, as if each pointing's data were there.

        Follows MosaicFT::put (CASA's TransformMachines2/MosaicFT.cc), which doesn't shift the visibilities of a PSF.
        """
        for view, freq, channels in self._views(at):
            transform = view.transform(self._plane.cell, self._nthreads, about=(0.0, 0.0))
            ones = np.ones((len(at.uvw), len(freq)), np.complex64)
            for number, weight in enumerate(weights):
                planes[number][view.pixels] += view.beam * transform.dirty(at.uvw, freq, ones, weight[:, channels])

    def add_squared_beam(self, planes: NDArray[np.float64], at: Sampling, weights: Sequence[Any]) -> None:
        """Add the squared beam times the sum of weights to planes [weight, y, x]; see `Measurement`."""
        for view, _, channels in self._views(at):
            squared = np.square(view.beam, dtype=float)
            for number, weight in enumerate(weights):
                planes[number][view.pixels] += float(weight[:, channels].sum(dtype=float)) * squared

    def sees(self, at: Sampling) -> bool:
        """Whether the direction that is looked at is on the image."""
        assert at.pointing is not None
        return self._plane.holds(at.pointing)

    def predict(self, at: Sampling, plane: NDArray[Any], wanted: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """The visibilities of the sky's brightness [y, x]; see `Measurement`."""
        found = np.zeros((len(at.uvw), len(at.freq)), np.complex64)
        for view, freq, channels in self._views(at):
            seen = view.beam * plane[view.pixels]
            if seen.any():
                transform = view.transform(self._plane.cell, self._nthreads, about=view.pointing)
                mask = None if wanted is None else wanted[:, channels]
                found[:, channels] = transform.predict(at.uvw, freq, seen, mask)
        return found

    def _views(self, at: Sampling) -> Iterator[tuple[View, NDArray[np.float64], slice | NDArray[np.int64]]]:
        """What is seen in each band of frequencies: the view, the band's frequencies and channels."""
        if not len(at.uvw) or not self.sees(at):
            return
        assert at.pointing is not None
        for channels in bands(at.freq):
            freq = at.freq[channels]
            yield self._view(at.pointing, float(freq.mean())), freq, channels

    def _make_view(self, pointing: Pointing, frequency: float) -> View:
        pattern = self._beams.pattern(pointing, frequency)
        radius = pattern.radius(frequency)
        cell, place = self._plane.cell, self._plane.place(pointing)
        ends = zip(self._plane.pixel(pointing), cell, self._plane.shape, strict=True)
        x, y = (_around(at, radius / abs(step), size) for at, step, size in ends)
        axes = [
            step * (np.arange(part.start, part.stop) - size // 2)
            for part, step, size in zip((x, y), cell, self._plane.shape, strict=True)
        ]
        beam = pattern.at(axes[0] - place[0], axes[1] - place[1], frequency)
        centre = float(axes[0][len(axes[0]) // 2]), float(axes[1][len(axes[1]) // 2])
        return View(x, y, beam.T, centre, place)


def bands(freq: NDArray[np.float64]) -> list[slice | NDArray[np.int64]]:
    """The channels that share a beam."""
    low, high = float(freq.min()), float(freq.max())
    count = int(np.ceil((high - low) / (BAND * low)))
    if count <= 1:
        return [slice(None)]
    number = np.minimum(((freq - low) / (high - low) * count).astype(int), count - 1)
    return [np.flatnonzero(number == band) for band in np.unique(number).tolist()]


def _around(centre: float, radius: float, size: int) -> slice:
    """The pixels within a radius that are on an axis of this size."""
    first, last = int(np.floor(centre - radius)), int(np.ceil(centre + radius))
    return slice(max(0, first), min(size, last + 1))
