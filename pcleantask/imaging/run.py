"""A run: the parts that the clean loop drives, and the images that they make."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from collections.abc import Callable, Mapping
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
from ..images.planes import image_geometry
from ..images.products import check_shapes, sumwt_of
from ..images.store import ImageStore
from ..recordvalues import Record
from ..runs.folders import WorkFolders
from ..runs.psf_images import PsfImages
from ..sections import ImageField
from ..toolrecords import ToolRecords, to_casa_selpars, tool_records
from .cleaners import AnyDeconvolver, is_in_memory, make_deconvolver
from .cleaning import MinorCycles
from .field_state import Knowing, load_field, save_field
from .masking import MaskMaker, make_mask, mask_decpars
from .normalizer import Normalizer


class Cleaner(MinorCycles, Knowing, Protocol):
    """Deconvolves one image field: a `Deconvolver`, or several of them on parts of the field.

    Attributes
    ----------
    sidelobe_level : float
        The PSF's highest sidelobe over all planes, relative to its peak.
    """

    sidelobe_level: float

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
    masks: list[MaskMaker] = field(default_factory=list)

    def close(self) -> None:
        """Release all parts, even where one of them raises."""
        with contextlib.ExitStack() as stack:
            for normalizer in self.normalizers:
                stack.callback(normalizer.close)
            for deconvolver in self.deconvolvers:
                stack.callback(deconvolver.close)
            stack.callback(self.gridder.close)


def is_beyond_beam(imagename: str, pblimit: float, *, multiterm: bool) -> bool:
    """Whether all pixels of an image on the disk are below the primary beam's limit, and so masked."""
    return pblimit > 0 and planes.is_below(imagename + (".pb.tt0" if multiterm else ".pb"), pblimit)


class Run(abc.ABC):
    """Makes the parts that the clean loop drives, and looks at what they have made.

    Parameters
    ----------
    config : PcleanConfig
        What to image, and how.

    Attributes
    ----------
    store : ImageStore
        The images of the run.
    folders : WorkFolders or None
        Where they are made and from where they are published; None where they are parts of another run's.
    saves_model : bool
        Whether `publish` saves the model with the data, so that the loop needn't.
    """

    folders: WorkFolders | None = None
    saves_model = False

    def __init__(self, config: PcleanConfig) -> None:
        self._config = config.with_absolute_paths()  # CASA's tools work in a folder of their own
        self.store = ImageStore(keeps=self._cleans and any(is_in_memory(config, field) for field in config.fields))
        self._records: ToolRecords

    @property
    @abc.abstractmethod
    def imagenames(self) -> tuple[str, ...]:
        """Each field's image name, while the run lasts."""

    @property
    @abc.abstractmethod
    def path(self) -> Path:
        """The folder of the main field's unfinished images."""

    @property
    def shown_path(self) -> str:
        """That folder as the user would write it."""
        return str(self.path)

    @abc.abstractmethod
    def open(self, *, is_whole_run: bool = False) -> None:
        """Make the folders, or raise a ParameterError or OutputError and leave the disk alone.

        `is_whole_run` says that the run may go on where one was ended; else its steps are called by hand.
        """

    @property
    def result(self) -> dict[str, Any] | None:
        """What the run returns, where all is done already: it was ended as its products took their names."""
        return self.folders.result if self.folders is not None else None

    @property
    def has_psf(self) -> bool:
        """Whether the PSFs are those of a run that this one goes on with."""
        return self.folders is not None and self.folders.psf is not None

    def flush(self) -> None:
        """Let the disk have what is made."""
        self.store.flush()

    def psf_images(self) -> PsfImages:
        """Where the PSFs and what is made with them are."""
        return PsfImages(list(self.imagenames), [], [])

    def save(self, parts: Parts, prefix: str) -> dict[str, Any]:
        """Write models, masks and what the parts know to files `prefix`-FIELD.CHANNEL; what else `load` wants."""
        for number, name in enumerate(self.imagenames):
            path = f"{prefix}-{number}.0"
            save_field(path, self.store, name, parts.deconvolvers[number], parts.masks[number], 0, None)
        return {}

    def load(self, parts: Parts, files: Callable[[int], list[str]], facts: Mapping[str, Any]) -> None:
        """Come to where a run has come that wrote those files of each field, and returned these facts."""
        for number, name in enumerate(self.imagenames):
            load_field(files(number), self.store, name, parts.deconvolvers[number], parts.masks[number], 0)

    def make_parts(self) -> Parts:
        """Make the parts, in tclean's order; may be called again after they are closed."""
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
                warns = self.folders is not None
                parts.masks.append(make_mask(config, entry, deconvolver, self.store, warns=warns))

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
        return found.saving(self._config, records, self.store, selpars)

    def blank_planes(self) -> list[NDArray[np.bool_]]:
        """For each field, which planes, bool [chan, pol], no visibility has fallen on."""
        self.store.flush()
        fields = zip(self.imagenames, self._config.fields, strict=True)
        return [planes.blank_planes(sumwt_of(name, field.deconvolver, field.specmode)) for name, field in fields]

    def beyond_beam(self) -> list[bool]:
        """For each field, whether it lies beyond the primary beam's limit everywhere, and so is masked."""
        self.store.flush()
        return [
            is_beyond_beam(name, self._config.gridding.pblimit, multiterm=field.multiterm)
            for name, field in zip(self.imagenames, self._config.fields, strict=True)
        ]

    def residual_summary(self) -> dict[str, Any]:
        """The return dictionary of a run without iterations."""
        self.store.flush()
        return report.residual_summary(self._config, self.imagenames)

    def make_saving_gridder(self) -> Gridder:
        """A gridder that may write the final model to the MeasurementSets."""
        return self._make_gridder(self._records, to_casa_selpars(self._config, late_model=True))

    def check_shapes(self) -> None:
        """Raise ParameterError where the images just made have another shape than those they would replace."""
        if self.folders is not None and self._config.run.restart:
            for number, entry in enumerate(self._config.fields):
                self._check_shape(number, entry)

    def _check_shape(self, number: int, entry: ImageField) -> None:
        psf = self.imagenames[number] + (".psf.tt0" if entry.multiterm else ".psf")
        check_shapes(entry.imagename, image_geometry(psf).shape)

    def check_space(self, step: str) -> None:
        """Raise OutputError where the disk has no room for the images to come, from that step on."""
        if self.folders is not None:
            self.folders.check_space(step)

    def advice(self, error: BaseException) -> str:
        """What an error says that is there as a disk is full, and what to do; '' of others."""
        return "" if self.folders is None else self.folders.advice(error)

    def publish(self, history: Mapping[str, Any]) -> None:
        """Write the history and give the products their final names, when the parts are closed."""
        if self.folders is not None:
            self.folders.publish(history)

    def discard(self) -> None:
        """Leave the disk as it was before."""
        if self.folders is not None:
            self.folders.discard()

    def close(self) -> None:
        """Release what the run holds besides the parts; may be called again."""
        self.store.release()
        if self.folders is not None:
            self.folders.give_up()


