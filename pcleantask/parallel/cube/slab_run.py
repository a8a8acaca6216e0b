"""A slab of a cube's channels as a run of its own, in a worker."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...config import PcleanConfig
from ...gridding import makers
from ...gridding.base import Gridder, WholeCube
from ...gridding.beam_bands import with_beam_of_cube
from ...gridding.casa_evaluator import CasaEvaluator
from ...images import planes
from ...images.assemble import cut_out
from ...images.coordinates import ImageCoordinates
from ...images.products import PRODUCTS, carried_over, products
from ...images.store import StoredImage
from ...imaging import psf_beams
from ...imaging.cleaners import AnyDeconvolver
from ...imaging.field_state import load_field, save_field
from ...imaging.run import Parts, Run
from ...recordvalues import Record
from ...toolrecords import ToolRecords, restoring_only
from ..partition import Slab
from .regions import part_of_image, part_of_mask
from .whole_gridder import NoGridder, copy_channels, is_taken_over

# An image with given coordinates takes the data's frequencies as they are only if its frame is this one
# (SynthesisParamsImage::buildCoordinateSystem), as CASA does of itself for a cubedata image whose axis it makes.
FRAMES_OF_PARTS = {"cubedata": "REST"}


class SlabRun(Run):
    """CASA's parts on a slab of channels; the images stay where they are made, for the lead to assemble.

    Parameters
    ----------
    config : PcleanConfig
        Of the whole run.
    slab : Slab
        The channels.
    coordinates : list of ImageCoordinates
        Each field's, of the whole cube.
    sources : list of str
        Each field's image name, under which the whole products of a former run stand.
    folder : Path
        Where to make the images; must not be there yet.
    grids : bool
        Whether the part grids its channels. Else the whole cube's images stand under the names `sources`, and
        `take_over` copies from them.
    takes_over : bool
        Whether a part that grids takes over what of the whole products it doesn't make.
    """

    def __init__(
        self,
        config: PcleanConfig,
        slab: Slab,
        coordinates: list[ImageCoordinates],
        sources: list[str],
        folder: Path,
        *,
        grids: bool,
        takes_over: bool,
    ) -> None:
        super().__init__(config)
        self._grids, self._takes_over = grids, takes_over
        self._slab, self._coordinates, self._sources = slab, coordinates, sources
        self._folder = folder
        self._imagenames = tuple(str(folder / f"{number}-{Path(source).name}") for number, source in enumerate(sources))
        self.has_empty_mask = [False] * len(sources)

    @property
    def imagenames(self) -> tuple[str, ...]:
        return self._imagenames

    @property
    def path(self) -> Path:
        return self._folder

    @property
    def masks(self) -> list[str | tuple[str, ...]]:
        """The user's masks of each field, cut to the slab."""
        return [field.mask for field in self._config.fields]

    def save(self, parts: Parts, prefix: str) -> dict[str, Any]:
        for number, name in enumerate(self.imagenames):
            path, cleaner, mask = (
                f"{prefix}-{number}.{self._slab.start}",
                parts.deconvolvers[number],
                parts.masks[number],
            )
            save_field(path, self.store, name, cleaner, mask, self._slab.first, self._slab.own)
        return {}

    def load(self, parts: Parts, files: Callable[[int], list[str]], facts: Mapping[str, Any]) -> None:
        for number, name in enumerate(self.imagenames):
            cleaner, mask = parts.deconvolvers[number], parts.masks[number]
            load_field(files(number), self.store, name, cleaner, mask, self._slab.first)
            self.clear_guards(name + ".mask")

    def open(self, *, is_whole_run: bool = False) -> None:
        """Make the folder and work in it, and cut out what the run takes over from a former one.

        CASA keeps weights of cubes in the working directory, under a name that parts would share.
        """
        self._folder.mkdir()
        os.chdir(self._folder)
        run = self._config.run
        if not self._grids:
            self.take_over()
        elif self._takes_over:
            for source, name in zip(self._sources, self.imagenames, strict=True):
                for path in carried_over(source, calcpsf=run.calcpsf, calcres=run.calcres):
                    target = name + path.name.removeprefix(Path(source).name)
                    cut_out(str(path), target, range(self._slab.first, self._slab.last))
                self.clear_guards(name + ".mask")
                self.clear_guards(name + ".residual")
        self._config = dataclasses.replace(
            self._config, fields=tuple(self._part_of_field(number) for number in range(len(self._sources)))
        )

    def take_over(self, made: Collection[str] = tuple(PRODUCTS.values())) -> None:
        """Copy the part's channels of the whole cube's images of some kinds, which are values of PRODUCTS.

        CASA may give the PSF other beams at any major cycle, and they are copied at each.
        """
        for source, name in zip(self._sources, self.imagenames, strict=True):
            for path, kind in products(source):
                target = name + path.name.removeprefix(Path(source).name)
                if PRODUCTS[kind] in made and is_taken_over(path, kind):
                    self._replace(str(path), kind, target)
                elif kind == "psf":
                    psf_beams.copy_beams(str(path), range(self._slab.first, self._slab.last), target)
            self.store.look()
            self.clear_guards(name + ".mask")
            self.clear_guards(name + ".residual")

    def _replace(self, source: str, kind: str, target: str) -> None:
        channels = range(self._slab.first, self._slab.last)
        if kind == "residual" and planes.is_image(target):  # which the deconvolver has open
            copy_channels(source, channels, target, 0)
            return
        shutil.rmtree(target, ignore_errors=True)
        cut_out(source, target, channels)

    def _part_of_field(self, number: int) -> Any:
        """The field with its masks and start models cut to the slab."""
        field = self._config.fields[number]
        coordinates = self._coordinates[number]
        given = [field.mask] if isinstance(field.mask, str) else list(field.mask)
        masks = [
            part_of_mask(mask, str(self._folder / f"{number}-given{entry}.mask"), self._slab, coordinates)
            for entry, mask in enumerate(given)
            if mask and field.usemask == "user"
        ]
        kept = tuple(mask for mask in masks if mask is not None)
        self.has_empty_mask[number] = bool(masks) and not kept
        model = field.startmodel
        if isinstance(model, str) and model:
            model = part_of_image(model, str(self._folder / f"{number}-start.model"), self._slab, coordinates)
        return dataclasses.replace(field, mask=kept[0] if len(kept) == 1 else kept or "", startmodel=model)

    def clear_guards(self, path: str) -> None:
        """Set the guard channels of an image, if it is there, to zero."""
        if planes.is_image(path):
            clear(self.store.image(path), self._slab.guards)

    def _make_records(self) -> ToolRecords:
        records = super()._make_records()
        frame = FRAMES_OF_PARTS.get(self._config.fields[0].specmode, self._config.frame.outframe)
        own = [whole.from_channel(self._slab.first, self._slab.size) for whole in self._coordinates]
        whole, table = self._coordinates[0], str(self._folder / "whole.vp")
        gridpars = tuple(with_beam_of_cube(record, whole, self._slab.first, table) for record in records.gridpars)
        return dataclasses.replace(records.placed(own, outframe=frame), gridpars=gridpars)

    def _make_gridder(self, records: ToolRecords, selpars: tuple[Record, ...] | None = None) -> Gridder:
        if not self._grids:
            return NoGridder()
        guards = frozenset(self._slab.guards)
        whole = WholeCube(self._coordinates, self._slab.first, guards)
        return makers(self._config).slab(self._config, records, self.store, whole)

    def make_parts(self) -> Parts:
        self.parts = super().make_parts()
        return self.parts

    def evaluate_pb(self, threads: int) -> None:
        evaluator = CasaEvaluator(self._records)
        for number, name in enumerate(self.imagenames):
            evaluator.evaluate_on_threads(number, name, threads)

    def restoring_deconvolver(self, number: int, beam: Record | None) -> AnyDeconvolver:
        """A new deconvolver, which reads the beams as they now stand, or restores with one beam for all channels."""
        return self._make_deconvolver(number, restoring_only(self._records.decpars[number], beam))


def clear(image: StoredImage, channels: Sequence[int]) -> None:
    """Set planes to zero that aren't."""
    for chan in channels:
        (found,) = image.channels([chan])
        image.put({(chan, pol): np.zeros_like(plane) for pol, plane in enumerate(found) if plane.any()})
