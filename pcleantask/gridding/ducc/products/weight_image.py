"""The image of the density from which a cube's weights come, `.gridwt`, as tclean leaves it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .... import casa
from ....images.information import MISCINFO, keywords
from ....recordvalues import Record
from ...casa_evaluator import CasaEvaluator
from ..weights.density import Density, Scheme
from .field_images import FieldImages

Owner = tuple[str, int] | None  # of a density: MeasurementSet and FIELD_ID, or all data


def write_weight_image(
    evaluator: CasaEvaluator, images: FieldImages, densities: Mapping[Owner, Density], scheme: Scheme
) -> None:
    """Write .gridwt of the main field.

    CASA lays it out, of one row of each field; then the cells become those of all data, and the constants of
    W = w / (density f2 + d2) those that follow from them.

    Parameters
    ----------
    evaluator : CasaEvaluator
        Of the run.
    images : FieldImages
        Of the main field.
    densities : mapping
        Of all the data under None; or, where they have densities of their own, of each MeasurementSet's fields.
    scheme : Scheme
    """
    path = evaluator.lay_out_density(images.imagename, images.coordinates)
    told = keywords(path)[MISCINFO]
    f2, d2 = np.array(told["f2"]), np.array(told["d2"])
    with casa.opened_image(path) as image:
        for owner, density in densities.items():
            number = 0 if owner is None else _number(told, evaluator, owner)
            place = [0, 0, 0, 0, number][: len(image.shape())]
            image.putchunk(density.cells.reshape(*density.cells.shape, *(1,) * (len(place) - 2)), blc=place)
            f2[number], d2[number] = (np.float32(value) for value in scheme.constants(density.cells, density.total))
    with casa.opened_table(path, writable=True) as table:
        table.putkeyword(MISCINFO, told | {"f2": f2, "d2": d2})


def _number(told: Record, evaluator: CasaEvaluator, owner: tuple[str, int]) -> int:
    """Which of an image's densities is a field's, as the image itself tells."""
    vis, field = owner
    key = f"{[selection.vis for selection in evaluator.selections].index(vis)}_{field}"
    return next(int(told[f"val{entry}"]) for entry in range(told["multimapsize"]) if told[f"key{entry}"] == key)
