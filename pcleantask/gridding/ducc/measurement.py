"""Measurement operators: what an array sees of an image's planes, and the adjoint, by which dirty images are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .channels.block import Sampling
from .sky_plane import SkyPlane, direct_sum, is_direct_cheaper
from .transform import Transform

Planes = NDArray[np.float32]


class Measurement(Protocol):
    """The operator of an image; visibilities are about its centre, or in a mosaic about their pointing.

    Attributes
    ----------
    kept_bytes : int
        What it may keep in memory.
    """

    kept_bytes: int

    def blank(self, *count: int) -> Planes:
        """Planes [..., y, x] of zeros to add to; not all operators add at the image's pixels."""

    def finished(self, planes: NDArray[Any]) -> NDArray[Any]:
        """Planes to which all is added, as the image's [..., y, x]."""

    def sky_plane(self, pixels: NDArray[Any]) -> SkyPlane:
        """A model [y, x] as `predict` takes it."""

    def add_dirty(self, planes: Planes, at: Sampling, data: Sequence[Any], weights: Sequence[Any]) -> None:
        """Add dirty images to planes [weight, data, y, x].

        Parameters
        ----------
        data : sequence of complex64 [row, chan]
            Visibilities [Jy].
        weights : sequence of float32 [row, chan]
            Imaging weights, for each of which all the data are gridded.
        """

    def add_psf(self, planes: Planes, at: Sampling, weights: Sequence[Any]) -> None:
        """Add PSFs to planes [weight, y, x]."""

    def add_squared_beam(self, planes: Planes, at: Sampling, weights: Sequence[Any]) -> None:
        """Add the squared primary beam times the sum of weights to planes [weight, y, x]."""

    def sees(self, at: Sampling) -> bool:
        """Whether the visibilities count for the image."""

    def predict(self, at: Sampling, model: SkyPlane, wanted: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """The visibilities of a model, complex64 [row, chan], at least where they are wanted [Jy]."""


@dataclass(frozen=True)
class OneField:
    """The operator of an image whose primary beam isn't taken into account.

    Attributes
    ----------
    transform : Transform
    """

    transform: Transform
    kept_bytes = 0

    def blank(self, *count: int) -> Planes:
        """Planes [..., y, x] of zeros, in the order of memory in which ducc0 gives them."""
        return np.zeros((*count, *self.transform.shape), np.float32).swapaxes(-1, -2)

    def finished(self, planes: NDArray[Any]) -> NDArray[Any]:
        return planes

    def sky_plane(self, pixels: NDArray[Any]) -> SkyPlane:
        return SkyPlane(pixels)

    def add_dirty(self, planes: Planes, at: Sampling, data: Sequence[Any], weights: Sequence[Any]) -> None:
        for number, weight in enumerate(weights):
            for product, values in enumerate(data):
                planes[number, product] += self.transform.dirty(at.uvw, at.freq, values, weight)

    def add_psf(self, planes: Planes, at: Sampling, weights: Sequence[Any]) -> None:
        self.add_dirty(planes[:, np.newaxis], at, [np.ones(weights[0].shape, np.complex64)], weights)

    def add_squared_beam(self, planes: Planes, at: Sampling, weights: Sequence[Any]) -> None:
        for number, weight in enumerate(weights):
            planes[number] += weight.sum(dtype=float)

    def sees(self, at: Sampling) -> bool:
        return True

    def predict(self, at: Sampling, model: SkyPlane, wanted: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        points, transform = model.points, self.transform
        if points and is_direct_cheaper(len(points.flux), len(at.uvw) * len(at.freq), model.pixels.size):
            return direct_sum(at.uvw, at.freq, transform.places(points.x, points.y), points.flux)
        return transform.predict(at.uvw, at.freq, model.grid, wanted)
