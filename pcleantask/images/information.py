"""What an image tells of itself beside its pixels: CASA's 'imageinfo', with the beams, and 'miscinfo'."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import casa

MISCINFO, IMAGE_INFO = "miscinfo", "imageinfo"  # keywords of an image's table
MEMORY = "memreq"  # entry of miscinfo: the memory that the image needs, proportional to its number of channels
# Bytes; a step is what CASA counts for 4 pixels, and divides what its kinds of gridders take for so many.
GB, CHANNEL_STEP = 1 << 30, 17.6
BEAM_KEYS = ("restoringbeam", "perplanebeams")  # of the latter


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


def copy_beams(source: str, target: str) -> None:
    """Give an image the beams of another one of the same shape."""
    theirs = keywords(source)[IMAGE_INFO]
    _replace_beams(target, {key: theirs[key] for key in BEAM_KEYS if key in theirs})


def set_beam(path: str, beam: dict[str, Any]) -> None:
    """Give an image one beam, CASA's record of one, for all planes."""
    _replace_beams(path, {})
    with casa.opened_image(path) as image:
        image.setrestoringbeam(beam=beam, log=False)


def _replace_beams(path: str, beams: dict[str, Any]) -> None:
    info = keywords(path)[IMAGE_INFO]
    with casa.opened_table(path, writable=True) as table:
        table.putkeyword(IMAGE_INFO, {**without_beams(info), **beams})


def scale_memory(information: dict[str, Any], size: int, nchan: int) -> None:
    """Let an image of `nchan` channels tell of the memory that it needs by what one of `size` channels does.

    CASA rounds the memory of all channels [GB] to float. That of one is a multiple of a step, by which it is known to
    more digits (SynthesisImagerVi2::nSubCubeFitInMemory, casatools 6.7).
    """
    if MEMORY not in information:
        return
    channel = information[MEMORY] * GB / size
    whole = round(channel / CHANNEL_STEP) * CHANNEL_STEP
    if abs(whole - channel) <= np.finfo(np.float32).eps * channel:
        channel = whole
    information[MEMORY] = float(np.float32(channel * nchan / GB))
