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
from ..sky_plane import SkyPlane, direct_sum, is_direct_cheaper
from ..transform import Transform
from .beams import Beams
from .canvas import Canvas
from .plane import ImagePlane
from .power_pattern import PowerPattern

BAND = 0.002  # relative width of a band of a continuum image's frequencies that share a beam
SAME = 1e-5  # relative difference of frequencies whose beams are the same
ACCURACY = 1e-4  # of a pointing's dirty image: 7e-7 of the peak off, by a grid a fifth smaller than for 1e-5
FEWEST, VIEWS_BYTES = 4, 1 << 28  # of views that are kept
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
    pattern : PowerPattern
    frequency : float
        At which it is seen [Hz].
    """

    x: slice
    y: slice
    beam: Floats
    centre: tuple[float, float]
    pointing: tuple[float, float]
    pattern: PowerPattern
    frequency: float

    @property
    def pixels(self) -> tuple[slice, slice]:
        return self.y, self.x

    def seen(self, plane: Floats) -> Floats:
        """A plane as it is seen through the beam, in its own place in memory."""
        plane *= self.beam
        return plane

    def transform(self, cell: tuple[float, float], nthreads: int, *, about: tuple[float, float]) -> Transform:
        """The transform of visibilities about a direction, given by l and m."""
        centre = self.centre[0] - about[0], self.centre[1] - about[1]
        return Transform(self.beam.T.shape, cell, nthreads=nthreads, centre=centre, accuracy=ACCURACY)


class JointMeasurement:
    """The operator of a mosaic: A_p D_p, summed over pointings, with each one's beam A_p and dirty image D_p.

    Parameters
    ----------
    image : ImagePlane
    beams : Beams
    canvas : Canvas, optional
        Where the sum is made, if not at the image's pixels.
    nthreads : int
        Threads of one transform.
    latest : int
        How many views are of use for what comes next: as many of the latest are kept.
    views : int
        How many a pass goes through in turn: the first of them are kept for the next pass, as many as VIEWS_BYTES
        allows.

    Attributes
    ----------
    kept_bytes : int
        That they may take, at most.
    """

    def __init__(
        self,
        image: ImagePlane,
        beams: Beams,
        canvas: Canvas | None = None,
        nthreads: int = 1,
        latest: int = FEWEST,
        views: int = 0,
    ) -> None:
        self._image, self._canvas, self._beams, self._nthreads = image, canvas, beams, nthreads
        self._plane = canvas.plane if canvas else image
        view_bytes = 4 * self._plane.shape[0] * self._plane.shape[1]
        latest, self._most = (min(count, VIEWS_BYTES // view_bytes) for count in (latest, views))
        latest = max(FEWEST, latest)
        self.kept_bytes = (latest + self._most) * view_bytes
        self._first: dict[tuple[Pointing, int], View] = {}
        self._latest_view = lru_cache(latest)(self._make_view)

    def blank(self, *count: int) -> Planes:
        return np.zeros((*count, *self._plane.shape), np.float32).swapaxes(-1, -2)

    def finished(self, planes: NDArray[Any]) -> NDArray[Any]:
        """Planes [..., y, x] to which pointings were added, as the image's."""
        if self._canvas is None:
            return planes
        found = [self._canvas.to_image(planes[place]) for place in np.ndindex(planes.shape[:-2])]
        return np.stack(found).reshape(*planes.shape[:-2], *found[0].shape)

    def sky_plane(self, pixels: NDArray[Any]) -> SkyPlane:
        """The sky's brightness [y, x] as `predict` takes it."""
        return SkyPlane(pixels, self._canvas.from_image if self._canvas else None)

    def add_dirty(self, planes: Planes, at: Sampling, data: Sequence[Any], weights: Sequence[Any]) -> None:
        """Add dirty images to planes [weight, data, y, x]; see `Measurement`."""
        for view, freq, channels in self._views(at):
            transform = view.transform(self._plane.cell, self._nthreads, about=view.pointing)
            for number, weight in enumerate(weights):
                for product, values in enumerate(data):
                    found = transform.dirty(at.uvw, freq, values[:, channels], weight[:, channels])
                    planes[number, product][view.pixels] += view.seen(found)

    def add_psf(self, planes: Planes, at: Sampling, weights: Sequence[Any]) -> None:
        """Add PSFs to planes [weight, y, x]: of a source at the image's centre, as if each pointing's data were there.

        Follows MosaicFT::put (CASA's TransformMachines2/MosaicFT.cc), which doesn't shift the visibilities of a PSF.
        """
        for view, freq, channels in self._views(at):
            transform = view.transform(self._plane.cell, self._nthreads, about=(0.0, 0.0))
            ones = np.ones((len(at.uvw), len(freq)), np.complex64)
            for number, weight in enumerate(weights):
                planes[number][view.pixels] += view.seen(transform.dirty(at.uvw, freq, ones, weight[:, channels]))

    def add_squared_beam(self, planes: Planes, at: Sampling, weights: Sequence[Any]) -> None:
        """Add the squared beam times the sum of weights to planes [weight, y, x]; see `Measurement`."""
        for view, _, channels in self._views(at):
            squared = np.square(view.beam)
            for number, weight in enumerate(weights):
                planes[number][view.pixels] += np.float32(weight[:, channels].sum(dtype=float)) * squared

    def sees(self, at: Sampling) -> bool:
        """Whether the direction that is looked at is on the image."""
        assert at.pointing is not None
        return self._image.holds(at.pointing)

    def predict(self, at: Sampling, model: SkyPlane, wanted: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """The visibilities of the sky's brightness; see `Measurement`."""
        found = np.zeros((len(at.uvw), len(at.freq)), np.complex64)
        for view, freq, channels in self._views(at):
            seen = self._seen_points(view, model)
            if seen and is_direct_cheaper(len(seen[1]), len(at.uvw) * len(freq), view.beam.size):
                found[:, channels] = direct_sum(at.uvw, freq, *seen)
                continue
            pixels = view.beam * model.grid[view.pixels]
            if pixels.any():
                transform = view.transform(self._plane.cell, self._nthreads, about=view.pointing)
                mask = None if wanted is None else wanted[:, channels]
                found[:, channels] = transform.predict(at.uvw, freq, pixels, mask)
        return found

    def _seen_points(self, view: View, model: SkyPlane) -> tuple[NDArray[np.float64], Floats] | None:
        """Places about the pointing, as for `direct_sum`, and fluxes of a model's points through a beam."""
        if model.points is None:
            return None
        l, m = self._image.directions(model.points.x, model.points.y)
        l, m = l - view.pointing[0], m - view.pointing[1]
        flux: Floats = model.points.flux * view.pattern.at_points(l, m, view.frequency)
        seen = flux != 0
        return np.stack([l[seen], m[seen], np.zeros(int(seen.sum()))]), flux[seen]

    def _views(self, at: Sampling) -> Iterator[tuple[View, NDArray[np.float64], slice | NDArray[np.int64]]]:
        """What is seen in each band of frequencies: the view, the band's frequencies and channels."""
        if not len(at.uvw) or not self.sees(at):
            return
        assert at.pointing is not None
        for channels in bands(at.freq):
            freq = at.freq[channels]
            yield self._view(at.pointing, round(np.log(freq.mean()) / SAME)), freq, channels

    def _view(self, pointing: Pointing, number: int) -> View:
        found = self._first.get((pointing, number))
        if found is None:
            found = self._latest_view(pointing, number)
            if len(self._first) < self._most:
                self._first[pointing, number] = found
        return found

    def _make_view(self, pointing: Pointing, number: int) -> View:
        """The view at a frequency, given by its number on a logarithmic scale."""
        frequency = float(np.exp(number * SAME))
        pattern = self._beams.pattern(pointing, frequency)
        radius = pattern.radius(frequency)
        cell, place = self._plane.cell, self._plane.place(pointing)
        ends = zip(self._plane.pixel(pointing), cell, self._plane.shape, strict=True)
        x, y = (_around(at, radius / abs(step), size) for at, step, size in ends)
        axes = self._plane.directions(np.arange(x.start, x.stop), np.arange(y.start, y.stop))
        beam = pattern.at(axes[0] - place[0], axes[1] - place[1], frequency)
        centre = float(axes[0][len(axes[0]) // 2]), float(axes[1][len(axes[1]) // 2])
        return View(x, y, beam.T, centre, place, pattern, frequency)


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
