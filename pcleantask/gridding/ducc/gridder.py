"""DuccGridder: gridding with ducc0, of visibilities that are read once and stay in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from ... import casa
from ...config import PcleanConfig
from ...cores import usable_threads
from ...errors import ImagingError, ParameterError
from ...images.store import ImageStore
from ..base import WholeCube
from ..casa_evaluator import CasaEvaluator
from ..data.frames import Observation
from ..data.memory import values_at_once
from ..data.pointings import pieces_of
from ..data.selection import find_data
from .channels.target_image import ImageOfData
from .channels.visibilities import read_visibilities
from .model.at_data import ModelAtData
from .model_column import save_models
from .operators import make_measurement
from .passes import GriddedField, ResidualsAhead, make_psf, make_residuals, nothing
from .products.field_images import FieldImages
from .products.primary_beam import make_primary_beam
from .products.weight_image import Owner, write_weight_image
from .weights.density import Density


class DuccGridder:
    """A Gridder on `ducc0.wgridder`, with visibilities that are read once.

    It leaves the images as CASA's gridder does: those of a cube normalized, those of a continuum image not yet.

    Parameters
    ----------
    config : PcleanConfig
        What to image, and how.
    evaluator : CasaEvaluator
        What CASA makes of the run's selections and definitions of images.
    store : ImageStore
        The images of the run.
    whole : WholeCube, optional
        The cube, where the images are some of its channels.
    reads : bool
        Whether the visibilities are read; not where the gridder is only to save models.
    makes_pb : bool
        Whether .pb is made; not where another gridder of the same image does.
    """

    def __init__(
        self,
        config: PcleanConfig,
        evaluator: CasaEvaluator,
        store: ImageStore,
        whole: WholeCube | None = None,
        *,
        reads: bool = True,
        makes_pb: bool = True,
    ) -> None:
        self._config, self._evaluator, self._store = config, evaluator, store
        self._makes_residuals, self._makes_pb = config.run.calcres, makes_pb
        self._ahead: ResidualsAhead | None = None
        self._saves_model = config.run.savemodel != "none" and not config.saves_model_late
        self._coordinates = evaluator.image_coordinates()
        if len({image.nchan for image in self._coordinates}) > 1:
            raise ParameterError(
                "engine='ducc' doesn't do outlier fields of other numbers of channels, as the data give them here; "
                "use engine='casa'"
            )
        self._whole = whole or WholeCube(self._coordinates)
        self._values_at_once = values_at_once()
        self._fields = [self._open(number) for number in range(len(config.fields))] if reads else []

    def _open(self, number: int) -> GriddedField:
        """Read the visibilities of a field."""
        config, evaluator, whole, nchan = self._config, self._evaluator, self._whole, self._coordinates[number].nchan
        images = self._images(number)
        visibilities = read_visibilities(
            config,
            evaluator.selections,
            whole.coordinates[number],
            field=config.fields[number],
            channels=range(whole.first, whole.first + nchan),
            folder=Path(images.imagename).parent,
        )
        for warning in visibilities.warnings if number == 0 else []:  # other fields have the same data
            casa.post(warning, "WARN")
        at_once = min(usable_threads(), nchan)
        measurement = make_measurement(evaluator, images, visibilities.sources, visibilities, at_once)
        return GriddedField(images, visibilities, measurement, whole.first, at_once, whole.guards, self._values_at_once)

    def _images(self, number: int) -> FieldImages:
        name, coordinates = self._evaluator.imagenames[number], self._coordinates[number]
        return FieldImages.of(self._config, self._config.fields[number], name, coordinates, self._store)

    @property
    def nchan(self) -> int:
        return max(image.nchan for image in self._coordinates)

    def set_weighting(self) -> None:
        """One density, where the weights come from one, is that on the grid of the largest field."""
        largest, main = self._largest.visibilities, self._fields[0].images
        density = largest.density()
        densities: Mapping[Owner, Density] = largest.field_densities() if density is None else {None: density}
        if densities and main.is_cube:
            write_weight_image(self._evaluator, main, densities, largest.scheme)
        for field in self._fields:
            field.visibilities.set_weights(density, largest.grid)

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
    def _largest(self) -> GriddedField:
        return max(self._fields, key=lambda field: field.images.shape[0] * field.images.shape[1])

    def make_psf(self) -> None:
        """Write .psf and .sumwt, and .pb, which is made while threads grid PSFs: from it all know what CASA tells."""
        for number, field in enumerate(self._fields):
            makes_pb = self._makes_pb and not field.images.is_mosaic
            make_psf(field, partial(self._make_pb, number) if makes_pb else nothing)
            field.images.share_information()
        if self._makes_residuals and ResidualsAhead.wanted(self._fields):
            self._ahead = ResidualsAhead(self._fields)
        for field in self._fields:
            if field.images.is_cube:
                field.images.fit_beams()

    def make_pb(self) -> None:
        """Nothing to do: `make_psf` has; that of a mosaic follows from its weights."""

    def _make_pb(self, number: int) -> None:
        make_primary_beam(self._evaluator, number, self._fields[number].images)

    def check_pb(self) -> None:
        """Nothing to do: the primary beam is evaluated, not gridded, so that nothing aliases."""

    def major_cycle(self, *, last: bool) -> None:
        make_residuals(self._fields, self._ahead)
        self._forget_ahead()
        if last and self._saves_model:
            self._predict(tuned=self._saves_column and self._config.grids_by_channel, is_sky=False)

    def predict(self, *, tuned: bool = False) -> None:
        """Write what models on disk predict to MODEL_DATA; CASA saves virtual ones, and predicts when they are read."""
        self._predict(tuned=tuned, is_sky=True)

    def _predict(self, *, tuned: bool, is_sky: bool) -> None:
        if self._saves_column:
            models = [self._field_model(number, is_sky) for number in range(len(self._config.fields))]
            tuned = tuned and self._config.fields[0].specmode != "cubedata"
            make_columns = self._evaluator.make_model_columns
            save_models(models, self._evaluator.selections, make_columns, tuned=tuned, at_once=self._values_at_once)
        else:
            self._evaluator.save_virtual_models(self._store, tuned=tuned)

    @property
    def _saves_column(self) -> bool:
        return self._config.run.savemodel == "modelcolumn"

    def _field_model(self, number: int, is_sky: bool) -> ModelAtData:
        """The model of a field, which predicts with all threads."""
        images = self._images(number)
        image = ImageOfData.of(self._config, self._config.fields[number], images.coordinates)
        sources = find_data(self._evaluator.selections) if images.is_mosaic else []
        pieces = [piece for source in sources for piece in pieces_of(source, image.target, Observation(source.vis))]
        measurement = make_measurement(self._evaluator, images, pieces)
        return ModelAtData(images, image, measurement, is_sky=is_sky)

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
