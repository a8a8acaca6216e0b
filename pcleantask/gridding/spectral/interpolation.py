"""Places between points: which two points are around each, in tables over integrations; and exactly, where bits decide.

casacore's InterpolateArray1D flags what is beyond the first or the last point, and takes one of two points alone where
a place is on it, with no tolerance. Channels of an image are often where channels of data are at one time of the
observation (by default they begin there), and then the last bits of frequencies decide. Arrays only, no CASA.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

SAME = 1e-12  # relative distance of frequencies that may be the same: CASA's own answers vary by 1e-13


@dataclass(frozen=True)
class Brackets:
    """Places between sorted points: point `low` and the next, and how far between them; shape (integration, place)."""

    low: Ints
    high: Ints
    fraction: Doubles
    outside: NDArray[np.bool_]

    @property
    def nearest(self) -> Ints:
        return np.where(self.fraction > 0.5, self.high, self.low)

    def at(self, integrations: Ints) -> Brackets:
        return Brackets(
            self.low[integrations], self.high[integrations], self.fraction[integrations], self.outside[integrations]
        )


def bracket(points: Doubles, places: Doubles) -> Brackets:
    """Find the points around places; `points` rise or fall, and places may lie beyond them.

    Parameters
    ----------
    points : ndarray of float64, shape (point,)
        At least two.
    places : ndarray of float64, shape (integration, place)
    """
    falling = points[0] > points[-1]
    rising = points[::-1] if falling else points
    last = len(points) - 1
    tolerance = SAME * abs(rising[last])
    outside = (places < rising[0] - tolerance) | (places > rising[last] + tolerance)
    high = np.clip(np.searchsorted(rising, places), 1, last)
    fraction = (places - rising[high - 1]) / (rising[high] - rising[high - 1])
    if falling:
        return Brackets(last - high, last - high + 1, 1 - fraction, outside)
    return Brackets(high - 1, high, fraction, outside)


@dataclass(frozen=True)
class Exact:
    """Frequencies of data as CASA rounds them, at the integrations where that matters.

    Attributes
    ----------
    frequency : ndarray of float64, shape (kind, chan)
        In the frame of the image's axis [Hz].
    kind : ndarray of int64, shape (integration,)
        Which of them an integration has, -1 where rounding does not matter.
    """

    frequency: Doubles
    kind: Ints

    @classmethod
    def nowhere(cls, count: int) -> Exact:
        return cls(np.empty((0, 2)), np.full(count, -1))

    @functools.cached_property
    def one_of_each(self) -> Ints:
        """An integration of each kind."""
        kinds, first = np.unique(self.kind, return_index=True)
        return first[kinds >= 0]

    def at(self, integrations: Ints) -> Exact:
        """The exact frequencies of some integrations alone, numbered anew."""
        kinds, kind = np.unique(self.kind[integrations], return_inverse=True)
        return Exact(self.frequency[kinds[kinds >= 0]], kind - int((kinds < 0).any()))

    def put(self, values: NDArray[Any], exact: NDArray[Any]) -> NDArray[Any]:
        """Values [integration, ...], with exact ones [kind, ...] in the places of those that have them."""
        if not len(exact):
            return values
        own = (self.kind >= 0).reshape(-1, *[1] * (values.ndim - 1))
        return np.where(own, exact[self.kind], values)

    def at_all(self, frequency: Doubles, doppler: Doubles) -> Doubles:
        """Frequencies [chan] of data at all integrations, shape (integration, chan), exact where that matters."""
        return self.put(np.multiply.outer(doppler, frequency), self.frequency)

    def at_own(self, frequency: Doubles, channel: Ints, integrations: Ints | slice) -> Doubles:
        """Frequencies of data channels [integration, any] at some integrations, exact where that matters."""
        if not len(self.frequency):
            return frequency
        kind = self.kind[integrations, np.newaxis]
        return np.where(kind >= 0, self.frequency[kind, channel], frequency)

    def of_channels(self, channels: slice | Ints) -> Exact:
        """The exact frequencies of some of the data channels."""
        return Exact(self.frequency[:, channels], self.kind)

    def settle(self, found: Brackets, places: Doubles) -> Brackets:
        """Brackets that are right but for rounding, made right; places have shape (kind, place)."""
        if not len(self.frequency):
            return found
        right = _settled(found.at(self.one_of_each), self.frequency, places)
        return Brackets(
            self.put(found.low, right.low),
            self.put(found.high, right.high),
            self.put(found.fraction, right.fraction),
            self.put(found.outside, right.outside),
        )


def _settled(found: Brackets, points: Doubles, places: Doubles) -> Brackets:
    """The first points that are not before the places, from brackets that may be one off; points (kind, point)."""
    sign = np.where(points[:, -1:] > points[:, :1], 1.0, -1.0)
    last = points.shape[1] - 1
    row = np.arange(len(points))[:, np.newaxis]
    high = np.maximum(found.high - 1, 1)
    for _ in range(2):
        before = sign * points[row, high] < sign * places
        high = np.where(before, np.minimum(high + 1, last), high)
    low = points[row, high - 1]
    outside = (sign * places < sign * points[:, :1]) | (sign * places > sign * points[:, -1:])
    return Brackets(high - 1, high, (places - low) / (points[row, high] - low), outside)
