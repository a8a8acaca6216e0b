"""The voltage patterns of ALMA's and ACA's dishes, as CASA has them in mosaics.

From HetArrayConvFunc::findAntennaSizes (CASA's TransformMachines2/HetArrayConvFunc.cc) and PBMath1DAiry::fillPBArray
(TransformMachines/PBMath1DAiry.cc).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # its submodules, which take 0.2 s to load, are loaded when they are used
from numpy.typing import NDArray

from .power_pattern import PowerPattern

LARGE = 12.0  # diameter [m] of dishes that count as 10.7 m; all others count as ACA's
ARCMIN_GHZ = np.pi / 180 / 60 * 1e9  # [rad Hz]
ARCSEC_100GHZ = ARCMIN_GHZ / 60 * 100
SAMPLES = 1000  # among which nulls are looked for
SCALE = 7.016 / (1.566 * 60) / 24.5  # by which CASA scales [arcmin GHz m]

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class BlockedAiry:
    """The voltage pattern of a dish with a hole.

    Attributes
    ----------
    dish, hole : float
        Diameters [m].
    reach : float
        Distance from the axis times frequency where it ends [rad Hz].
    """

    dish: float
    hole: float
    reach: float

    @classmethod
    def of_dish(cls, diameter: float, fov: float) -> BlockedAiry:
        """Of a dish of this diameter [m] in an image of this size from south to north [rad]."""
        fov_arcsec = np.degrees(fov) * 3600
        if abs(diameter - LARGE) < 0.5:
            return cls(10.7, 0.75, max(150.0, fov_arcsec / 5) * ARCSEC_100GHZ)
        return cls(6.25, 0.75, max(300.0, fov_arcsec / 3) * ARCSEC_100GHZ)

    def __call__(self, distance: Doubles) -> Doubles:
        """The pattern, 1 on the axis, at distances times frequency [rad Hz]."""
        x = np.maximum(np.asarray(distance) / ARCMIN_GHZ * SCALE * self.dish, 1e-9)
        ratio = self.dish / self.hole
        found = (ratio**2 * 2 * scipy.special.j1(x) / x - 2 * scipy.special.j1(ratio * x) / (ratio * x)) / (
            ratio**2 - 1
        )
        return np.where(distance <= self.reach, found, 0.0)

    @property
    def aperture(self) -> float:
        """Diameter of the aperture that the pattern is the transform of [m]: CASA's formula has a hole's that is wider.

        The hole's pattern is narrower than the dish's by the ratio by which it should be wider; it is 1/200 as strong.
        """
        return self.dish**2 / self.hole

    @property
    def last_null(self) -> float:
        """The last distance times frequency within its reach at which it is 0 [rad Hz]."""
        places = np.linspace(0, self.reach, SAMPLES)
        signs = np.signbit(self(places))
        last = int(np.flatnonzero(signs[1:] != signs[:-1])[-1])
        return float(scipy.optimize.brentq(self, places[last], places[last + 1], xtol=1e-9 * self.reach))


def pattern_of_pair(dishes: tuple[float, float], fov: float, *, to_null: bool) -> PowerPattern:
    """The power pattern of a baseline between two dishes [m].

    Parameters
    ----------
    dishes : tuple of float
    fov : float
        See `BlockedAiry.of_dish`.
    to_null : bool
        End it smoothly, at a null: for 12 m dishes the second, which is at 0.86 of CASA's radius.
    """
    one, other = (BlockedAiry.of_dish(dish, fov) for dish in dishes)
    reach = min(antenna.last_null if to_null else antenna.reach for antenna in (one, other))
    return PowerPattern.of(lambda distance: one(distance) * other(distance), reach)
