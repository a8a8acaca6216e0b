"""The images of a run: their planes in memory, where there is room, and on the disk.

casatools takes 2 ms to read and 1 to write a plane of 512 x 512, as long as 30 iterations of a minor cycle in memory.
So what works on planes asks the run's ImageStore for them, and changes them there; the disk has them after `flush`.
CASA's tools work on the disk: who calls one does so in a block of `on_disk`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import casa
from ..cores import memory_share
from . import planes
from .pixels import MASK, WRITTEN_AT_ONCE, has_pixel_mask, read_channels, read_pixel_mask, write_channels

Key = tuple[int, int]  # (chan, pol)
Pixels = NDArray[np.float32]
Valid = NDArray[np.bool_]

IMAGE_SHARE = 1 / 16  # of the free memory, which an image may take
PASSING = re.compile(r"\.(pb(\.tt0)?|image\.pbcor)$")  # images whose planes are of use for a moment only
LOCK_FILE = "table.lock"  # written by who only reads, too
PIXEL_FILES = "table.f"  # how files of pixels begin in the folder of an image; keywords are in others


def kept_pixels() -> int:
    """How many pixels an image may have that is kept in memory."""
    return int(IMAGE_SHARE * memory_share() * casa.available_memory() * 1024) // np.dtype(np.float32).itemsize


class ImageStore:
    """The images of a run.

    Parameters
    ----------
    keeps : bool
        Whether planes are kept in memory, as far as there is room. Else each is read when it is asked for, and what is
        changed is written at once.

    Attributes
    ----------
    scratch : Path or None
        The folder that is CASA's current one while it works on the images: it makes temporary tables there, and takes
        those that it finds for its own. None: this process's, whatever it is.
    """

    def __init__(self, *, keeps: bool = True) -> None:
        self.keeps = keeps
        self.scratch: Path | None = None
        self._images: dict[str, StoredImage] = {}

    def image(self, path: str) -> StoredImage:
        """The image at `path`, which needn't be there yet."""
        place = os.path.abspath(path)
        if place not in self._images:
            self._images[place] = StoredImage(path, keeps=self.keeps and not PASSING.search(path))
        return self._images[place]

    def look(self) -> None:
        """Let go of what others have written anew since; to be called where somebody else may have."""
        for image in list(self._images.values()):
            image.look()

    def flush(self) -> None:
        """Write all that is newer than the disk."""
        for image in list(self._images.values()):
            image.flush()

    def release(self) -> None:
        """Write all that is newer than the disk, and let go of all planes."""
        for image in list(self._images.values()):
            image.flush()
            image.drop()

    def drop(self) -> None:
        """Let go of all planes, also of those that are newer than the disk."""
        for image in list(self._images.values()):
            image.drop()

    @contextlib.contextmanager
    def on_disk(self, stage: str) -> Iterator[None]:
        """A block in which CASA works on the images on the disk; for `stage` see `casa.working_on`."""
        self.flush()
        try:
            with casa.turn, self.in_scratch(), casa.working_on(stage):
                yield
        finally:
            self.look()

    @contextlib.contextmanager
    def in_scratch(self) -> Iterator[None]:
        """A block in which CASA finds its scratch tables: their names are relative, and it opens them anew as it likes.

        Every call of a tool that may have some belongs into one, also that which lets go of it.
        """
        if self.scratch is None or not self.scratch.is_dir():
            yield
            return
        former = os.getcwd()
        os.chdir(self.scratch)
        try:
            yield
        finally:
            os.chdir(former)


