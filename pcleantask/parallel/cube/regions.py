"""Masks by a cube's channels -> masks by a part's: images are cut, channel ranges of region text are shifted."""

from __future__ import annotations

import re
from pathlib import Path

from ... import casa
from ...images import planes
from ...images.assemble import cut_out
from ...images.coordinates import ImageCoordinates
from ...inputs import RECORD, VIRTUAL
from ..partition import Slab

RANGE = re.compile(r"range\s*=\s*\[\s*([\d.]+)\s*(chan|pix)\s*,\s*([\d.]+)\s*(?:chan|pix)\s*\]", re.IGNORECASE)
UNSHIFTED = ("#", "global")  # how lines of a region file begin that are no regions
SAME_CHANNEL = 1e-3  # channels by which two spectral axes may differ and be the same


def shift_line(line: str, slab: Slab) -> str | None:
    """A line of region text with its channel range counted in the part, guards left out; None where it lies outside."""
    match = RANGE.search(line)
    if not match:
        return line
    first, last = sorted((float(match[1]), float(match[3])))
    if last < slab.start or first > slab.stop - 1:
        return None
    first, last = max(first, slab.start) - slab.first, min(last, slab.stop - 1) - slab.first
    return RANGE.sub(f"range=[{first:g}{match[2]},{last:g}{match[2]}]", line)


def shift_text(text: str, slab: Slab) -> str | None:
    """The text of a region file with its channel ranges counted in the part; None where all regions lie outside.

    A range in a line that begins with `global` stays, as CASA pays no heed to it.
    """
    lines = [(line, line.startswith(UNSHIFTED) or not line.strip()) for line in text.splitlines()]
    kept = [(line if is_kept else shift_line(line, slab), is_kept) for line, is_kept in lines]
    if all(is_kept or line is None for line, is_kept in kept):
        return None
    return "".join(f"{line}\n" for line, _ in kept if line is not None)


def part_of_image(path: str, target: str, slab: Slab, coordinates: ImageCoordinates) -> str:
    """An image of the whole cube's channels cut to the part's; others serve any part as they are: CASA regrids them."""
    _, own = _of_image(path)
    if own.nchan != slab.nchan or own.nchan == 1 or not _same_axis(own, coordinates):
        return path
    cut_out(path, target, range(slab.first, slab.last))
    return target


def needs_whole(mask: str, coordinates: ImageCoordinates) -> bool:
    """Whether a mask is other in a part than in the whole cube, if CASA reads it in both.

    CASA's own region files count channels as the whole cube does. An image with channels on another grid is regridded;
    any pixel above zero counts, and rounding leaves some there which are others in a part.
    """
    if Path(mask).is_file():
        with Path(mask).open("rb") as file:
            return file.read(len(RECORD)) == RECORD
    is_virtual = (Path(mask) / VIRTUAL).exists()  # such an image can't be cut
    if not planes.is_image(mask) and not is_virtual:
        return False
    shape, own = _of_image(mask)
    is_cube = len(shape) == 4 and own.nchan > 1
    return is_cube and (is_virtual or own.nchan != coordinates.nchan or not own.has_grid_of(coordinates))


def _of_image(path: str) -> tuple[list[int], ImageCoordinates]:
    """The shape of an image, and its coordinates."""
    with casa.opened_image(path) as image:
        shape, system = [int(size) for size in image.shape()], image.coordsys()
        record = system.torecord()
        system.done()
    return shape, ImageCoordinates(record, shape[3] if len(shape) == 4 else 1)


def _same_axis(one: ImageCoordinates, other: ImageCoordinates) -> bool:
    """Whether both ends of two spectral axes are at the same frequencies."""
    axis, another = one.linear_axis, other.linear_axis
    assert axis is not None
    assert another is not None
    return all(
        abs(axis.at(channel) - another.at(channel)) < SAME_CHANNEL * abs(another.cdelt)
        for channel in (0, one.nchan - 1)
    )


def part_of_mask(mask: str, target: str, slab: Slab, coordinates: ImageCoordinates) -> str | None:
    """One entry of tclean's `mask` for a part: text, the path of an image or region file, or None where it is empty."""
    if planes.is_image(mask):
        return part_of_image(mask, target, slab, coordinates)
    if not Path(mask).is_file():
        return shift_line(mask, slab)
    text = Path(mask).read_text(encoding="utf-8")
    if not RANGE.search(text):
        return mask
    shifted = shift_text(text, slab)
    if shifted is None:
        return None
    Path(target).write_text(shifted, encoding="utf-8")
    return target
