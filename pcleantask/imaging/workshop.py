"""Where a run is done: its folders on the disk, and the parts that the clean loop drives."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import report
from ..config import PcleanConfig
from ..gridding import makers
from ..gridding.base import Gridder
from ..images import planes
from ..images.history import write_history
from ..images.planes import image_geometry, is_image
from ..images.products import WorkFolder, check_former, check_shapes, counted_names, sumwt_of
from ..images.space import check_space
from ..images.store import ImageStore
from ..toolrecords import Record, ToolRecords, to_casa_selpars, tool_records
from .cleaners import AnyDeconvolver, is_in_memory, make_deconvolver
from .cleaning import MinorCycles
from .masking import Mask, make_mask, mask_decpars
from .normalizer import Normalizer


class Cleaner(MinorCycles, Protocol):
    """Deconvolves one image field: a `Deconvolver`, or several of them on parts of the field."""

    def check_beam(self) -> None:
        """Raise ImagingError where the restoring beam is of no use."""

    def restore(self) -> None:
        """Write .image."""

    def pbcor(self) -> None:
        """Write .image.pbcor."""

    def estimate_memory(self, imsize: tuple[int, int]) -> float:
        """Memory that the minor cycle will take [kB]."""

    def close(self) -> None:
        """Release the images."""


@dataclass
class Parts:
    """What the clean loop drives; one gridder for all image fields, one of each of the others for each field."""

    gridder: Gridder
    normalizers: list[Normalizer] = field(default_factory=list)
    deconvolvers: list[Cleaner] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)

    def close(self) -> None:
        """Release all parts, even where one of them raises."""
        with contextlib.ExitStack() as stack:
            for normalizer in self.normalizers:
                stack.callback(normalizer.close)
            for deconvolver in self.deconvolvers:
                stack.callback(deconvolver.close)
            stack.callback(self.gridder.close)


class Workshop(Protocol):
    """Makes the parts of a run, and takes care of its products."""

    imagenames: tuple[str, ...]
    store: ImageStore  # the images of the run
    saves_model: bool  # whether `publish` saves the model with the data, so that the loop needn't
    is_part: bool  # whether the images are parts of others, of which somebody else tells the user

    @property
    def path(self) -> Path:
        """The folder of the main field's unfinished images."""

    def open(self) -> None:
        """Make the work folders, or raise a ParameterError or OutputError and leave the disk alone."""

    def check_space(self) -> None:
        """Raise OutputError where the disk has no room for the images to come."""

    def make_parts(self) -> Parts:
        """Make the parts; may be called again after they are closed."""

    def check_former_shapes(self) -> None:
        """Raise ParameterError where the images just made have another shape than those they would replace."""

    def blank_planes(self) -> list[NDArray[np.bool_]]:
        """For each field, which planes, bool [chan, pol], no visibility has fallen on."""

    def beyond_beam(self) -> list[bool]:
        """For each field, whether it lies beyond the primary beam's limit everywhere, and so is masked."""

    def residual_summary(self) -> dict[str, Any]:
        """The return dictionary of a run without iterations."""

    def make_saving_gridder(self) -> Gridder:
        """A gridder that may write the final model to the MeasurementSets."""

    def publish(self, history: Mapping[str, Any]) -> None:
        """Write the history and give the products their final names."""

    def discard(self) -> None:
        """Leave the disk as it was before."""

    def close(self) -> None:
        """Release what the workshop holds besides the parts; may be called again."""


def is_beyond_beam(imagename: str, pblimit: float, *, multiterm: bool) -> bool:
    """Whether all pixels of an image on the disk are below the primary beam's limit, and so masked."""
    return pblimit > 0 and planes.is_below(imagename + (".pb.tt0" if multiterm else ".pb"), pblimit)


