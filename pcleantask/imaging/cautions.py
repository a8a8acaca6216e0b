"""What a run is warned of that only its data and images tell: that they stay blank, or can't be cleaned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .. import casa
from ..config import PcleanConfig
from ..errors import BlankImageError
from ..gridding.coverage import why_blank
from ..gridding.data.selection import find_data
from ..gridding.data.stokes import planes_of
from ..images import planes
from ..inputs import is_image
from ..sections import ImageField
from ..toolrecords import data_selections

PER_BEAM = "Jy/beam"


def tell_of_blanks(config: PcleanConfig, blanks: Sequence[NDArray[np.bool_]]) -> bool:
    """Warn of images, channels and Stokes planes on which no visibility has fallen; whether that is all of them.

    Parameters
    ----------
    config : PcleanConfig
    blanks : sequence of ndarray of bool, shape (chan, pol)
        Each field's planes.

    Raises
    ------
    BlankImageError
        CASA's mtmfs can't restore or clean such an image: it ends the process.
    """
    cleans = config.iteration.niter > 0 or config.deconvolution.restoration
    for field, blank in zip(config.fields, blanks, strict=True):
        if blank.all():
            text = f"Nothing was gridded on {field.imagename!r}, and its images are blank: {why_blank(config, field)}"
            if field.multiterm and cleans:
                raise BlankImageError(f"{text}. CASA's mtmfs can't go on with that")
            casa.post(text, "WARN")
        else:
            for caution in _of_planes(field, blank, config.frame.stokes):
                casa.post(caution, "WARN")
    return all(blank.all() for blank in blanks)


def _of_planes(field: ImageField, blank: NDArray[np.bool_], stokes: str) -> Iterator[str]:
    """Warnings of the planes of an image that has data on others."""
    channels = np.flatnonzero(blank.all(axis=1))
    if len(channels):
        yield (
            f"{len(channels)} of the {len(blank)} channels of {field.imagename!r} are blank, as no visibility has "
            f"fallen on them (they may be beyond the data, or flagged): {_ranges(channels)}"
        )
    pols = np.flatnonzero(blank.all(axis=0))
    if len(pols):
        names = ", ".join(planes_of(stokes)[pol] for pol in pols)
        yield f"{names} of {field.imagename!r} is blank, as the data lack correlations that stokes={stokes!r} needs"


def _ranges(numbers: NDArray[np.int64]) -> str:
    """Rising numbers as CASA writes channels: 0~3, 7."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ", ".join(f"{run[0]}~{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def tell_of_beams(config: PcleanConfig, beyond: Sequence[bool]) -> None:
    """Warn of fields that are nowhere within the primary beam's limit.

    Parameters
    ----------
    config : PcleanConfig
    beyond : sequence of bool
        For each field whether that is so.
    """
    for field, is_beyond in zip(config.fields, beyond, strict=True):
        if is_beyond:
            limit = config.gridding.pblimit
            casa.post(
                f"{field.imagename!r} lies beyond pblimit={limit} of the primary beam everywhere: its images are "
                f"masked, and it is never cleaned; pblimit={-limit} masks nothing",
                "WARN",
            )


def start_model_cautions(config: PcleanConfig) -> list[str]:
    """Warnings of start models whose pixels are those of a restored image."""
    found = []
    for field in config.fields:
        models = [field.startmodel] if isinstance(field.startmodel, str) else field.startmodel
        for model in filter(is_image, filter(None, models)):
            unit = planes.brightness_unit(model)
            if unit.replace(" ", "").lower() == PER_BEAM.lower():
                found.append(
                    f"startmodel {model!r} is in {unit}, and is taken for Jy/pixel: a restored image has many times "
                    "the flux of its model; give a .model"
                )
    return list(dict.fromkeys(found))


def start_cautions(config: PcleanConfig) -> list[str]:
    """Warnings of a cube's first channel that the data don't have: CASA begins with their first then."""
    channels = {field.start for field in config.fields if field.is_cube and str(field.start).lstrip("+-").isdecimal()}
    if not channels:
        return []
    there = sum(int(source.channels[-1]) + 1 for source in find_data(data_selections(config)))
    return [
        f"start={start!r} is no channel of the selected data: the cube begins with their first"
        for start in channels
        if not 0 <= int(start) < there
    ]
