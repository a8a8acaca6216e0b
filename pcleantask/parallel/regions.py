"""Masks by a cube's channels -> masks by a part's: images are cut, channel ranges of region text are shifted."""

from __future__ import annotations

import re
from pathlib import Path

from ..images import planes
from ..images.assemble import cut_out
from .partition import Slab

RANGE = re.compile(r"range\s*=\s*\[\s*(\d+)\s*chan\s*,\s*(\d+)\s*chan\s*\]")
REGION_HEADER = "#CRTF"


def shift_line(line: str, slab: Slab) -> str | None:
    """A line of region text with its channel range counted in the part; None where it lies outside."""
    match = RANGE.search(line)
    if not match:
        return line
    first = max(int(match[1]) - slab.first, 0)
    last = min(int(match[2]) - slab.first, slab.size - 1)
    return None if first > last else RANGE.sub(f"range=[{first}chan,{last}chan]", line)


def part_of_image(path: str, target: str, slab: Slab) -> str:
    """An image of the whole cube's channels cut to the part's; other images serve any part as they are."""
    if planes.image_geometry(path).shape[3] != slab.nchan or slab.nchan == 1:
        return path
    cut_out(path, target, range(slab.first, slab.last))
    return target


def part_of_mask(mask: str, target: str, slab: Slab) -> str | None:
    """One entry of tclean's `mask` for a part: text, the path of an image or region file, or None where it is empty."""
    if planes.is_image(mask):
        return part_of_image(mask, target, slab)
    if not Path(mask).is_file():
        return shift_line(mask, slab)
    text = Path(mask).read_text(encoding="utf-8")
    if not RANGE.search(text):
        return mask
    lines = [shifted for line in text.splitlines() if (shifted := shift_line(line, slab)) is not None]
    if not any(line.strip() and not line.startswith("#") for line in lines):
        return None
    Path(target).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target
