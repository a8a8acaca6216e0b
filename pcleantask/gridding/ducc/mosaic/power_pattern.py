"""Power patterns of baselines as tables of the squared distance from the axis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

STEPS = 32768  # of a table between which it is linear: 2e-6 off

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class PowerPattern:
    """The product of two antennas' voltage patterns, which depends on distance times frequency alone.

    Parameters
    ----------
    reach : float
        Distance times frequency where it ends [rad Hz].
    values : ndarray of float64, shape (STEPS + 1,)
        The pattern at even steps of the square of that, from 0 to the reach's.
    """

    def __init__(self, reach: float, values: Doubles) -> None:
        self.reach, self.values = reach, values
        self._values = np.append(values[:-1], 0.0).astype(np.float32)  # nothing from the end on
        self._steps = np.append(np.diff(values), 0.0).astype(np.float32)

    @classmethod
    def of(cls, pattern: Callable[[Doubles], Doubles], reach: float) -> PowerPattern:
        """The table of a function of distance times frequency [rad Hz]."""
        return cls(reach, pattern(reach * np.sqrt(np.linspace(0, 1, STEPS + 1))))

    def mixed(self, other: PowerPattern, share: float) -> PowerPattern:
        """This one and a share of another of the same reach."""
        return PowerPattern(self.reach, (1 - share) * self.values + share * other.values)

    def radius(self, frequency: float) -> float:
        """The distance at which it ends [rad]."""
        return self.reach / frequency

    def at(self, x: Doubles, y: Doubles, frequency: float) -> Floats:
        """The pattern at all pairs of distances along two axes [rad], shape (x, y)."""
        squared_x, squared_y = ((self._scale(frequency) * axis**2).astype(np.float32) for axis in (x, y))
        return self._between(squared_x[:, np.newaxis] + squared_y)

    def at_points(self, x: Doubles, y: Doubles, frequency: float) -> Floats:
        """The pattern at distances along two axes [rad], shape (point,)."""
        return self._between((self._scale(frequency) * (x**2 + y**2)).astype(np.float32))

    def _scale(self, frequency: float) -> float:
        """Steps of the table for a squared distance [rad^-2]."""
        return STEPS * (frequency / self.reach) ** 2

    def _between(self, place: Floats) -> Floats:
        """The table's values between its steps."""
        place = np.minimum(place, np.float32(STEPS))
        number = place.astype(np.int32)
        place -= number
        place *= self._steps[number]
        place += self._values[number]
        return place