class SerialRun(Run):
    """A run in this process, in work folders beside the products; for the parameters see `Run`."""

    folders: WorkFolders

    def __init__(self, config: PcleanConfig) -> None:
        super().__init__(config)
        self.folders = WorkFolders(config)

    @property
    def imagenames(self) -> tuple[str, ...]:
        return self.folders.imagenames

    @property
    def path(self) -> Path:
        return self.folders.path

    @property
    def shown_path(self) -> str:
        return self.folders.shown

    def open(self, *, is_whole_run: bool = False) -> None:
        if self._take_folders(is_whole_run=is_whole_run):
            self.folders.carry_over()

    def _take_folders(self, *, is_whole_run: bool) -> bool:
        """Make the folders; False where all is done already."""
        self.folders.create(self._check_planned_shape, is_whole_run=is_whole_run)
        if self.result is not None:
            return False
        found = self.folders.checkpoint.found if self.folders.checkpoint else None
        if found is not None and found.cycle > 0:  # the start model is in the model by then
            fields = tuple(dataclasses.replace(field, startmodel="") for field in self._config.fields)
            self._config = dataclasses.replace(self._config, fields=fields)
        if self.folders.psf is not None:
            self.folders.psf.put_together()
            self._config = dataclasses.replace(self._config, run=dataclasses.replace(self._config.run, calcpsf=False))
        self.store.scratch = self.folders.scratch
        return True

    def make_parts(self) -> Parts:
        parts = super().make_parts()
        if any(field.is_cube and field.nchan < 0 for field in self._config.fields):
            self.folders.nchans = [parts.gridder.nchan] * len(self._config.fields)
        return parts

    def _check_planned_shape(self, entry: ImageField) -> None:
        """Raise ParameterError where a run before has made images of a shape that is wrong by the parameters alone."""
        check_shapes(entry.imagename, self._config.image_shape(entry))
