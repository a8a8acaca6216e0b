"""Sub-cubes -> one cube: an ordinary paged image, with the whole cube's coordinates, beams and pixel mask."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import casa
from .information import MISCINFO, scale_memory
from .products import is_gridded

BEAMS = "perplanebeams"
UNITS = "units"  # keyword of an image's table
PLACES = ("pointingcenter", "telescopeposition")  # entries of the keyword coords


@dataclass(frozen=True)
class Piece:
    """An image of some channels, and which of them go where.

    Attributes
    ----------
    path : str
        The image.
    channels : range
        Its channels that belong to the cube, without guards.
    start : int
        Channel of the cube that the first of them is.
    size : int
        Number of the piece's channels, guards included.
    """

    path: str
    channels: range
    start: int
    size: int


def assemble(target: str, pieces: Sequence[Piece], coordinates: dict[str, Any], nchan: int) -> None:
    """Make the image `target` of `nchan` channels out of pieces that cover them all, and remove the pieces.

    Pixels and pixel masks are copied inside CASA, tile by tile.

    Parameters
    ----------
    coordinates : dict
        The whole cube's coordinate system, as `synthesisimager.getcsys` gives it.
    """
    if len(pieces) == 1:
        Path(pieces[0].path).rename(target)
        return
    with casa.opened_image(pieces[-1].path) as last:
        if last.shape()[3] < pieces[-1].channels.stop:
            _keep_first(target, pieces, nchan)
            return
    with casa.opened_image(pieces[0].path) as first:
        shape = [int(size) for size in first.shape()]
    is_masked = any(_is_masked(piece.path) for piece in pieces)  # CASA makes some masks only where a pixel is bad
    with _new_image(target, [*shape[:3], nchan], coordinates) as image:
        if is_masked:
            image.calcmask("T")
        for piece in pieces:
            image.insert(infile=piece.path, region=_box(shape, piece.channels), locate=[0, 0, 0, piece.start])
    _copy_keywords(target, pieces, nchan)
    if is_gridded(target):
        _keep_places(target, coordinates)
    for piece in pieces:
        shutil.rmtree(piece.path)


def _keep_places(path: str, coordinates: dict[str, Any]) -> None:
    """Undo what a conversion from a record adds to the last bits of the direction that was observed, and from where.

    CASA's gridder writes the coordinates that it has made, its deconvolver those that it has read: one conversion more.
    """
    with casa.opened_table(path, writable=True) as table:
        for name in PLACES:
            table.putkeyword(f"coords.{name}", coordinates[name], makesubrecord=True)


def _is_masked(path: str) -> bool:
    with casa.opened_image(path) as image:
        return bool(image.maskhandler("default")[0])


def _keep_first(target: str, pieces: Sequence[Piece], nchan: int) -> None:
    """Let the first piece's image be the whole one, where each has the one plane that all channels share."""
    with casa.opened_image(pieces[0].path) as image:
        information = image.miscinfo()
        scale_memory(information, pieces[0].size, nchan)
        image.setmiscinfo(information)
    Path(pieces[0].path).rename(target)
    for piece in pieces[1:]:
        shutil.rmtree(piece.path)


def _new_image(path: str, shape: list[int], coordinates: dict[str, Any]) -> Any:
    tool = casa.load().image()
    tool.fromshape(outfile=path, shape=shape, csys=coordinates, linear=False, overwrite=False, log=False)
    tool.close()
    return casa.opened_image(path)


def _box(shape: Sequence[int], channels: range) -> dict[str, Any]:
    with casa.tool("regionmanager") as regions:
        trc = [shape[0] - 1, shape[1] - 1, shape[2] - 1, channels[-1]]
        return regions.box(blc=[0, 0, 0, channels[0]], trc=trc)


def _copy_keywords(target: str, pieces: Sequence[Piece], nchan: int) -> None:
    """Units, miscellaneous information and beams of the pieces into the table of the whole."""
    with casa.opened_table(pieces[0].path) as table:
        names = table.keywordnames()
        keywords = {name: table.getkeyword(name) for name in (UNITS, MISCINFO) if name in names}
        info = table.getkeyword("imageinfo")
    scale_memory(keywords.get(MISCINFO, {}), pieces[0].size, nchan)
    if BEAMS in info:
        info[BEAMS] = _whole_beams(pieces, nchan)
    with casa.opened_table(target, writable=True) as table:
        for name, value in {**keywords, "imageinfo": info}.items():
            table.putkeyword(name, value)


def _whole_beams(pieces: Sequence[Piece], nchan: int) -> dict[str, Any]:
    """The pieces' sets of beams as one: entry *k is that of channel k % nchan, polarisation k // nchan."""
    whole: dict[str, Any] = {"nChannels": nchan}
    for piece in pieces:
        with casa.opened_table(piece.path) as table:
            beams = table.getkeyword("imageinfo")[BEAMS]
        size, whole["nStokes"] = int(beams["nChannels"]), beams["nStokes"]
        for pol in range(int(beams["nStokes"])):
            for i, channel in enumerate(piece.channels):
                whole[f"*{pol * nchan + piece.start + i}"] = beams[f"*{pol * size + channel}"]
    return whole


def beams_image(target: str, pieces: Sequence[Piece], nchan: int) -> None:
    """Make a tiny image of `nchan` channels at `target` that has the pieces' beams, to ask CASA for common ones."""
    with casa.opened_image(pieces[0].path) as first:
        npol = int(first.shape()[2])
    image = casa.load().image()
    image.fromshape(outfile=target, shape=[2, 2, npol, nchan], overwrite=True, log=False)
    image.close()
    _copy_keywords(target, pieces, nchan)


def cut_out(source: str, target: str, channels: range) -> None:
    """Copy some channels of an image to a new one, as the piece of a cube begins with a former run's products."""
    with casa.opened_image(source) as image:
        shape = [int(size) for size in image.shape()]
        piece = image.subimage(outfile=target, region=_box(shape, channels), dropdeg=False, overwrite=False)
        information = piece.miscinfo()
        scale_memory(information, shape[3], len(channels))
        piece.setmiscinfo(information)
        if image.maskhandler("default")[0] and not piece.maskhandler("default")[0]:
            piece.calcmask("T")  # CASA leaves out a pixel mask that is True all over
        piece.done()
