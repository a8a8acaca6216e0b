"""Primary beams by CASA's voltage patterns, without a pass over the data."""

from __future__ import annotations

from ....images.information import MEMORY, MISCINFO, put_information
from ....images.pixels import channel_groups
from ....recordvalues import Record
from ...casa_evaluator import CasaEvaluator
from .field_images import FieldImages


def make_primary_beam(evaluator: CasaEvaluator, number: int, images: FieldImages) -> None:
    """Write .pb of an image field, as CASA's gridder leaves it for the normalizer.

    A cube larger than `channel_groups` puts together is made by some channels at a time.

    Parameters
    ----------
    evaluator : CasaEvaluator
        Of the run.
    number : int
        The field.
    images : FieldImages
    """
    coordinates, nchan = images.coordinates, images.shape[3]
    is_even = coordinates.linear_axis is not None
    groups = channel_groups(images.shape) if is_even else [range(nchan)]
    if len(groups) == 1:
        evaluator.write_primary_beam(number, images.imagename, coordinates)
        return
    images.make("pb")
    for channels, pixels, information in evaluator.primary_beams(
        number, images.imagename + ".part", coordinates, groups
    ):
        images.put("pb", pixels, channels.start)
        if not channels.start:
            put_information(images.path("pb"), _of_all(information, nchan / len(channels)))


def _of_all(information: Record, ratio: float) -> Record:
    """What an image tells of itself that has so many times the channels."""
    told: Record = information[MISCINFO]
    return information | {MISCINFO: told | {MEMORY: told[MEMORY] * ratio}}
