"""Primary beams by CASA's voltage patterns, without a pass over the data."""

from __future__ import annotations

import copy
import dataclasses
import shutil

from .. import casa
from ..images.assemble import MEMORY
from ..images.writing import MISCINFO, channel_groups, keywords, put_information, read_channels
from ..toolrecords import Record, ToolRecords
from .beam_bands import with_beam_of_cube
from .field_images import FieldImages
from .selection import one_row_a_field


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
    spectral = images.coordinates[images.key("spectral")]
    groups = channel_groups(images.shape) if "wcs" in spectral else [range(images.shape[3])]
    shown = dataclasses.replace(records, selpars=tuple(map(one_row_a_field, records.selpars)))
    if len(groups) == 1:
        _evaluate(shown, number, images.imagename, images.coordinates, images.shape[3])
        return
    images.make("pb")
    part = images.imagename + ".part"
    for channels in groups:
        csys = copy.deepcopy(images.coordinates)
        csys[images.key("spectral")]["wcs"]["crpix"] -= channels.start
        chosen = with_beam_of_cube(shown.gridpars[number], images.coordinates, channels.start, part + ".vp")
        by_cube = dataclasses.replace(shown, gridpars=(*shown.gridpars[:number], chosen, *shown.gridpars[number + 1 :]))
        _evaluate(by_cube, number, part, csys, len(channels))
        images.write("pb", read_channels(part + ".pb", 0, len(channels)), channels.start)
        if not channels.start:
            put_information(images.path("pb"), _of_all(keywords(part + ".pb"), images.shape[3] / len(channels)))
        shutil.rmtree(part + ".pb")
    shutil.rmtree(part + ".vp", ignore_errors=True)


def _of_all(information: Record, ratio: float) -> Record:
    """What an image tells of itself that has so many times the channels."""
    told: Record = information[MISCINFO]
    return information | {MISCINFO: told | {MEMORY: told[MEMORY] * ratio}}


def _evaluate(records: ToolRecords, number: int, imagename: str, csys: Record, nchan: int) -> None:
    """Have CASA write the .pb of an image with these coordinates."""
    definition = {"imagename": imagename, "csys": csys, "nchan": nchan, "startmodel": ""}
    with casa.tool("synthesisimager") as tool, casa.working_on("making the primary beam"):
        for record in records.selpars:
            tool.selectdata(record)
        tool.defineimage({**records.impars[number], **definition}, {**records.gridpars[number], "imagename": imagename})
        tool.normalizerinfo({**records.normpars[number], "imagename": imagename})
        tool.makepb()
