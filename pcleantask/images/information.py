"""What an image tells of itself beside its pixels: CASA's 'imageinfo', with the beams, and 'miscinfo'."""

from __future__ import annotations

from typing import Any

from .. import casa

MISCINFO, IMAGE_INFO = "miscinfo", "imageinfo"  # keywords of an image's table
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
