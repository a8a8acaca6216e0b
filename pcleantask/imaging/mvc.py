"""Taylor terms by way of a cube (specmode='mvc'): major cycles on a coarse cube, minor cycles on its Taylor terms.

Each channel of the cube has its own primary beam, so that the terms show the sources' spectra without the beam's.
Follows PyMtmfsViaCubeSynthesisImager of casatasks' imager_mtmfs_via_cube.py (6.7.0).
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any

from .. import casa, measurementsets
from ..config import PcleanConfig
from ..errors import ParameterError
from ..gridding.base import Gridder
from ..images.planes import image_geometry
from ..images.products import check_shapes
from ..images.taylor import CUBES, TaylorTerms
from ..minorrecords import ExecRecord, MinorControls
from ..recordvalues import Record
from ..sections import ImageField
from ..toolrecords import ToolRecords, tool_records
from .deconvolver import Deconvolver
from .normalizer import Normalizer
from .run import SerialRun

MANY_CHANNELS = 50  # more than this are no help to polynomials of a low order
FEWEST_STEPS = 5  # a band of fewer has one channel more than there are terms


class MvcGridder:
    """A Gridder of Taylor terms, on one of cubes. It normalizes the cubes by itself, as CASA does.

    Parameters
    ----------
    cube : Gridder
        Makes the cubes.
    cube_normalizers, term_normalizers : sequence of Normalizer
        One of each for each image field; all are closed with the gridder.
    terms : sequence of TaylorTerms
        One for each image field.
    """

    def __init__(
        self,
        cube: Gridder,
        cube_normalizers: Sequence[Normalizer],
        term_normalizers: Sequence[Normalizer],
        terms: Sequence[TaylorTerms],
    ) -> None:
        self._cube, self._terms = cube, terms
        self._cube_normalizers, self._term_normalizers = cube_normalizers, term_normalizers
        self._has_residual = False

    @property
    def nchan(self) -> int:
        return self._cube.nchan

    def set_weighting(self) -> None:
        self._cube.set_weighting()

    def make_psf(self) -> None:
        """Write .psf, .sumwt and .pb: the sums of channels need the primary beams."""
        self._cube.make_psf()
        self.make_pb()
        for terms, normalizer in zip(self._terms, self._term_normalizers, strict=True):
            with casa.working_on("making Taylor terms of the PSF"):
                terms.make("pb", "psf", "sumwt")
            normalizer.fit_beam()

    def make_pb(self) -> None:
        self._cube.make_pb()
        for normalizer in self._cube_normalizers:
            normalizer.normalize_pb()

    def check_pb(self) -> None:
        self._cube.check_pb()

    def major_cycle(self, *, last: bool) -> None:
        self._cube.major_cycle(last=last)
        for terms in self._terms:
            with casa.working_on("making Taylor terms of the residual"):
                terms.flatten_residual()
                if self._has_residual:
                    terms.sum_up("residual")
                else:
                    terms.make("residual")
        self._has_residual = True

    def predict(self, *, tuned: bool = False) -> None:
        for normalizer in self._cube_normalizers:
            normalizer.divide_model()
        self._cube.predict(tuned=tuned)
        for normalizer in self._cube_normalizers:
            normalizer.restore_model()

    def estimate_memory(self) -> float:
        return self._cube.estimate_memory()

    def close(self) -> None:
        with contextlib.ExitStack() as stack:
            for normalizer in (*self._cube_normalizers, *self._term_normalizers):
                stack.callback(normalizer.close)
            stack.callback(self._cube.close)


class MvcDeconvolver(Deconvolver):
    """A Deconvolver that writes its model to the cube as well, for the next major cycle."""

    def __init__(self, decpars: Record, terms: TaylorTerms) -> None:
        super().__init__(terms.imagename, decpars)
        self._terms = terms

    def minor_cycle(self, controls: MinorControls) -> ExecRecord:
        record = super().minor_cycle(controls)
        with casa.working_on("making a cube of the model"):
            self._terms.write_model()
        return record


class MvcRun(SerialRun):
    """A run that makes Taylor terms by way of a cube; for the parameters see `SerialRun`."""

    def _check_planned_shape(self, entry: ImageField) -> None:
        self._check_both_shapes(entry, entry.nchan if entry.nchan > 0 else None)

    def _check_shape(self, number: int, entry: ImageField) -> None:
        self._check_both_shapes(entry, image_geometry(self.imagenames[number] + ".psf").shape[3])

    def _check_both_shapes(self, entry: ImageField, nchan: int | None) -> None:
        """Check a former run's images of Taylor terms, which have one channel, and the cubes beside them."""
        shape = self._config.image_shape(entry)
        check_shapes(entry.imagename, shape, lambda path: path.suffix not in CUBES)
        check_shapes(entry.imagename, (*shape[:3], nchan), lambda path: path.suffix in CUBES)

    def _make_records(self) -> ToolRecords:
        """The cube's records for gridding, those of its Taylor terms for deconvolution."""
        self._plan = plan(self._config)
        cube, self._term_records = (tool_records(config, self.imagenames) for config in self._plan)
        return dataclasses.replace(cube, decpars=self._term_records.decpars, iterpars=self._term_records.iterpars)

    def _make_normalizers(self) -> list[Normalizer]:
        return []

    def _make_gridder(self, records: ToolRecords, selpars: tuple[Record, ...] | None = None) -> Gridder:
        with contextlib.ExitStack() as stack:
            cube = super()._make_gridder(records, selpars)
            stack.callback(cube.close)
            normalizers = []
            for record in (*records.normpars, *self._term_records.normpars):
                normalizers.append(Normalizer(record, store=self.store))
                stack.callback(normalizers[-1].close)
            stack.pop_all()
        count = len(self.imagenames)
        terms = [self._terms(number) for number in range(count)]
        return MvcGridder(cube, normalizers[:count], normalizers[count:], terms)

    def _make_deconvolver(self, number: int, decpars: Record) -> Deconvolver:
        return MvcDeconvolver(decpars, self._terms(number))

    def _terms(self, number: int) -> TaylorTerms:
        entry = self._plan[1].fields[number]
        return TaylorTerms(self.imagenames[number], entry.nterms, entry.reffreq, self._config.gridding.pblimit)


