"""Measurement operators: what an array sees of an image's planes, and the adjoint, by which dirty images are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .channels.block import Sampling
from .transform import Transform

Planes = NDArray[np.float32]


class Measurement(Protocol):
    """The operator of an image; visibilities are about its centre, or in a mosaic about their pointing."""

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

    def add_squared_beam(self, planes: NDArray[np.float64], at: Sampling, weights: Sequence[Any]) -> None:
        """Add the squared primary beam times the sum of weights to planes [weight, y, x]."""

    def sees(self, at: Sampling) -> bool:
        """Whether the visibilities count for the image."""

    def predict(self, at: Sampling, plane: NDArray[Any], wanted: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """The visibilities of a model [y, x], complex64 [row, chan], at least where they are wanted [Jy]."""


@dataclass(frozen=True)
class OneField:
    """The operator of an image whose primary beam isn't taken into account.

    Attributes
    ----------
    transform : Transform
    """

    transform: Transform

    def add_dirty(self, planes: Planes, at: Sampling, data: Sequence[Any], weights: Sequence[Any]) -> None:
        for number, weight in enumerate(weights):
            for product, values in enumerate(data):
                planes[number, product] += self.transform.dirty(at.uvw, at.freq, values, weight)

    def add_psf(self, planes: Planes, at: Sampling, weights: Sequence[Any]) -> None:
        self.add_dirty(planes[:, np.newaxis], at, [np.ones(weights[0].shape, np.complex64)], weights)

    def add_squared_beam(self, planes: NDArray[np.float64], at: Sampling, weights: Sequence[Any]) -> None:
        for number, weight in enumerate(weights):
            planes[number] += weight.sum(dtype=float)

    def sees(self, at: Sampling) -> bool:
        return True

    def predict(self, at: Sampling, plane: NDArray[Any], wanted: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        return self.transform.predict(at.uvw, at.freq, plane, wanted)
