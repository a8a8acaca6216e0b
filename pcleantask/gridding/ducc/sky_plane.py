"""A plane of a model as measurement operators take it: its pixels, or, where they are few, a list of points."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..spectral.axis import LIGHT_SPEED

# What a pixel of a grid costs, and a visibility by way of it; the unit is a visibility of a point summed directly.
PIXEL, VISIBILITY = 3.0, 8.0
MOST = 2000  # points that are worth a list
PIECE = 1 << 18  # of visibilities times points that are summed at once

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]


class Points(NamedTuple):
    """The pixels of a model that aren't zero.

    Attributes
    ----------
    x, y : ndarray of int64, shape (point,)
        Their places in pixels.
    flux : ndarray of float32, shape (point,)
        [Jy]
    """

    x: Ints
    y: Ints
    flux: Floats


class SkyPlane:
    """A plane of a model.

    Parameters
    ----------
    pixels : ndarray of float32, shape (y, x)
        [Jy/pixel]
    gridded : callable, optional
        What makes of it the plane that is transformed.
    """

    def __init__(self, pixels: NDArray[Any], gridded: Callable[[NDArray[Any]], NDArray[Any]] | None = None) -> None:
        self.pixels, self._make_grid = pixels, gridded

    @cached_property
    def points(self) -> Points | None:
        """Its points; None where there are many."""
        if np.count_nonzero(self.pixels) > MOST:
            return None
        y, x = np.nonzero(self.pixels)
        return Points(x, y, self.pixels[y, x].astype(np.float32))

    @cached_property
    def grid(self) -> NDArray[Any]:
        """The plane that is transformed."""
        return self._make_grid(self.pixels) if self._make_grid else self.pixels


def is_direct_cheaper(points: int, visibilities: int, pixels: int) -> bool:
    """Whether to sum so many points directly rather than by way of a grid of so many pixels."""
    return points * visibilities < PIXEL * pixels + VISIBILITY * visibilities


def direct_sum(uvw: Doubles, freq: Doubles, places: Doubles, flux: Floats) -> NDArray[np.complex64]:
    """The visibilities of points, complex64 [row, chan], as `transform` defines them.

    Parameters
    ----------
    uvw : ndarray of float64, shape (row, 3)
        [m]
    freq : ndarray of float64, shape (chan,)
        [Hz]
    places : ndarray of float64, shape (3, point)
        l, m, and n - 1 or 0.
    flux : ndarray of float32, shape (point,)
        [Jy]
    """
    found = np.empty((len(uvw), len(freq)), np.complex64)
    step = max(1, PIECE // max(1, len(flux)))
    for first in range(0, len(uvw), step):
        rows = slice(first, first + step)
        path = uvw[rows] @ (places / LIGHT_SPEED)
        for channel, frequency in enumerate(freq):
            turns = path * frequency
            turns -= np.rint(turns)
            angle = (2 * np.pi * turns).astype(np.float32)
            found.real[rows, channel] = np.cos(angle) @ flux
            found.imag[rows, channel] = np.sin(angle) @ flux
    return found
