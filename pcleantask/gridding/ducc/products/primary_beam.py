"""Primary beams by CASA's voltage patterns, without a pass over the data."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable, Iterator

import numpy as np

from .... import casa
from ....images.coordinates import ImageCoordinates
from ....images.information import MEMORY, MISCINFO, keywords, put_information
from ....images.pixels import channel_groups, read_channels, write_channels
from ....images.planes import image_geometry
from ....toolrecords import Record, ToolRecords
from ....traits import GRIDDERS
from ...beam_bands import with_beam_of_cube
from ...data.selection import one_row_a_field
from .field_images import FieldImages

WITH_FORMULA = frozenset({"ALMA", "ACA", "VLA", "EVLA", "ATCA", "WSRT"})  # telescopes


def make_primary_beam(records: ToolRecords, number: int, images: FieldImages) -> None:
    """Write .pb of an image field, as CASA's gridder leaves it for the normalizer.

    CASA adds up one pattern for each field of the data that it meets (SynthesisImagerVi2::makePrimaryBeam), so that it
    is shown one row of each: the cost is that of evaluating the patterns. A cube larger than `channel_groups` puts
    together is made by some channels at a time, as CASA holds all that it evaluates in memory.

    Parameters
    ----------
    records : ToolRecords
        Selections, and definitions of the images.
    number : int
        The field.
    images : FieldImages
    """
    is_even = images.coordinates.linear_axis is not None
    groups = channel_groups(images.shape) if is_even else [range(images.shape[3])]
    shown = _showing_little(records)
    if len(groups) == 1:
        evaluate(shown, number, images.imagename, images.coordinates)
        return
    images.make("pb")
    for channels, pixels, information in _evaluated(
        shown, number, images.imagename + ".part", images.coordinates, groups
    ):
        images.put("pb", pixels, channels.start)
        if not channels.start:
            put_information(images.path("pb"), _of_all(information, images.shape[3] / len(channels)))


def make_continuum_beams(records: ToolRecords) -> None:
    """Write .pb of all fields of a continuum run, as `make_primary_beam` does of one."""
    shown = _showing_little(records)
    for number, impars in enumerate(records.impars):
        evaluate(shown, number, impars["imagename"], ImageCoordinates(impars["csys"], impars["nchan"]))


def evaluate_on_threads(records: ToolRecords, number: int, imagename: str, threads: int) -> None:
    """Evaluate the .pb that CASA has made of a cube, not yet normalized, anew as a process with so many threads does.

    CASA has formulae for some telescopes' beams. Others are interpolated by a Fourier transform
    (PBMath1DNumeric::fillPBArray), whose last bits depend on the number of threads.
    """
    impars, gridpars = records.impars[number], records.gridpars[number]
    coordinates = ImageCoordinates(impars["csys"], impars["nchan"])
    has_formula = coordinates.telescope in WITH_FORMULA and not gridpars["vptable"]
    if has_formula or GRIDDERS[gridpars["gridder"]].joins_pointings:
        return
    path = f"{imagename}.pb"
    groups = channel_groups(image_geometry(path).shape)
    with casa.on_openmp_threads(threads):
        for channels, pixels, _ in _evaluated(
            _showing_little(records), number, f"{imagename}-evaluated", coordinates, groups
        ):
            write_channels(path, pixels, channels.start)


def _evaluated(
    records: ToolRecords, number: int, imagename: str, coordinates: ImageCoordinates, groups: Iterable[range]
) -> Iterator[tuple[range, np.ndarray, Record]]:  # fmt: skip
    """Channels, their primary beams, float32 [chan, pol, y, x], and keywords, by way of images of this name."""
    table = imagename + ".vp"
    for channels in groups:
        own = coordinates.from_channel(channels.start, len(channels))
        chosen = with_beam_of_cube(records.gridpars[number], coordinates, channels.start, table)
        gridpars = (*records.gridpars[:number], chosen, *records.gridpars[number + 1 :])
        evaluate(dataclasses.replace(records, gridpars=gridpars), number, imagename, own)
        yield channels, read_channels(f"{imagename}.pb", 0, len(channels)), keywords(f"{imagename}.pb")
        shutil.rmtree(imagename + ".pb")
    shutil.rmtree(table, ignore_errors=True)


def _showing_little(records: ToolRecords) -> ToolRecords:
    return dataclasses.replace(records, selpars=tuple(map(one_row_a_field, records.selpars)))


def _of_all(information: Record, ratio: float) -> Record:
    """What an image tells of itself that has so many times the channels."""
    told: Record = information[MISCINFO]
    return information | {MISCINFO: told | {MEMORY: told[MEMORY] * ratio}}


def evaluate(records: ToolRecords, number: int, imagename: str, coordinates: ImageCoordinates) -> None:
    """Have CASA write the .pb of an image with these coordinates."""
    definition = {
        "imagename": imagename, "csys": coordinates.record, "nchan": coordinates.nchan, "startmodel": "",
    }  # fmt: skip
    with casa.tool("synthesisimager") as tool, casa.working_on("making the primary beam"):
        for record in records.selpars:
            tool.selectdata(record)
        tool.defineimage({**records.impars[number], **definition}, {**records.gridpars[number], "imagename": imagename})
        tool.normalizerinfo({**records.normpars[number], "imagename": imagename})
        tool.makepb()