class StoredImage:
    """An image of a run; planes are float32 [y, x], and belong to the store: they change by `put` alone.

    A plane with the same value all over takes no memory. Others can be asked for in any thread.

    Attributes
    ----------
    path : str
        Where it is on the disk.
    version : int
        Another one where the pixels may be others than before.
    """

    def __init__(self, path: str, *, keeps: bool = True) -> None:
        self.path = path
        self.version = 0
        self._may_keep = keeps
        self._keeps: bool | None = None  # None: not decided, as the shape isn't known
        self._planes: dict[Key, Pixels] = {}
        self._newer: set[Key] = set()  # planes that are newer than on the disk
        self._whole: Pixels | None = None  # what all planes are views of, where they were put together
        self._valid: dict[Key, Valid | None] | None = None
        self._shape: tuple[int, int, int, int] | None = None
        self._beams: NDArray[np.float64] | None = None
        self._geometry: planes.ImageGeometry | None = None
        self._stamps = _Stamps.of(path)

    def exists(self) -> bool:
        return planes.is_image(self.path)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(nx, ny, npol, nchan)"""
        if self._shape is None:
            with casa.turn, planes.opened(self.path) as image:
                self._shape = image.shape
        return self._shape

    @property
    def keeps(self) -> bool:
        """Whether planes are kept in memory."""
        if self._keeps is None:
            self._keeps = self._may_keep and np.prod(self.shape, dtype=int) <= kept_pixels()
        return self._keeps

    @property
    def keys(self) -> list[Key]:
        """All (chan, pol), channel by channel."""
        _, _, npol, nchan = self.shape
        return list(itertools.product(range(nchan), range(npol)))

    @property
    def geometry(self) -> planes.ImageGeometry:
        """Shape, reference pixel and cell."""
        if self._geometry is None:
            self._geometry = planes.image_geometry(self.path)
        return self._geometry

    @property
    def beams(self) -> NDArray[np.float64]:
        """Beams [chan, pol, 3] (major, minor, position angle) [rad]; zeros where it has none."""
        if self._beams is None:
            self._beams = planes.beams(self.path)
        return self._beams

    def plane(self, chan: int, pol: int) -> Pixels:
        """One plane, float32 [y, x]."""
        found = self._planes.get((chan, pol))
        if found is not None:
            return found
        with casa.turn:
            if self.keeps:
                return self.channels([chan])[0][pol]
            return read_channels(self.path, chan, chan + 1, range(pol, pol + 1))[0, 0]

    def channels(self, wanted: Sequence[int]) -> list[list[Pixels]]:
        """Planes [chan][pol] of some channels, each float32 [y, x]; neighbours are read at once."""
        with casa.turn:
            if not self._planes:
                self.look()
            _, _, npol, nchan = self.shape
            if self.keeps:
                if any((chan, pol) not in self._planes for chan in wanted for pol in range(npol)):
                    self._fill(read_channels(self.path, 0, nchan))
                return [[self._planes[chan, pol] for pol in range(npol)] for chan in wanted]
            pieces = [read_channels(self.path, run.start, run.stop) for run in _runs(wanted)]
            return [list(channel) for piece in pieces for channel in piece]

    def valid(self, chan: int, pol: int) -> Valid | None:
        """Pixel mask of one plane, bool [y, x]; None where all is good."""
        with casa.turn:
            if not has_pixel_mask(self.path):
                return None
            if not self.keeps:
                return self._read_valid(range(chan, chan + 1))[chan, pol]
            if self._valid is None:
                self._valid = self._read_valid(range(self.shape[3]))
            return self._valid[chan, pol]

    def _read_valid(self, channels: range) -> dict[Key, Valid | None]:
        found = read_pixel_mask(self.path, channels.start, channels.stop)
        each = itertools.product(enumerate(channels), range(found.shape[1]))
        return {(chan, pol): None if found[at, pol].all() else found[at, pol] for (at, chan), pol in each}

    def _fill(self, pixels: Pixels) -> None:
        """Keep the planes of the whole cube [chan, pol, y, x], but those that are there."""
        for key in self.keys:
            if key not in self._planes:
                self._planes[key] = _compact(pixels[key])

    def put(self, changed: Mapping[Key, Pixels]) -> None:
        """Change planes (chan, pol) -> [y, x]: here, and on the disk at `flush`, or at once if they aren't kept."""
        if not changed:
            return
        self.version += 1
        if not self.keeps:
            self._write(changed)
            return
        self._whole = None
        self._planes.update(changed)
        self._newer.update(changed)

    def put_channels(self, pixels: Pixels, start: int = 0) -> None:
        """Change all from channel `start` on, [chan, pol, y, x]; the array is the store's from then on."""
        self.version += 1
        if not self.keeps:
            self._write_channels(pixels, start)
            return
        chosen = {(start + chan, pol): pixels[chan, pol] for chan, pol in np.ndindex(pixels.shape[:2])}
        self._whole = pixels if len(chosen) == len(self.keys) else None
        self._planes.update((key, _compact(plane)) for key, plane in chosen.items())
        self._newer.update(chosen)

    def write_channels(self, pixels: Pixels, start: int = 0) -> None:
        """Change all from channel `start` on, [chan, pol, y, x], on the disk alone; none of the planes is kept."""
        self.drop()
        self._write_channels(pixels, start)

    def fill(self, value: float) -> None:
        """Keep, without reading it, what the image has just been made with: the same value all over."""
        self.drop()
        self._stamps = _Stamps.of(self.path)
        if self.keeps:
            nx, ny, _, _ = self.shape
            self._planes = dict.fromkeys(self.keys, np.broadcast_to(np.float32(value), (ny, nx)))

    def look(self) -> None:
        """Let go of what others have written anew on the disk; what is newer here stays."""
        stamps = _Stamps.of(self.path)
        if stamps == self._stamps:
            return
        if stamps.pixels != self._stamps.pixels:
            self.version += 1
            self._planes = {key: self._planes[key] for key in self._newer}
            self._keeps = self._keeps if self._newer else None
        if stamps.valid != self._stamps.valid:
            self._valid = None
        self._shape = self._beams = self._geometry = None
        self._stamps = stamps

    def flush(self) -> None:
        """Write what is newer than the disk."""
        newer, self._newer = self._newer, set()
        whole, self._whole = self._whole, None
        if whole is not None:
            self._write_channels(whole, 0)
        elif newer:
            self._write({key: self._planes[key] for key in newer})

    def drop(self) -> None:
        """Let go of all planes, also of those that are newer than the disk."""
        self.version += 1
        self._planes.clear()
        self._newer.clear()
        self._whole = self._valid = self._shape = self._keeps = None

    def _write(self, changed: Mapping[Key, Pixels]) -> None:
        """Write planes, neighbouring channels of one polarisation at once."""
        ny, nx = next(iter(changed.values())).shape
        most = max(1, WRITTEN_AT_ONCE // (nx * ny))
        with casa.turn:
            for pol in sorted({pol for _, pol in changed}):
                for run in _runs(sorted(chan for chan, own in changed if own == pol), most):
                    together = np.stack([changed[chan, pol] for chan in run])
                    write_channels(self.path, together[:, np.newaxis], run.start, pol)
            self._sign()

    def _write_channels(self, pixels: Pixels, start: int) -> None:
        with casa.turn:
            write_channels(self.path, pixels, start)
            self._sign()

    def _sign(self) -> None:
        """Give the files a time of their own: two changes at once have the same one by the clock of the disk."""
        now = time.time_ns()
        for entry in _pixel_files(self.path):
            os.utime(entry.path, ns=(now, now))
        self._stamps = self._stamps.signed(self.path)


class _Stamps:
    """What changes when an image on the disk is written: its pixels, its pixel mask, and the rest."""

    def __init__(self, pixels: object, valid: object, rest: object) -> None:
        self.pixels, self.valid, self.rest = pixels, valid, rest

    @classmethod
    def of(cls, path: str) -> _Stamps:
        files = _files(path)
        pixels = [entry for entry in files if _has_pixels(entry)]
        rest = [entry for entry in files if not _has_pixels(entry)]
        return cls(*map(_times, (pixels, _files(os.path.join(path, MASK)), rest)))

    def signed(self, path: str) -> _Stamps:
        """The stamps after pixels were written."""
        return _Stamps(_times(_pixel_files(path)), self.valid, self.rest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Stamps) and vars(self) == vars(other)


def _files(folder: str) -> list[os.DirEntry[str]]:
    """The files of a table, but for its lock."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name != LOCK_FILE and entry.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _has_pixels(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(PIXEL_FILES)


def _pixel_files(path: str) -> list[os.DirEntry[str]]:
    return [entry for entry in _files(path) if _has_pixels(entry)]


def _times(files: Sequence[os.DirEntry[str]]) -> object:
    status = ((entry.path, entry.stat()) for entry in files)
    return sorted((name, found.st_mtime_ns, found.st_size) for name, found in status)


def _compact(plane: Pixels) -> Pixels:
    """The plane, or a view of one pixel where all are the same."""
    return plane if (plane != plane[0, 0]).any() else np.broadcast_to(plane[0, 0].copy(), plane.shape)


def _runs(channels: Sequence[int], most: int | None = None) -> Iterator[range]:
    """Channels in rising order as runs of neighbours, at most so many at once."""
    if not channels:
        return
    start = stop = channels[0]
    for chan in channels:
        if chan != stop or stop - start == most:
            yield range(start, stop)
            start = chan
        stop = chan + 1
    yield range(start, stop)
