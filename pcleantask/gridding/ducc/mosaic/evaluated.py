"""Power patterns of telescopes for which CASA has one beam, by CASA's own evaluator."""

from __future__ import annotations

import dataclasses
import shutil
from typing import Any

import numpy as np

from .... import casa
from ....images.coordinates import ImageCoordinates
from ....images.pixels import read_channels
from ....toolrecords import Record, ToolRecords
from ...data.selection import DataSet, one_row_a_field
from ...spectral.axis import LIGHT_SPEED
from ..products.primary_beam import evaluate
from .power_pattern import Doubles, PowerPattern

SAMPLES, HEIGHT = 4096, 16  # pixels of the image that CASA makes of the beam, from near the axis outwards
EDGE = 4  # pixels between that image's edge and the axis
EXTENT = 8.0  # of it, in units of wavelength over diameter
STEP = 0.0025  # relative difference of the frequencies at which beams are evaluated
USUAL_DISH = 25.0  # [m], where the data don't tell


def evaluated_patterns(
    records: ToolRecords, coordinates: ImageCoordinates, source: DataSet, frequencies: Doubles
) -> list[PowerPattern]:
    """The patterns at some frequencies, as gridder='standard' evaluates the beam of one field; all of one reach.

    Parameters
    ----------
    records : ToolRecords
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
    imagename = records.imagenames[0] + ".beam"
    own = _records(records, source, imagename)
    evaluate(own, 0, imagename, _coordinates(coordinates, source, cell, frequencies))
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


def _records(records: ToolRecords, source: DataSet, imagename: str) -> ToolRecords:
    """Of a run that shows CASA the field alone, and asks for a cube of the beam."""
    seen = next(record for record in records.selpars if record["msname"] == source.vis)
    impars = {**records.impars[0], "imsize": [SAMPLES, HEIGHT], "specmode": "cube", "stokes": "I"}
    gridpars = {**records.gridpars[0], "gridder": "standard", "deconvolver": "hogbom"}
    return dataclasses.replace(
        records,
        selpars=(one_row_a_field({**seen, "taql": "", "field": str(source.field)}),),
        impars=(impars,),
        gridpars=(gridpars,),
        normpars=records.normpars[:1],
    )


def _coordinates(coordinates: ImageCoordinates, source: DataSet, cell: float, frequencies: Doubles) -> ImageCoordinates:
    assert source.pointing is not None
    x, y, z = source.pointing.cosines
    direction = [np.arctan2(y, x), np.arcsin(z)]
    with casa.tool("coordsys") as tool:
        _lay_out(tool, coordinates.direction_frame, direction, cell, frequencies)
        record: Record = tool.torecord()
    told = {key: coordinates.record[key] for key in ("telescope", "observer", "obsdate", "telescopeposition")}
    return ImageCoordinates({**record, **told}, len(frequencies))


def _lay_out(tool: Any, frame: str, direction: list[Any], cell: float, frequencies: Doubles) -> None:
    tool.newcoordsys(direction=True, spectral=True, stokes=["I"])
    tool.setdirection(
        refcode=frame,
        proj="SIN",
        refval=[f"{angle}rad" for angle in direction],
        refpix=[EDGE, HEIGHT // 2],
        incr=[f"{step}rad" for step in (cell, cell)],
    )
    step = frequencies[1] - frequencies[0]
    tool.setreferencevalue(f"{frequencies[0]}Hz", "spectral")
    tool.setincrement(f"{step}Hz", "spectral")
    tool.setreferencepixel(0.0, "spectral")
