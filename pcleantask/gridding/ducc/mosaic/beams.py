"""The primary beams of a mosaic: for each telescope and pair of dishes, at each frequency."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ....images.coordinates import ImageCoordinates
from ...casa_evaluator import CasaEvaluator
from ...data.pointings import BY_DISH
from ...data.selection import DataSet, Pointing
from .airy import BlockedAiry, pattern_of_pair
from .evaluated import evaluated_patterns, nodes
from .power_pattern import PowerPattern

Kind = tuple[str, tuple[float, float]]  # telescope, dishes
KEPT = 64


class Beams:
    """Power patterns of the telescopes that a mosaic's data are of.

    Parameters
    ----------
    evaluator : CasaEvaluator
        Of the run.
    coordinates : ImageCoordinates
        Of the image.
    fov : float
        Size of the image from south to north [rad].
    sources : sequence of DataSet
        All data, each with its pointing.
    to_null : bool
        Whether beams for which there is a formula end smoothly, at a null, and not where CASA ends them.

    Attributes
    ----------
    is_smooth : bool
        Whether all beams end smoothly.
    """

    def __init__(
        self,
        evaluator: CasaEvaluator,
        coordinates: ImageCoordinates,
        fov: float,
        sources: Sequence[DataSet],
        *,
        to_null: bool,
    ) -> None:
        frequencies = np.concatenate([source.frequency for source in sources])
        self._nodes = nodes(float(frequencies.min()), float(frequencies.max()))
        self._patterns: dict[Kind, list[PowerPattern]] = {}
        for source in sources:
            assert source.pointing is not None
            kind = source.pointing.telescope, source.pointing.dishes
            if kind in self._patterns:
                continue
            if kind[0] in BY_DISH:
                self._patterns[kind] = [pattern_of_pair(kind[1], fov, to_null=to_null)]
            else:
                self._patterns[kind] = evaluated_patterns(evaluator, coordinates, source, self._nodes)
        self.is_smooth = to_null and all(
            telescope in BY_DISH and one == other for telescope, (one, other) in self._patterns
        )
        self._at = lru_cache(KEPT)(self._mixed)

    @property
    def extent(self) -> tuple[float, float]:
        """Of those for which there is a formula: the largest dish, and the largest aperture in the formula [m]."""
        dishes = [
            BlockedAiry.of_dish(dish, 0.0)
            for telescope, pair in self._patterns
            if telescope in BY_DISH
            for dish in pair
        ]
        return max(one.dish for one in dishes), max(one.aperture for one in dishes)

    def radius(self, frequency: float) -> float:
        """The largest radius of all beams at a frequency [rad]."""
        return max(pattern.radius(frequency) for patterns in self._patterns.values() for pattern in patterns)

    def pattern(self, pointing: Pointing, frequency: float) -> PowerPattern:
        """The pattern at a frequency [Hz]."""
        patterns = self._patterns[pointing.telescope, pointing.dishes]
        return patterns[0] if len(patterns) == 1 else self._at(pointing.telescope, pointing.dishes, frequency)

    def _mixed(self, telescope: str, dishes: tuple[float, float], frequency: float) -> PowerPattern:
        patterns = self._patterns[telescope, dishes]
        place = float(np.interp(frequency, self._nodes, np.arange(len(patterns))))
        number = min(int(place), len(patterns) - 2)
        return patterns[number].mixed(patterns[number + 1], place - number)
