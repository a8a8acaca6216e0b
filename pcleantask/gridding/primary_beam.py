"""Primary beams by CASA's voltage patterns, without a pass over the data."""

from __future__ import annotations

import copy
import dataclasses
import shutil

import numpy as np

from .. import casa
from ..images.writing import channel_groups, read_channels
from ..toolrecords import Record, ToolRecords
from .beam_bands import with_beam_of_cube
from .field_images import FieldImages
from .selection import PARTS


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
    shown = dataclasses.replace(records, selpars=tuple(map(_one_row_a_field, records.selpars)))
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
        shutil.rmtree(part + ".pb")
    shutil.rmtree(part + ".vp", ignore_errors=True)


def _evaluate(records: ToolRecords, number: int, imagename: str, csys: Record, nchan: int) -> None:
    """Have CASA write the .pb of an image with these coordinates."""
    definition = {"imagename": imagename, "csys": csys, "nchan": nchan, "startmodel": ""}
    with casa.tool("synthesisimager") as tool, casa.working_on("making the primary beam"):
        for record in records.selpars:
            tool.selectdata(record)
        tool.defineimage({**records.impars[number], **definition}, {**records.gridpars[number], "imagename": imagename})
        tool.normalizerinfo({**records.normpars[number], "imagename": imagename})
        tool.makepb()


def _one_row_a_field(record: Record) -> Record:
    """The selection with the first selected row of each field alone; the record itself where nothing is selected."""
    chosen = {name: record[key] for key, name in PARTS.items() if record.get(key)}
    with casa.opened_ms(record["msname"]) as ms:
        rows = np.sort(ms.range(["rows"])["rows"]) if chosen and ms.msselect(chosen) else slice(None)
    with casa.opened_table(record["msname"]) as table:
        fields = table.getcol("FIELD_ID")
    numbers = np.arange(len(fields))[rows]
    first = np.sort(numbers[np.unique(fields[rows], return_index=True)[1]])
    if not len(first):
        return record
    # TaQL counts the rows that the other parts of a selection leave, so that these are left out.
    return {**record, **dict.fromkeys(PARTS, ""), "taql": f"ROWID() IN [{','.join(map(str, first.tolist()))}]"}
