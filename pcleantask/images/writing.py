"""New CASA images: made with given coordinates, written some channels at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import casa

PIXELS, MASK_PIXELS = "map", "PagedArray"  # columns of an image's table, and of its pixel mask's
MASK = "mask0"  # CASA's name of the pixel mask
MISCINFO, IMAGE_INFO = "miscinfo", "imageinfo"  # keywords of an image's table
BEAM_KEYS = ("restoringbeam", "perplanebeams")  # of the latter
WRITTEN_PIXELS = 32_000_000  # that are worth one access to the disk
WRITTEN_AT_ONCE = 1 << 22  # pixels handed to casatools, which copies them; larger copies cost new pages of memory


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


def keywords(path: str) -> dict[str, dict[str, Any]]:
    """'imageinfo' and 'miscinfo' of the image at `path`; beams are in the former."""
    with casa.opened_table(path) as table:
        names = table.keywordnames()
        return {name: table.getkeyword(name) if name in names else {} for name in (MISCINFO, IMAGE_INFO)}


def put_information(path: str, information: dict[str, Any]) -> None:
    """Replace 'imageinfo' and 'miscinfo', but for the beams."""
    beams = {key: value for key, value in keywords(path)[IMAGE_INFO].items() if key in BEAM_KEYS}
    with casa.opened_table(path, writable=True) as table:
        table.putkeyword(MISCINFO, information[MISCINFO])
        table.putkeyword(IMAGE_INFO, {**without_beams(information[IMAGE_INFO]), **beams})


def without_beams(info: dict[str, Any]) -> dict[str, Any]:
    """An 'imageinfo' without its beams."""
    return {key: value for key, value in info.items() if key not in BEAM_KEYS}


def write_channels(path: str, pixels: np.ndarray, start: int = 0) -> None:
    """Overwrite the channels from `start` on with `pixels`, float32 [nx, ny, npol, channels]."""
    nx, ny, npol, count = pixels.shape
    step = max(1, WRITTEN_AT_ONCE // (nx * ny * npol))
    with casa.opened_table(path, writable=True) as table:
        for first in range(0, count, step):
            piece = pixels[..., first : first + step]
            ends = [0, 0, 0, start + first], [nx - 1, ny - 1, npol - 1, start + first + piece.shape[3] - 1]
            table.putcellslice(PIXELS, 0, piece, *ends, [1, 1, 1, 1])


def read_channels(path: str, start: int, stop: int) -> np.ndarray:
    """Channels start <= channel < stop as float32 [nx, ny, npol, channels], in Fortran order."""
    with casa.opened_table(path) as table:
        return np.asarray(_get(table, PIXELS, start, stop), dtype=np.float32, order="F")


def read_pixel_mask(path: str, start: int, stop: int) -> np.ndarray:
    """The pixel mask of channels start <= channel < stop as bool [nx, ny, npol, channels]."""
    with casa.opened_table(str(Path(path) / MASK)) as table:
        return np.asarray(_get(table, MASK_PIXELS, start, stop), dtype=bool, order="F")


def has_pixel_mask(path: str) -> bool:
    """Whether the image has CASA's pixel mask."""
    return (Path(path) / MASK).is_dir()


def _shape(table: Any, column: str) -> list[int]:
    return [int(size) for size in table.getcolshapestring(column)[0].strip("[]").split(",")]


def _get(table: Any, column: str, start: int, stop: int) -> Any:
    nx, ny, npol, nchan = _shape(table, column)
    if start == 0 and stop == nchan:
        return table.getcell(column, 0)  # much faster than a slice
    return table.getcellslice(column, 0, [0, 0, 0, start], [nx - 1, ny - 1, npol - 1, stop - 1], [1, 1, 1, 1])


def channel_groups(shape: Sequence[int], pixels: int = WRITTEN_PIXELS) -> list[range]:
    """The channels of a cube of this shape in groups of so many pixels, unless one channel has more."""
    nx, ny, npol, nchan = (int(size) for size in shape)
    size = max(1, pixels // (nx * ny * npol))
    return [range(start, min(start + size, nchan)) for start in range(0, nchan, size)]
