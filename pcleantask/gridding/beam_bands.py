"""The primary beam of a part of a cube where CASA has several for a telescope: that of the whole cube.

CASA takes the one of the band that the image's first channel is in (SynthesisImager::makePBImage,
PBMath::whichCommonPBtoUse, casatools 6.7), and a part may begin in another band. A table of voltage patterns tells it
which one to take.
"""

from __future__ import annotations

import math
from pathlib import Path

from .. import casa
from ..images.coordinates import ImageCoordinates
from ..recordvalues import Record
from ..traits import GRIDDERS

# Telescope -> bands, each with its limits [GHz], neither in it, and its beam; and the beam of all other frequencies.
BANDS: dict[str, tuple[tuple[tuple[float, float, str], ...], str]] = {
    "VLA": (
        (
            (35.0, 55.0, "VLA_Q"),
            (19.0, 35.0, "VLA_K"),
            (11.0, 19.0, "VLA_U"),
            (7.0, 11.0, "VLA_X"),
            (4.0, 7.0, "VLA_C"),
            (1.0, 2.0, "VLA_L"),
            (0.2, 0.4, "VLA_P"),
            (-math.inf, 0.1, "VLA_4"),
        ),
        "VLA_NVSS",
    ),
    "WSRT": (((-math.inf, 0.5, "WSRT_LOW"), (0.5, 0.8, "WSRT_LOW")), "WSRT"),
    "ATCA": (
        (
            (math.nextafter(7.0, 0.0), 12.5, "ATCA_X"),  # 7 GHz itself is in it
            (4.0, 7.0, "ATCA_C"),
            (1.0, 3.5, "ATCA_16"),
            (15.0, 26.0, "ATCA_K"),
            (30.0, 50.0, "ATCA_Q"),
            (80.0, 120.0, "ATCA_W"),
        ),
        "ATCA_L1",
    ),
}


def beam_of_band(telescope: str, frequency: float) -> str:
    """CASA's name of the beam at a frequency [Hz]; '' for telescopes that have one for all."""
    bands, other = BANDS.get(telescope, ((), ""))
    return next((name for low, high, name in bands if low < frequency / 1e9 < high), other)


def with_beam_of_cube(gridpars: Record, coordinates: ImageCoordinates, first: int, path: str) -> Record:
    """The gridding parameters of a part of a cube that begins at channel `first`.

    Parameters
    ----------
    gridpars : dict
        The record of `toolrecords.to_casa_gridpars`.
    coordinates : ImageCoordinates
        Of the whole cube.
    first : int
        The part's first channel.
    path : str
        Where to write the table of voltage patterns, if it takes one.
    """
    axis = coordinates.linear_axis
    takes_bands_of_data = gridpars["vptable"] or GRIDDERS[gridpars["gridder"]].joins_pointings
    if axis is None or takes_bands_of_data:
        return gridpars
    telescope = coordinates.telescope
    frequencies = (axis.at(channel) for channel in (0, first))
    expected, found = (beam_of_band(telescope, frequency) for frequency in frequencies)
    if found == expected:
        return gridpars
    if not Path(path).exists():
        _write_pattern(path, telescope, expected)
    return {**gridpars, "vptable": path}


def _write_pattern(path: str, telescope: str, beam: str) -> None:
    manager = casa.load().vpmanager()
    manager.reset()
    manager.setcannedpb(telescope="OTHER", othertelescope=telescope, commonpb=beam, paincrement="720deg")
    manager.saveastable(path)
    manager.reset()
