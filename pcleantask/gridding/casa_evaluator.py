"""What CASA makes of a run's definitions without a pass over the data, for gridders that aren't CASA's."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import casa
from ..images.coordinates import ImageCoordinates
from ..images.information import keywords
from ..images.pixels import channel_groups, read_channels, write_channels
from ..images.planes import image_geometry
from ..images.store import ImageStore
from ..ownprocess import unbroken
from ..recordvalues import DataSelection, Record
from ..toolrecords import ToolRecords
from ..traits import GRIDDERS
from .beam_bands import with_beam_of_cube
from .casa import CasaGridder
from .data.coordinates import image_coordinates
from .data.selection import one_row_a_field

WITH_FORMULA = frozenset({"ALMA", "ACA", "VLA", "EVLA", "ATCA", "WSRT"})  # telescopes


class CasaEvaluator:
    """CASA's synthesisimager, asked for coordinates, primary beams and layouts of images.

    It is shown the first row of each field: CASA adds up one pattern for each field of the data that it meets
    (SynthesisImagerVi2::makePrimaryBeam), so that the cost is that of evaluating the patterns.

    Parameters
    ----------
    records : ToolRecords
        Of the run.
    all_rows : ToolRecords, optional
        Those of which primary beams are made, where `records` select a part of the rows.
    """

    def __init__(self, records: ToolRecords, all_rows: ToolRecords | None = None) -> None:
        self._saving, self._records = records.for_saving(), records.for_reading()
        self._all_rows = (all_rows or records).for_reading()

    @property
    def selections(self) -> tuple[DataSelection, ...]:
        """What is read of each MeasurementSet."""
        return self._records.selections

    @property
    def imagenames(self) -> tuple[str, ...]:
        """Each field's image name."""
        return self._records.imagenames

    def image_coordinates(self) -> list[ImageCoordinates]:
        """Each field's coordinate system; starting models are copied to .model on the way."""
        return image_coordinates(self._records, with_model=True)

    def write_primary_beam(self, number: int, imagename: str, coordinates: ImageCoordinates) -> None:
        """Write the .pb of an image of field `number` with these coordinates, as CASA leaves it for the normalizer."""
        _evaluate(self._beam_records, number, imagename, coordinates)

    def primary_beams(
        self, number: int, imagename: str, coordinates: ImageCoordinates, groups: Iterable[range]
    ) -> Iterator[tuple[range, NDArray[np.float32], Record]]:
        """Of a cube of field `number`, some channels at a time, as CASA holds all that it evaluates in memory.

        Parameters
        ----------
        number : int
        imagename : str
            Of images that are made on the way.
        coordinates : ImageCoordinates
            The whole cube's.
        groups : iterable of range
            Channels to take at a time.

        Yields
        ------
        range, ndarray of float32, shape (chan, pol, y, x), dict
            Channels, their primary beams, and the image's keywords.
        """
        table = imagename + ".vp"
        for channels in groups:
            own = coordinates.from_channel(channels.start, len(channels))
            chosen = with_beam_of_cube(self._records.gridpars[number], coordinates, channels.start, table)
            _evaluate(self._beam_records.with_gridding(number, chosen), number, imagename, own)
            yield channels, read_channels(f"{imagename}.pb", 0, len(channels)), keywords(f"{imagename}.pb")
            shutil.rmtree(imagename + ".pb")
        shutil.rmtree(table, ignore_errors=True)

    def write_continuum_beams(self) -> None:
        """Write .pb of all fields of a continuum run, whose records tell the images' coordinates."""
        for number, (name, coordinates) in enumerate(zip(self.imagenames, self._records.coordinates, strict=True)):
            self.write_primary_beam(number, name, coordinates)

    def evaluate_on_threads(self, number: int, imagename: str, threads: int) -> None:
        """Evaluate the .pb that CASA has made of a cube, not yet normalized, as a process with so many threads does.

        CASA has formulae for some telescopes' beams. Others are interpolated by a Fourier transform
        (PBMath1DNumeric::fillPBArray), whose last bits depend on the number of threads.
        """
        coordinates, gridpars = self._records.coordinates[number], self._records.gridpars[number]
        has_formula = coordinates.telescope in WITH_FORMULA and not gridpars["vptable"]
        if has_formula or GRIDDERS[gridpars["gridder"]].joins_pointings:
            return
        path = f"{imagename}.pb"
        groups = channel_groups(image_geometry(path).shape)
        with casa.on_openmp_threads(threads):
            for channels, pixels, _ in self.primary_beams(number, f"{imagename}-evaluated", coordinates, groups):
                write_channels(path, pixels, channels.start)

    def write_beam_of_field(
        self, vis: str, field: int, imagename: str, coordinates: ImageCoordinates, imsize: tuple[int, int]
    ) -> None:
        """Write the .pb of a cube in Stokes I that gridder='standard' makes of one field of a MeasurementSet.

        Parameters
        ----------
        vis : str
        field : int
            FIELD_ID.
        imagename : str
        coordinates : ImageCoordinates
            Of the cube.
        imsize : tuple of int
            (nx, ny)
        """
        seen = next(selection for selection in self.selections if selection.vis == vis)
        shown = self._records.showing([one_row_a_field(seen.of_field(field))]).for_beam_cube(imsize)
        _evaluate(shown, 0, imagename, coordinates)

    def lay_out_density(self, imagename: str, coordinates: ImageCoordinates) -> str:
        """Write the .gridwt of the main field, of what CASA is shown (SynthesisImager::getWeightDensity); its path."""
        with casa.tool("synthesisimager") as tool, casa.working_on("writing the density of weights"):
            _define(tool, _showing_little(self._records), 0, imagename, coordinates)
            tool.setweighting(**self._records.weightpars | {"usecubebriggs": False})
            return str(tool.getweightdensity())

    def make_model_columns(self) -> None:
        """Have CASA make MODEL_DATA where it isn't there, and drop virtual models, as tclean does at its selection."""
        with casa.tool("synthesisimager") as tool, casa.working_on("making the column MODEL_DATA"), unbroken:
            for record in self._saving.selpars:
                tool.selectdata(record)

    def save_virtual_models(self, store: ImageStore, *, tuned: bool) -> None:
        """Save the models on disk as virtual ones, which predict when they are read; see `Gridder.predict`."""
        gridder = CasaGridder(self._saving.with_planes_in_w(), store=store)
        try:
            gridder.predict(tuned=tuned)
        finally:
            gridder.close()

    @cached_property
    def _beam_records(self) -> ToolRecords:
        return _showing_little(self._all_rows)


def _showing_little(records: ToolRecords) -> ToolRecords:
    return records.showing(map(one_row_a_field, records.selections))


def _evaluate(records: ToolRecords, number: int, imagename: str, coordinates: ImageCoordinates) -> None:
    with casa.tool("synthesisimager") as tool, casa.working_on("making the primary beam"):
        _define(tool, records, number, imagename, coordinates)
        tool.normalizerinfo({**records.normpars[number], "imagename": imagename})
        tool.makepb()


def _define(tool: Any, records: ToolRecords, number: int, imagename: str, coordinates: ImageCoordinates) -> None:
    """Select data, and define an image of field `number` that has these coordinates."""
    for record in records.selpars:
        tool.selectdata(record)
    placed = {"csys": coordinates.record, "nchan": coordinates.nchan, "startmodel": ""}
    names = {"imagename": imagename}
    tool.defineimage({**records.impars[number], **placed, **names}, {**records.gridpars[number], **names})