def plan(config: PcleanConfig) -> tuple[PcleanConfig, PcleanConfig]:
    """The configurations of the cube and of the images of its Taylor terms.

    The cube covers the selected data, wherever `start` and `width` are; `nchan` channels, or steps of a tenth of the
    lowest frequency. Its weights are those of a continuum image. As in tclean, the spectral windows count, whether the
    rest of the selection leaves rows or not.

    Raises
    ------
    ParameterError
        The cube has fewer channels than there are terms.
    """
    main = config.fields[0]
    lowest, highest = measurementsets.frequency_range(config.all_selections)
    band = highest - lowest
    nchan = channels_of_cube(main.nchan, main.nterms, lowest, band)
    _caution(nchan, lowest, highest, main.reffreq)
    fields = config.fields
    if main.reffreq == "":
        fields = tuple(dataclasses.replace(entry, reffreq=f"{lowest + 0.5 * band}Hz") for entry in fields)
    axis: dict[str, Any] = {"specmode": "cube", "start": f"{lowest}Hz", "width": f"{band / nchan}Hz"}
    cube = dataclasses.replace(
        config,
        fields=tuple(dataclasses.replace(entry, **axis, deconvolver="hogbom") for entry in fields),
        gridding=dataclasses.replace(config.gridding, interpolation="nearest", conjbeams=False, wbawp=True),
        weighting=dataclasses.replace(config.weighting, perchanweightdensity=False),
    )
    continuum = dataclasses.replace(fields[0], specmode="mfs")
    return cube, dataclasses.replace(config, fields=(continuum, *fields[1:]))


def channels_of_cube(nchan: int, nterms: int, lowest: float, band: float) -> int:
    """How many channels a band [Hz] is divided into: those asked for, or -1 for steps of a tenth of its lowest edge."""
    if nchan < 1:
        steps = int(band / (0.1 * lowest))
        nchan = steps if steps >= FEWEST_STEPS else nterms + 1
        casa.post(f"nchan from the range of the data's frequencies: {nchan}")
    if nchan < nterms:
        raise ParameterError(f"nchan must be at least nterms={nterms} with specmode='mvc', got {nchan}")
    return nchan


def _caution(nchan: int, lowest: float, highest: float, reffreq: str) -> None:
    """Warn of what tclean warns of."""
    if nchan > MANY_CHANNELS:
        casa.post(f"specmode='mvc' needs about 10 channels for Taylor polynomials of a low order, got {nchan}", "WARN")
    if reffreq and not lowest <= casa.hertz(reffreq) <= highest:
        casa.post(f"reffreq {reffreq!r} is outside the data's frequencies, {lowest} to {highest} Hz", "WARN")
