"""New CASA images: with given coordinates, or beside a field's others."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from .. import casa
from ..inputs import is_image
from .information import IMAGE_INFO, MISCINFO, keywords, without_beams
from .pixels import MASK

TERM = re.compile(r"\.tt\d+")


def make_image(
    path: str, shape: Sequence[int], coordinates: dict[str, Any], *, units: str = "", information: dict[str, Any]
) -> None:
    """Make an image at `path`, all zero; what is there is replaced.

    Parameters
    ----------
    shape : sequence of int
        (nx, ny, npol, nchan).
    coordinates : dict
        Coordinate system, as `synthesisimager.getcsys` gives it.
    units : str
        Of the pixels.
    information : dict
        'imageinfo' and 'miscinfo', as CASA's images have them among their keywords.
    """
    with casa.tool("image") as tool:
        tool.fromshape(
            outfile=path, shape=[int(size) for size in shape], csys=coordinates, linear=False, overwrite=True, log=False
        )
    with casa.opened_table(path, writable=True) as table:
        for name, value in information.items():
            table.putkeyword(name, value)
        if units:
            table.putkeyword("units", units)


def make_product(imagename: str, suffix: str, *, unit: str = "", fill: float = 0.0) -> str:
    """Make the image IMAGENAME.suffix as its .residual, .pb or .psf are, all of its pixels `fill`; its path.

    A PSF at `psfphasecenter` has other coordinates, so that it is the last to be asked.
    What it tells beside is what CASA writes (SIImageStore::initMetaInfo): that of .sumwt without beams or, where no
    object's name is known, that of .psf.
    """
    path, term = f"{imagename}.{suffix}", "".join(TERM.findall(suffix))
    terms = [term, ".tt0"]  # the mask of Taylor terms is that of the first
    template, term = next(
        (f"{imagename}.{kind}{own}", own)
        for own, kind in itertools.product(terms, ("residual", "pb", "psf"))
        if is_image(f"{imagename}.{kind}{own}")
    )
    with casa.opened_image(template) as image:
        coordinates = image.coordsys()
        shape = [int(size) for size in image.shape()]
        record = coordinates.torecord()
        coordinates.done()
    with casa.tool("image") as tool:
        tool.fromshape(outfile=path, shape=shape, csys=record, linear=False, overwrite=True, log=False)
        if fill:
            tool.set(pixels=str(fill))
    told = keywords(next(name for name in (f"{imagename}.sumwt{term}", template) if is_image(name)))
    if not told[IMAGE_INFO].get("objectname"):
        told = keywords(f"{imagename}.psf{term}")
    else:
        told[IMAGE_INFO] = without_beams(told[IMAGE_INFO])
    with casa.opened_table(path, writable=True) as table:
        if unit:
            table.putkeyword("units", unit)
        table.putkeyword(MISCINFO, told[MISCINFO])
        table.putkeyword(IMAGE_INFO, told[IMAGE_INFO])
    return path


def copy_pixel_mask(source: str, target: str) -> None:
    """Give an image the pixel mask of another one of the same shape, if that has one."""
    with casa.opened_image(source) as image:
        if MASK not in list(image.maskhandler("default")):
            return
    with casa.opened_image(target) as image, casa.working_on("copying a pixel mask"):
        image.maskhandler("copy", [f"{source}:{MASK}", MASK])
        image.maskhandler("set", MASK)
