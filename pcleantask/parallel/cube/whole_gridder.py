"""A cube that is gridded in one process and cleaned on a team: where parts of it would not be gridded alike.

The whole cube is gridded as in a serial run. The parts take over what the gridder has made, and mask, clean and restore
their channels; their models are put together for the next residual.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ...gridding.base import Gridder
from ...images.making import make_image
from ...images.pixels import channel_groups, read_channels, write_channels
from ...images.planes import image_geometry, is_image
from ...images.products import is_gridded, products

if TYPE_CHECKING:
    from .run import CubeRun

CLEANED = ("residual", "model", "mask")  # what deconvolvers write to, besides what only they make


class WholeCubeGridder:
    """A Gridder of the whole cube in this process, whose images the parts of a `CubeRun` take over.

    Attributes
    ----------
    made : list of str
        What the parts have not taken over: products with these entries of PRODUCTS.
    """

    def __init__(self, run: CubeRun, gridder: Gridder) -> None:
        self._run, self._gridder = run, gridder
        self.made: list[str] = []

    @property
    def nchan(self) -> int:
        return self._gridder.nchan

    def set_weighting(self) -> None:
        self._gridder.set_weighting()

    def make_psf(self) -> None:
        self._gridder.make_psf()
        self.made.append("psf")

    def make_pb(self) -> None:
        self._gridder.make_pb()
        self.made.append("psf")

    def check_pb(self) -> None:
        self._gridder.check_pb()

    def major_cycle(self, *, last: bool) -> None:
        for number in range(len(self._run.imagenames)):
            self._gather_model(number)
        self._run.store.look()
        self._gridder.major_cycle(last=last)
        self._run.note_major_cycle(last=last)
        self.made.append("residual")

    def _gather_model(self, number: int) -> None:
        """Put the parts' models, where there are any, into the whole one."""
        parts = self._run.pieces_of(number, ".model")
        if not is_image(parts[0].path):
            return
        target = self._run.imagenames[number] + ".model"
        if not is_image(target):
            shape, whole = image_geometry(parts[0].path).shape, self._run.coordinates[number]
            make_image(target, [*shape[:3], whole.nchan], whole.record, information={})
        for part in parts:
            copy_channels(part.path, part.channels, target, part.start)

    def predict(self, *, tuned: bool = False) -> None:
        """The model is saved when the whole of it is there."""
        self._run.saves_tuned = tuned

    def estimate_memory(self) -> float:
        return self._gridder.estimate_memory()

    def release(self) -> None:
        """Release the tool, and leave the parts alone."""
        self._gridder.close()

    def close(self) -> None:
        self.release()
        self._run.close_parts()


class NoGridder:
    """The Gridder of a part whose images another process makes."""

    nchan = 0

    def set_weighting(self) -> None: ...

    def make_psf(self) -> None: ...

    def make_pb(self) -> None: ...

    def check_pb(self) -> None: ...

    def major_cycle(self, *, last: bool) -> None: ...

    def predict(self, *, tuned: bool = False) -> None: ...

    def estimate_memory(self) -> float:
        return 0.0

    def close(self) -> None: ...


def copy_channels(source: str, channels: range, target: str, start: int) -> None:
    """Copy the pixels of some channels of an image to those from `start` on of another."""
    for group in channel_groups([*image_geometry(source).shape[:3], len(channels)]):
        pixels = read_channels(source, channels.start + group.start, channels.start + group.stop)
        write_channels(target, pixels, start + group.start)


def drop_cleaned(imagename: str) -> None:
    """Remove those of the whole cube's images that are to be put together of the parts'."""
    for path, kind in list(products(imagename)):
        if kind in CLEANED:
            shutil.rmtree(path)


def is_taken_over(path: Path, kind: str) -> bool:
    """Whether parts need a product of the whole cube's gridder, or of a run before."""
    return kind in CLEANED or (is_gridded(str(path)) and kind != "gridwt")
