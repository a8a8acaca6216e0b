"""The image of the density from which a cube's weights come, `.gridwt`, as tclean leaves it."""

from __future__ import annotations

import numpy as np

from .... import casa
from ....images.information import MISCINFO, keywords
from ....images.pixels import write_channels
from ....toolrecords import ToolRecords
from ...data.selection import one_row_a_field
from ..weights.density import Density, Scheme
from .field_images import FieldImages


def write_weight_image(records: ToolRecords, images: FieldImages, density: Density, scheme: Scheme) -> None:
    """Write .gridwt of the main field.

    CASA lays it out (SynthesisImager::getWeightDensity), of one row of each field; then the cells become those of all
    data, and the constants of W = w / (density f2 + d2) those that follow from them.

    Parameters
    ----------
    records : ToolRecords
    images : FieldImages
        Of the main field.
    density : Density
        Of all the data.
    scheme : Scheme
    """
    coordinates = images.coordinates
    image = {"csys": coordinates.record, "nchan": coordinates.nchan, "startmodel": ""}
    definition = {"imagename": images.imagename, **image}
    with casa.tool("synthesisimager") as tool, casa.working_on("writing the density of weights"):
        for record in map(one_row_a_field, records.selpars):
            tool.selectdata(record)
        tool.defineimage({**records.impars[0], **definition}, {**records.gridpars[0], "imagename": images.imagename})
        tool.setweighting(**records.weightpars | {"usecubebriggs": False})
        path = str(tool.getweightdensity())
    write_channels(path, density.cells.T.astype(np.float32)[np.newaxis, np.newaxis])
    f2, d2 = (np.float32(value) for value in scheme.constants(density.cells, density.total))
    told = keywords(path)[MISCINFO]
    with casa.opened_table(path, writable=True) as table:
        table.putkeyword(MISCINFO, told | {"f2": np.full_like(told["f2"], f2), "d2": np.full_like(told["d2"], d2)})
