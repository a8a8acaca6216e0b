"""Images whose planes stay in memory between the steps of a run, as long as the file is as it was.

casatools takes 2 ms to read and 1 to write a plane of 512 x 512, as long as 30 iterations of a minor cycle in memory.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import casa
from ..cores import memory_share
from . import planes
from .writing import (
    BEAM_KEYS,
    IMAGE_INFO,
    MASK,
    MISCINFO,
    WRITTEN_AT_ONCE,
    has_pixel_mask,
    keywords,
    read_channels,
    read_pixel_mask,
    without_beams,
    write_channels,
)

Key = tuple[int, int]  # (pol, chan)
Pixels = NDArray[np.float32]

LOCK_FILE = "table.lock"  # written by who only reads, too
HANDED_SHARE = 1 / 16  # of the free memory, which an image may take that is handed over
PIXEL_FILES = "table.f*"  # in the folder of an image; keywords are in others
UNWRITTEN = object()  # the stamp of what is not on the disk


class CachedImage:
    """The planes of the image at `path`, float32 [y, x], read when asked for; all kept in memory if `keeps`.

    A plane is the transpose of casacore's, without a copy. Who changes one that was handed out changes what is kept.
    One that has the same value all over takes no memory, and can't be changed. Others in the process get at what is
    kept by `kept_planes`, and spare it reading what they have written by `hand_over`.
    """

    def __init__(self, path: str, *, keeps: bool = True) -> None:
        self.path = path
        self.keeps = keeps
        self._stamp: object = None
        self._planes: dict[Key, Pixels] = {}
        self._given: tuple[object, Pixels] | None = None
        self._unwritten: Pixels | None = None
        self._behind: set[Key] = set()  # planes that are newer than on the disk
        self.kept_back = 0  # how often it was made without being written
        self._valid: dict[Key, NDArray[np.bool_] | None] | None = None
        self._mask_stamp: object = None
        self._mask_is_checked = False
        self._place = os.path.abspath(path)
        _images.add(self)
        self._shape: tuple[int, int, int, int] | None = None

    def exists(self) -> bool:
        return planes.is_image(self.path)

    def refresh(self) -> bool:
        """Forget what was read if the file has changed since, or what is to be written to it; whether it has."""
        is_given = self._given is not None and self._given[0] is UNWRITTEN
        stamp = file_stamp(self.path)
        changed = stamp != self._stamp or is_given
        if changed and not is_given and (self._unwritten is not None or self._behind):
            self.settle()
            stamp = file_stamp(self.path)
        if changed:
            self.forget_pixels()
            self._stamp = stamp
            self._adopt()
        return changed

    def forget(self) -> None:
        """Let go of all planes; the next one is read from the disk."""
        self.settle()
        self.forget_pixels()
        self._valid = self._given = None

    def settle(self) -> None:
        """Write what is kept back."""
        if self._given is not None and self._given[0] is UNWRITTEN:
            self._unwritten, self._given = self._given[1], None
        pixels, self._unwritten = self._unwritten, None
        if pixels is not None:
            write_channels(self.path, pixels)
            self._stamp = file_stamp(self.path)
        behind, self._behind = self._behind, set()
        if behind:
            self._write({key: self._planes[key] for key in behind})

    def forget_pixels(self) -> None:
        """The same, but for pixel masks, which stay as long as they are as they were."""
        self._planes.clear()
        self._behind.clear()
        self._mask_is_checked = False
        self._shape = self._unwritten = None
        self._stamp = None

    def fill_with(self, value: float) -> None:
        """Keep, without reading it, what the image has just been made with: the same value all over."""
        self.forget_pixels()
        nx, ny = self.shape[:2]
        plane = np.broadcast_to(np.float32(value), (ny, nx))
        self._planes = dict.fromkeys(self.keys(), plane) if self.keeps else {}
        self._stamp = file_stamp(self.path)

    def _adopt(self) -> None:
        """Keep what has been handed over, if it is what is on the disk."""
        given, self._given = self._given, None
        if given is None or not self.keeps:
            return
        if given[0] is UNWRITTEN or given[0] == _pixel_stamp(self._place):
            nx, ny, npol, nchan = given[1].shape
            self._shape = nx, ny, npol, nchan
            self._fill(given[1])
            self._unwritten = given[1] if given[0] is UNWRITTEN else None

    def _fill(self, pixels: Pixels) -> None:
        """Keep the planes of the whole cube [nx, ny, npol, nchan], but those that are there."""
        for key in self.keys():
            if key not in self._planes:
                self._planes[key] = _compact(pixels[:, :, key[0], key[1]].T)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(nx, ny, npol, nchan)"""
        if self._shape is None:
            with planes.opened(self.path) as image:
                self._shape = image.shape
        return self._shape

    def keys(self) -> list[Key]:
        """All (pol, chan), channel by channel."""
        _, _, npol, nchan = self.shape
        return [(pol, chan) for chan in range(nchan) for pol in range(npol)]

    def plane(self, pol: int, chan: int) -> Pixels:
        """One plane, float32 [y, x]."""
        kept = self._planes.get((pol, chan))
        if kept is not None:
            return kept
        with casa.turn:
            if (pol, chan) not in self._planes:
                if not self.keeps:
                    with planes.opened(self.path) as image:
                        return image.read(pol, chan).T
                self._fill(read_channels(self.path, 0, self.shape[3]))
            return self._planes[pol, chan]

    def valid(self, pol: int, chan: int) -> NDArray[np.bool_] | None:
        """Pixel mask of one plane, bool [y, x]; None where all is good."""
        with casa.turn:
            if not self._mask_is_checked:
                former, self._mask_stamp = self._mask_stamp, file_stamp(str(Path(self.path) / MASK))
                self._valid = self._valid if self._mask_stamp == former else None
                self._mask_is_checked = True
            if self._valid is None:
                self._valid = self._read_valid(pol, chan)
            elif self._valid and (pol, chan) not in self._valid:
                with planes.opened(self.path) as image:
                    self._valid = {(pol, chan): image.read_valid(pol, chan).T}
            return self._valid.get((pol, chan)) if self._valid else None

    def _read_valid(self, pol: int, chan: int) -> dict[Key, NDArray[np.bool_] | None]:
        """Pixel masks of all planes, or of one if planes aren't kept; none where the image has no pixel mask."""
        if self.keeps and has_pixel_mask(self.path):
            valid = read_pixel_mask(self.path, 0, self.shape[3])
            found = {key: valid[:, :, key[0], key[1]].T for key in self.keys()}
            return {key: None if plane.all() else plane for key, plane in found.items()}
        with planes.opened(self.path) as image:
            return {(pol, chan): image.read_valid(pol, chan).T} if image.has_pixel_mask() else {}

    def write(self, changed: Mapping[Key, Pixels], *, later: bool = False) -> None:
        """Write planes and keep them; `later`, if it keeps them: when all are let go of, or at `settle`."""
        if later and self.keeps and changed:
            self.plane(*next(iter(changed)))  # so that all are in memory
            self._planes.update(changed)
            self._behind.update(changed)
            return
        self._behind.difference_update(changed)
        self._write(changed)
        if self.keeps:
            self._planes.update(changed)
        else:
            self._planes.clear()

    def _write(self, changed: Mapping[Key, Pixels]) -> None:
        """Write planes, neighbouring channels of one polarisation at once."""
        with planes.opened(self.path) as image:
            for pol, channels in _runs(changed, WRITTEN_AT_ONCE // max(1, self.shape[0] * self.shape[1])):
                together = np.stack([changed[pol, chan] for chan in channels])
                image.write_channels(
                    together.transpose(2, 1, 0), pol, channels[0]
                )  # in casacore's order: 5 times sooner
        self._stamp = file_stamp(self.path)


_images: weakref.WeakSet[CachedImage] = weakref.WeakSet()


def kept_planes(path: str) -> Mapping[Key, Pixels] | None:
    """All planes of the image at `path`, float32 [y, x], where the process has them in memory as they are on the disk.

    They must not be changed.
    """
    for image in _kept_images(path):
        if image._planes and image._stamp == file_stamp(image.path) and len(image._planes) == len(image.keys()):
            return dict(image._planes)
    return None


def hand_over(path: str, pixels: Pixels) -> None:
    """Give who keeps the planes of the image at `path` what is on the disk now: float32 [nx, ny, npol, nchan].

    Who hands over must not use the array after the next `refresh`, when it becomes the image's own if the image hasn't
    been written since. It is not taken where nobody keeps planes, or where it is much of the free memory.
    """
    for image in _kept_images(path):
        if _takes(image, pixels):
            image._given = _pixel_stamp(path), pixels
            return


def keep_back(path: str, pixels: Pixels) -> bool:
    """Give who keeps the planes of the image at `path` its new ones, to be written when they are let go of.

    For images that are made again and again. False where nobody takes them: they are to be written.
    """
    for image in _kept_images(path):
        if _takes(image, pixels):
            image._given = UNWRITTEN, pixels
            image.kept_back += 1
            return True
    return False


def settle(path: str) -> None:
    """Have what is kept back of the image at `path` written, for who reads it from the disk."""
    for image in _kept_images(path):
        image.settle()


def settle_all() -> None:
    """Have all that is kept back written, for CASA to read."""
    for image in list(_images):
        image.settle()


def _takes(image: CachedImage, pixels: Pixels) -> bool:
    return image.keeps and pixels.size <= handed_pixels()


def handed_pixels() -> int:
    """Pixels that an image may have that is handed over, or kept back."""
    return int(HANDED_SHARE * memory_share() * casa.available_memory() * 1024) // np.dtype(np.float32).itemsize


def note_change(path: str) -> None:
    """Tell who keeps planes of the image at `path` that it was written: two changes at once may have one time."""
    for image in _kept_images(path):
        image.forget()


def _kept_images(path: str) -> list[CachedImage]:
    return [image for image in _images if image._place == os.path.abspath(path)]


def _pixel_stamp(path: str) -> object:
    """What changes when the pixels of an image are written."""
    status = [(entry.name, entry.stat()) for entry in sorted(Path(path).glob(PIXEL_FILES))]
    return [(name, found.st_mtime_ns, found.st_size) for name, found in status]


def _compact(plane: Pixels) -> Pixels:
    """The plane, or a view of one pixel where all are the same."""
    return plane if (plane != plane[0, 0]).any() else np.broadcast_to(plane[0, 0].copy(), plane.shape)


def _runs(keys: Mapping[Key, Pixels], most: int) -> Iterator[tuple[int, list[int]]]:
    """Neighbouring channels of one polarisation, at most so many at once."""
    run: list[int] = []
    last_pol = -1
    for pol, chan in sorted(keys):
        if run and (pol != last_pol or chan != run[-1] + 1 or len(run) >= most):
            yield last_pol, run
            run = []
        last_pol = pol
        run.append(chan)
    if run:
        yield last_pol, run


def file_stamp(path: str) -> object:
    """What changes when the image at `path` is written."""
    files = (entry for entry in Path(path).rglob("*") if entry.is_file() and entry.name != LOCK_FILE)
    return tuple(sorted((str(entry), entry.stat().st_mtime_ns, entry.stat().st_size) for entry in files))


def make_product(imagename: str, suffix: str, *, unit: str = "", fill: float = 0.0) -> str:
    """Make the image IMAGENAME.suffix in the shape of IMAGENAME.residual, all of its pixels `fill`; its path.

    What it tells beside is what CASA writes (SIImageStore::initMetaInfo): that of .sumwt without beams or, where no
    object's name is known, that of .psf.
    """
    path, template = f"{imagename}.{suffix}", f"{imagename}.residual"
    with casa.opened_image(template) as image:
        coordinates = image.coordsys()
        shape = [int(size) for size in image.shape()]
        record = coordinates.torecord()
        coordinates.done()
    with casa.tool("image") as tool:
        tool.fromshape(outfile=path, shape=shape, csys=record, linear=False, overwrite=True, log=False)
        if fill:
            tool.set(pixels=str(fill))
    told = keywords(next(name for name in (f"{imagename}.sumwt", template) if planes.is_image(name)))
    if not told[IMAGE_INFO].get("objectname"):
        told = keywords(f"{imagename}.psf")
    else:
        told[IMAGE_INFO] = without_beams(told[IMAGE_INFO])
    with casa.opened_table(path, writable=True) as table:
        if unit:
            table.putkeyword("units", unit)
        table.putkeyword(MISCINFO, told[MISCINFO])
        table.putkeyword(IMAGE_INFO, told[IMAGE_INFO])
    return path


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


def copy_pixel_mask(source: str, target: str) -> None:
    """Give an image the pixel mask of another one of the same shape, if that has one."""
    with casa.opened_image(source) as image:
        if MASK not in list(image.maskhandler("default")):
            return
    with casa.opened_image(target) as image, casa.working_on("copying a pixel mask"):
        image.maskhandler("copy", [f"{source}:{MASK}", MASK])
        image.maskhandler("set", MASK)
