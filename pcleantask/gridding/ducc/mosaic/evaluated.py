"""Power patterns of telescopes for which CASA has one beam, by CASA's own evaluator."""

from __future__ import annotations

import shutil

import numpy as np

from ....images.coordinates import ImageCoordinates
from ....images.pixels import read_channels
from ...casa_evaluator import CasaEvaluator
from ...data.selection import DataSet
from ...spectral.axis import LIGHT_SPEED
from .power_pattern import Doubles, PowerPattern

SAMPLES, HEIGHT = 4096, 16  # pixels of the image that CASA makes of the beam, from near the axis outwards
EDGE = 4  # pixels between that image's edge and the axis
EXTENT = 8.0  # of it, in units of wavelength over diameter
STEP = 0.0025  # relative difference of the frequencies at which beams are evaluated
USUAL_DISH = 25.0  # [m], where the data don't tell


def evaluated_patterns(
    evaluator: CasaEvaluator, coordinates: ImageCoordinates, source: DataSet, frequencies: Doubles
) -> list[PowerPattern]:
    """The patterns at some frequencies, as gridder='standard' evaluates the beam of one field; all of one reach.

    Parameters
    ----------
    evaluator : CasaEvaluator
        Of the run.
    coordinates : ImageCoordinates
        Of the image.
    source : DataSet
        Data of the telescope, of one field of a mosaic.
    frequencies : ndarray of float64, shape (n,)
        Evenly spaced [Hz].
    """
    assert source.pointing is not None
    dish = max(source.pointing.dishes) or USUAL_DISH
    cell = EXTENT * LIGHT_SPEED / float(frequencies.max()) / dish / SAMPLES
    imagename, imsize = evaluator.imagenames[0] + ".beam", (SAMPLES, HEIGHT)
    x, y, z = source.pointing.cosines
    direction = float(np.arctan2(y, x)), float(np.arcsin(z))
    own = coordinates.of_plane(direction, (cell, cell), (EDGE, HEIGHT // 2), frequencies)
    evaluator.write_beam_of_field(source.vis, source.field, imagename, own, imsize)
    pixels = read_channels(imagename + ".pb", 0, len(frequencies))[:, 0, HEIGHT // 2, EDGE:].astype(float)
    shutil.rmtree(imagename + ".pb")
    distance = cell * np.arange(pixels.shape[1])
    ends = [np.flatnonzero(profile)[-1] * frequency for profile, frequency in zip(pixels, frequencies, strict=True)]
    reach = cell * float(max(ends))
    return [
        _pattern(distance * frequency, profile, reach) for profile, frequency in zip(pixels, frequencies, strict=True)
    ]


def _pattern(distance: Doubles, profile: Doubles, reach: float) -> PowerPattern:
    """The pattern that has been evaluated at some distances times frequency [rad Hz]."""

    def at(wanted: Doubles) -> Doubles:
        return np.interp(wanted, distance, profile)

    return PowerPattern.of(at, reach)


def nodes(low: float, high: float) -> Doubles:
    """Evenly spaced frequencies, near enough for what is between them, from one to another."""
    return np.linspace(low, high, 1 + max(1, int(np.ceil((high - low) / (STEP * low)))))
