"""Fourier transforms between images and visibilities by ducc0.wgridder: the only place that imports ducc0.

    V(u, v, w, nu) = sum over pixels of I(l, m) exp(2 pi i nu/c (u l + v m + w (n - 1))),   n = sqrt(1 - l^2 - m^2),

with l and m [rad] the pixel's distances east and north of the image's centre, pixel (nx // 2, ny // 2); in a transform
that isn't wide the term in w is left out, as CASA's gridder='standard' does. The dirty image is the adjoint,

    D(l, m) = sum over visibilities of W Re(V exp(-2 pi i nu/c (...))),

not divided by the sum of weights. See Arras et al. 2021, A&A 646, A58 (doi:10.1051/0004-6361/202039723).
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ducc0
import numpy as np
from numpy.typing import NDArray

from .. import casa
from ..config import PcleanConfig
from ..cores import usable_threads
from ..engines import WIDE_GRIDDERS
from ..errors import ImagingError, ParameterError
from ..toolrecords import Record, ToolRecords
from .casa_gridder import CasaGridder
from .coordinates import image_coordinates
from .field_images import FieldImages
from .image_of_data import ImageOfData
from .memory import values_at_once
from .passes import Field, ResidualsAhead, make_psf, make_residuals, nothing
from .predictions import FieldModel
from .primary_beam import make_primary_beam
from .saving import save_models
from .visibilities import read_visibilities
from .weight_image import write_weight_image

SINGLE, DOUBLE = 1.05e-5, 1e-12  # accuracy asked of ducc0, for float32 (which must be above 1e-5) and for float64
SINGLE_WIDE = 3e-5  # for float32 images with w, where digits cost planes in w: they are 2e-6 of the peak off
SMALLEST = 32  # pixels along an axis that ducc0 needs; it also wants their number even


@dataclass(frozen=True)
class Transform:
    """The transform for one image; its precision is that of the arrays it is given.

    Attributes
    ----------
    shape : tuple of int
        Pixels (nx, ny).
    cell : tuple of float
        Signed pixel sizes (dx, dy) [rad]; dx < 0 where x grows westwards.
    wide : bool
        Whether the term in w is taken, exactly (w-stacking).
    nthreads : int
        Threads to compute with.
    """

    shape: tuple[int, int]
    cell: tuple[float, float]
    wide: bool = False
    nthreads: int = 1

    @classmethod
    def of(cls, images: FieldImages, nthreads: int) -> Transform:
        """The transform for a field's images."""
        return cls(images.shape[:2], images.cell, images.wide, nthreads)

    def dirty(self, uvw: np.ndarray, freq: np.ndarray, vis: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The dirty image, not normalized.

        Parameters
        ----------
        uvw : float64 [row, 3]
            Baselines [m].
        freq : float64 [chan]
            Frequencies [Hz], in any order.
        vis : complex64 or complex128 [row, chan]
            Visibilities [Jy]; must be finite, also where their weight is zero.
        weight : float32 or float64 [row, chan]
            Imaging weights, in the precision of `vis`.

        Returns
        -------
        float32 or float64 [nx, ny]
        """
        if not vis.size:
            return np.zeros(self.shape, weight.dtype)
        nx, ny = self._padded
        order, _ = _rising(freq)
        options = self._options(vis, SINGLE_WIDE if self.wide else SINGLE)
        with _ducc0_at("gridding", vis.shape, self._padded):
            padded = ducc0.wgridder.vis2dirty(
                uvw=uvw, freq=freq[order], vis=vis[:, order], wgt=weight[:, order], npix_x=nx, npix_y=ny, **options
            )
        return padded[self._inside]

    def predict(
        self, uvw: np.ndarray, freq: np.ndarray, plane: np.ndarray, wanted: np.ndarray | None = None
    ) -> np.ndarray:
        """The visibilities of a model.

        Parameters
        ----------
        plane : float32 or float64 [nx, ny]
            The model [Jy/pixel].
        wanted : bool [row, chan], optional
            Where they are wanted; they are zero elsewhere.

        Returns
        -------
        complex64 or complex128 [row, chan]
            Visibilities [Jy], in the precision of `plane`.
        """
        if not len(uvw) or not len(freq):
            return np.zeros((len(uvw), len(freq)), np.result_type(plane, np.complex64))
        padded = plane
        if plane.shape != self._padded:
            padded = np.zeros(self._padded, dtype=plane.dtype)
            padded[self._inside] = plane
        order, back = _rising(freq)
        mask = None if wanted is None else wanted.view(np.uint8)[:, order]
        with _ducc0_at("predicting visibilities", (len(uvw), len(freq)), self._padded):
            found = ducc0.wgridder.dirty2vis(
                uvw=uvw, freq=freq[order], dirty=padded, mask=mask, **self._options(plane, SINGLE)
            )
        return found[:, back]

    def _options(self, values: np.ndarray, single: float) -> dict[str, object]:
        is_double = values.dtype in (np.float64, np.complex128)
        return {
            "pixsize_x": abs(self.cell[0]),
            "pixsize_y": abs(self.cell[1]),
            "flip_u": self.cell[0] > 0,
            "flip_v": self.cell[1] > 0,
            "epsilon": DOUBLE if is_double else single,
            "do_wgridding": self.wide,
            "divide_by_n": False,
            "nthreads": self.nthreads,
        }

    @property
    def _padded(self) -> tuple[int, int]:
        """The shape given to ducc0, whose centre is the pixel at half of each size."""
        nx, ny = (max(SMALLEST, size + size % 2) for size in self.shape)
        return nx, ny

    @property
    def _inside(self) -> tuple[slice, slice]:
        """Where the image lies in the padded one."""
        x, y = (
            slice(large // 2 - size // 2, large // 2 - size // 2 + size)
            for size, large in zip(self.shape, self._padded, strict=True)
        )
        return x, y


Order = slice | NDArray[np.int64]


def _rising(freq: np.ndarray) -> tuple[Order, Order]:
    """What puts channels in the rising order that ducc0 needs, and what puts them back; views where it can be."""
    steps = np.diff(freq)
    if (steps >= 0).all():
        return slice(None), slice(None)
    if (steps <= 0).all():
        return slice(None, None, -1), slice(None, None, -1)
    order = np.argsort(freq, kind="stable")
    return order, np.argsort(order)


@contextlib.contextmanager
def _ducc0_at(stage: str, visibilities: tuple[int, ...], pixels: tuple[int, int]) -> Iterator[None]:
    """Turn what ducc0's C++ raises into an ImagingError that says what was being done, without its source lines."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        rows, channels = visibilities
        raise ImagingError(
            f"ducc0 failed while {stage} ({rows} rows of {channels} channels, {pixels[0]} x {pixels[1]} pixels): "
            f"{said[-1] if said else type(error).__name__}; engine='casa' grids without ducc0"
        ) from error


@dataclass(frozen=True)
class WholeCube:
    """The cube of which a gridder makes some channels.

    Attributes
    ----------
    coordinates : sequence of dict
        Each image field's coordinate system.
    nchan : int
        Number of its channels.
    first : int
        The channel that is the first of those made.
    guards : set of int
        Channels, counted from `first`, that need no residual.
    """

    coordinates: Sequence[Record]
    nchan: int
    first: int = 0
    guards: frozenset[int] = frozenset()


def for_saving(records: ToolRecords, selpars: tuple[Record, ...] | None = None) -> ToolRecords:
    """The records with which models on disk are saved, with other selections where they are given.

    The start model is in the models by then, and CASA refuses to be given both.
    """
    impars = tuple({**record, "startmodel": ""} for record in records.impars)
    return dataclasses.replace(records, impars=impars, selpars=selpars or records.selpars)


def with_planes_in_w(records: ToolRecords) -> ToolRecords:
    """The records with which CASA takes the term in w where ducc0 does: the number of planes is CASA's choice."""
    gridpars = tuple(
        {**record, "wprojplanes": -1} if record["gridder"] in WIDE_GRIDDERS and record["wprojplanes"] == 1 else record
        for record in records.gridpars
    )
    return dataclasses.replace(records, gridpars=gridpars)


class DuccGridder:
    """A Gridder on `ducc0.wgridder`, with visibilities that are read once.

    It leaves the images as CASA's gridder does: those of a cube normalized, those of a continuum image not yet.

    Parameters
    ----------
    config : PcleanConfig
        What to image, and how.
    records : ToolRecords
        Selections and definitions of the images.
    whole : WholeCube, optional
        The cube, where the images are some of its channels.
    reads : bool
        Whether the visibilities are read; not where the gridder is only to save models.
    makes_pb : bool
        Whether .pb is made; not where another gridder of the same image does.
    beam_selpars : tuple of dict, optional
        The selections of which .pb is made, where the records have a part of them.
    """

    def __init__(
        self,
        config: PcleanConfig,
        records: ToolRecords,
        whole: WholeCube | None = None,
        *,
        reads: bool = True,
        makes_pb: bool = True,
        beam_selpars: tuple[Record, ...] | None = None,
    ) -> None:
        self._config, self._records = config, records
        self._beam_records = dataclasses.replace(records, selpars=beam_selpars or records.selpars)
        self._makes_residuals, self._makes_pb = config.run.calcres, makes_pb
        self._ahead: ResidualsAhead | None = None
        self._saves_model = config.run.savemodel != "none" and not config.saves_model_late
        self._coordinates = image_coordinates(self._records, with_model=True)
        if len({nchan for _, nchan in self._coordinates}) > 1:
            raise ParameterError(
                "engine='ducc' doesn't do outlier fields of other numbers of channels, as the data give them here; "
                "use engine='casa'"
            )
        self._whole = whole or WholeCube([csys for csys, _ in self._coordinates], self._coordinates[0][1])
        self._values_at_once = values_at_once()
        self._fields = [self._open(number) for number in range(len(config.fields))] if reads else []

    def _open(self, number: int) -> Field:
        """Read the visibilities of a field."""
        config, records, whole, nchan = self._config, self._records, self._whole, self._coordinates[number][1]
        images = self._images(number)
        visibilities = read_visibilities(
            config,
            records.selpars,
            whole.coordinates[number],
            whole.nchan,
            field=config.fields[number],
            channels=range(whole.first, whole.first + nchan),
            folder=Path(images.imagename).parent,
        )
        for warning in visibilities.warnings if number == 0 else []:  # other fields have the same data
            casa.post(warning, "WARN")
        at_once = min(usable_threads(), nchan)
        transform = Transform.of(images, max(1, usable_threads() // at_once))
        return Field(images, visibilities, transform, whole.first, at_once, whole.guards, self._values_at_once)

    def _images(self, number: int) -> FieldImages:
        records, (csys, nchan) = self._records, self._coordinates[number]
        impars, gridpars, normpars = records.impars[number], records.gridpars[number], records.normpars[number]
        is_cleaned = self._config.iteration.niter > 0
        return FieldImages.of(impars, gridpars, normpars, csys, nchan, is_cleaned=is_cleaned)

    def set_weighting(self) -> None:
        """One density, where the weights come from one, is that on the grid of the largest field."""
        density = self._largest.visibilities.density()
        for field in self._fields:
            field.visibilities.set_weights(density)
        if density is not None and self._fields[0].images.is_cube:
            scheme = self._largest.visibilities.scheme
            write_weight_image(self._records, self._fields[0].images, density, scheme)

    def weight_density(self) -> str:
        """Write the density of these visibilities from which weights come to a file, and return its path.

        It takes the place of `set_weighting`, with `use_weight_density`, where several gridders share the rows.
        """
        path = self._largest.images.imagename + ".density.npy"
        density = self._largest.visibilities.density()
        if density is None:
            raise ImagingError("these weights come from no density")
        np.save(path, np.append(density.cells.ravel(), density.total))
        return path

    def use_weight_density(self, path: str) -> None:
        """Set the weights by a density on disk, the sum of what gridders have written."""
        own = self._largest.visibilities.empty_density()
        if own is None:
            raise ImagingError("these weights come from no density")
        saved = np.load(path)
        density = dataclasses.replace(own, cells=saved[:-1].reshape(own.cells.shape), total=float(saved[-1]))
        for field in self._fields:
            field.visibilities.set_weights(density)

    @property
    def _largest(self) -> Field:
        return max(self._fields, key=lambda field: field.images.shape[0] * field.images.shape[1])

    def make_psf(self) -> None:
        """Write .psf and .sumwt, and .pb, which is made while threads grid PSFs: from it all know what CASA tells."""
        for number, field in enumerate(self._fields):
            make_psf(field, partial(self._make_pb, number) if self._makes_pb else nothing)
            field.images.share_information()
        if self._makes_residuals and ResidualsAhead.wanted(self._fields):
            self._ahead = ResidualsAhead(self._fields)
        for field in self._fields:
            if field.images.is_cube:
                field.images.fit_beams()

    def make_pb(self) -> None:
        """Nothing to do: `make_psf` has."""

    def _make_pb(self, number: int) -> None:
        make_primary_beam(self._beam_records, number, self._fields[number].images)

    def check_pb(self) -> None:
        """Nothing to do: the primary beam is evaluated, not gridded, so that nothing aliases."""

    def major_cycle(self, *, last: bool) -> None:
        make_residuals(self._fields, self._ahead)
        self._forget_ahead()
        if last and self._saves_model:
            self.predict(tuned=self._saves_column and self._config.grids_by_channel)

    def predict(self, *, tuned: bool = False) -> None:
        """Write what models on disk predict to MODEL_DATA; CASA saves virtual ones, and predicts when they are read."""
        if self._saves_column:
            models = [self._field_model(number) for number in range(len(self._config.fields))]
            tuned = tuned and self._config.fields[0].specmode != "cubedata"
            save_models(models, self._records.selpars, tuned=tuned, at_once=self._values_at_once)
            return
        gridder = CasaGridder(with_planes_in_w(for_saving(self._records)))
        try:
            gridder.predict(tuned=tuned)
        finally:
            gridder.close()

    @property
    def _saves_column(self) -> bool:
        return self._config.run.savemodel == "modelcolumn"

    def _field_model(self, number: int) -> FieldModel:
        """The model of a field, which predicts with all threads."""
        images, (csys, nchan) = self._images(number), self._coordinates[number]
        image = ImageOfData.of(self._config, self._config.fields[number], csys, nchan)
        return FieldModel(images, image, Transform.of(images, usable_threads()).predict)

    def estimate_memory(self) -> float:
        """What planes take, as visibilities are in memory already, or on the disk."""
        return sum(field.working_memory() for field in self._fields) / 1024

    def _forget_ahead(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.close()

    def close(self) -> None:
        self._forget_ahead()
        self._fields = []
