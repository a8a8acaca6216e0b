"""Masks that the parts of a cube can't read each for itself: the whole cube reads them, and parts get images of it."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from ... import casa
from ...config import PcleanConfig
from ...images.coordinates import ImageCoordinates
from ...imaging.deconvolver import Deconvolver
from ...recordvalues import Record
from ...sections import ImageField
from ...toolrecords import without_data
from .regions import needs_whole


@contextlib.contextmanager
def with_whole_masks(
    config: PcleanConfig, decpars: Sequence[Record], coordinates: Sequence[ImageCoordinates], folder: Path
) -> Iterator[PcleanConfig]:
    """The configuration with an image of the whole cube in place of masks that parts can't read; it goes at the end.

    Parameters
    ----------
    config : PcleanConfig
    decpars : sequence of dict
        The record of each field's deconvolver.
    coordinates : sequence of ImageCoordinates
        Each field's, of the cube.
    folder : Path
        Where to make the images.
    """
    with contextlib.ExitStack() as stack:
        fields = []
        for number, field in enumerate(config.fields):
            masks = [field.mask] if isinstance(field.mask, str) else field.mask
            if field.usemask == "user" and any(needs_whole(mask, coordinates[number]) for mask in masks):
                place = folder / f"mask{number}"
                stack.callback(shutil.rmtree, place, ignore_errors=True)
                mask = _whole_mask(field, decpars[number], coordinates[number], place)
                fields.append(dataclasses.replace(field, mask=mask))
            else:
                fields.append(field)
        yield dataclasses.replace(config, fields=tuple(fields))


def _whole_mask(field: ImageField, decpars: Record, coordinates: ImageCoordinates, folder: Path) -> str:
    """Let CASA make the field's mask of an image of zeros; the mask's path."""
    folder.mkdir()
    name = str(folder / "cube")
    casa.post(f"[{field.imagename}] the mask {field.mask!r} is read for all channels at once", "INFO")
    for kind in ("residual", "psf"):
        image = casa.load().image()
        shape = [*field.imsize, len(coordinates.stokes), coordinates.nchan]
        image.fromshape(f"{name}.{kind}", shape, csys=coordinates.record, linear=False, log=False)
        image.close()
    deconvolver = Deconvolver(name, without_data(decpars))
    try:
        deconvolver.init_record()
        deconvolver.setup_mask()
    finally:
        deconvolver.close()
    return f"{name}.mask"
