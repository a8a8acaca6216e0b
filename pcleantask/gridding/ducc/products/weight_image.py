"""The image of the density from which a cube's weights come, `.gridwt`, as tclean leaves it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .... import casa
from ....images.information import MISCINFO, keywords
from ....toolrecords import Record, ToolRecords
from ...data.selection import one_row_a_field
from ..weights.density import Density, Scheme
from .field_images import FieldImages

Owner = tuple[str, int] | None  # of a density: MeasurementSet and FIELD_ID, or all data


def write_weight_image(
    records: ToolRecords, images: FieldImages, densities: Mapping[Owner, Density], scheme: Scheme
) -> None:
    """Write .gridwt of the main field.

    CASA lays it out (SynthesisImager::getWeightDensity), of one row of each field; then the cells become those of all
    data, and the constants of W = w / (density f2 + d2) those that follow from them.

    Parameters
    ----------
    records : ToolRecords
    images : FieldImages
        Of the main field.
    densities : mapping
        Of all the data under None; or, where they have densities of their own, of each MeasurementSet's fields.
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
    told = keywords(path)[MISCINFO]
    f2, d2 = np.array(told["f2"]), np.array(told["d2"])
    with casa.opened_image(path) as image:
        for owner, density in densities.items():
            number = 0 if owner is None else _number(told, records, owner)
            place = [0, 0, 0, 0, number][: len(image.shape())]
            image.putchunk(density.cells.reshape(*density.cells.shape, *(1,) * (len(place) - 2)), blc=place)
            f2[number], d2[number] = (np.float32(value) for value in scheme.constants(density.cells, density.total))
    with casa.opened_table(path, writable=True) as table:
        table.putkeyword(MISCINFO, told | {"f2": f2, "d2": d2})


def _number(told: Record, records: ToolRecords, owner: tuple[str, int]) -> int:
    """Which of an image's densities is a field's, as the image itself tells."""
    vis, field = owner
    key = f"{[record['msname'] for record in records.selpars].index(vis)}_{field}"
    return next(int(told[f"val{entry}"]) for entry in range(told["multimapsize"]) if told[f"key{entry}"] == key)