class SerialWorkshop:
    """Work folders beside the products, and parts of CASA in this process.

    Parameters
    ----------
    config : PcleanConfig
        What to image, and how.
    """

    saves_model = False
    is_part = False

    def __init__(self, config: PcleanConfig) -> None:
        self._config = config
        self.store = ImageStore(keeps=self._cleans and any(is_in_memory(config, field) for field in config.fields))
        self._name_products()
        self._records: ToolRecords

    def _name_products(self) -> None:
        """Find the products' names, which with restart=False depend on what is there when a run begins."""
        names = tuple(entry.imagename for entry in self._config.fields)
        self._finals = names if self._config.run.restart else counted_names(names)
        self._folders = [WorkFolder(name) for name in self._finals]
        self.imagenames = tuple(folder.imagename for folder in self._folders)

    @property
    def path(self) -> Path:
        return self._folders[0].path

    def open(self) -> None:
        run = self._config.run
        self._name_products()
        self._check_former()
        self.check_space()
        for folder in self._folders:
            folder.create()
            if run.restart:
                folder.carry_over(calcpsf=run.calcpsf, calcres=run.calcres)

    def _check_former(self) -> None:
        """Raise ParameterError where a former run's images are wanted and not there, or are of another shape."""
        run = self._config.run
        cleans = self._config.iteration.niter > 0
        for entry, name in zip(self._config.fields, self._finals, strict=True):
            term = ".tt0" if entry.multiterm else ""
            others = [f"{name}.{kind}{term}" for kind in ("residual", "model")]
            can_begin = not run.calcres or any(map(is_image, others))  # CASA makes a residual if any image is there
            if not run.calcpsf and (cleans or not can_begin):
                check_former(name, f"psf{term}", "calcpsf=False")
            if not run.calcres and cleans:
                check_former(name, f"residual{term}", "calcres=False")
        if run.restart:
            self._check_shapes()

    def _check_shapes(self) -> None:
        """Raise ParameterError where a former run's images have a shape that is wrong by the parameters alone."""
        for entry in self._config.fields:
            check_shapes(entry.imagename, self._config.image_shape(entry))

    def check_space(self) -> None:
        check_space(self._config, self.imagenames)

    def make_parts(self) -> Parts:
        """Make the parts, in tclean's order."""
        self._records = self._make_records()
        parts = Parts(self._make_gridder(self._records))
        try:
            parts.normalizers = self._make_normalizers()
            parts.gridder.set_weighting()
            self._add_deconvolvers(parts)
        except BaseException:
            parts.close()
            raise
        return parts

    def _make_normalizers(self) -> list[Normalizer]:
        """One for each field; none where the gridder normalizes by itself."""
        return [Normalizer(record, store=self.store) for record in self._records.normpars]

    def _add_deconvolvers(self, parts: Parts) -> None:
        """Add a deconvolver and a mask for each field, where the run needs them."""
        config = self._config
        if self._cleans:
            for number, (entry, decpars) in enumerate(zip(config.fields, self._records.decpars, strict=True)):
                deconvolver = self._make_deconvolver(number, mask_decpars(config, entry, decpars))
                parts.deconvolvers.append(deconvolver)
                parts.masks.append(make_mask(config, entry, deconvolver, self.store))

    @property
    def _cleans(self) -> bool:
        """Whether the run needs deconvolvers."""
        return self._config.iteration.niter > 0 or self._config.deconvolution.restoration

    def _make_deconvolver(self, number: int, decpars: Record) -> AnyDeconvolver:
        in_memory = is_in_memory(self._config, self._config.fields[number])
        return make_deconvolver(self.imagenames[number], decpars, self.store, in_memory=in_memory)

    def _make_records(self) -> ToolRecords:
        return tool_records(self._config, self.imagenames)

    def _make_gridder(self, records: ToolRecords, selpars: tuple[Record, ...] | None = None) -> Gridder:
        found = makers(self._config)
        if selpars is None:
            return found.whole(self._config, records, self.store)
        return found.saving(self._config, records, selpars, self.store)

    def check_former_shapes(self) -> None:
        if self._config.run.restart:
            for entry, name in zip(self._config.fields, self.imagenames, strict=True):
                psf = name + (".psf.tt0" if entry.multiterm else ".psf")
                check_shapes(entry.imagename, image_geometry(psf).shape)

    def blank_planes(self) -> list[NDArray[np.bool_]]:
        self.store.flush()
        fields = zip(self.imagenames, self._config.fields, strict=True)
        return [planes.blank_planes(sumwt_of(name, field.deconvolver, field.specmode)) for name, field in fields]

    def beyond_beam(self) -> list[bool]:
        self.store.flush()
        return [
            is_beyond_beam(name, self._config.gridding.pblimit, multiterm=field.multiterm)
            for name, field in zip(self.imagenames, self._config.fields, strict=True)
        ]

    def residual_summary(self) -> dict[str, Any]:
        self.store.flush()
        return report.residual_summary(self._config, self.imagenames)

    def make_saving_gridder(self) -> Gridder:
        return self._make_gridder(self._records, to_casa_selpars(self._config, late_model=True))

    def publish(self, history: Mapping[str, Any]) -> None:
        for folder in self._folders:
            write_history(folder.imagename, history)
        for folder in self._folders:
            folder.publish()

    def discard(self) -> None:
        for folder in reversed(self._folders):
            folder.discard()

    def close(self) -> None:
        pass
