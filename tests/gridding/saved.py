"""What is saved in MODEL_DATA, and what should be: direct Fourier sums of the models on disk."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sky import CORRELATIONS

from pcleantask import casa
from pcleantask.gridding.data.frames import Observation
from tests.gridding.fourier import offsets, visibilities

STOKES_TYPES = {5: "RR", 6: "RL", 7: "LR", 8: "LL", 9: "XX", 10: "XY", 11: "YX", 12: "YY"}


@dataclass(frozen=True)
class Saved:
    """The rows of one spectral window and field of a MeasurementSet; arrays are [corr, row, chan] but for uvw [row, 3].

    Attributes
    ----------
    frequency : float64 [row, chan]
        In LSRK [Hz].
    """

    uvw: np.ndarray
    frequency: np.ndarray
    centre: tuple[float, float]
    correlations: tuple[str, ...]
    model: np.ndarray
    flagged: np.ndarray


def column(table, name: str) -> np.ndarray:
    """A column of spectra, [corr, row, chan]."""
    return np.swapaxes(table.getcol(name), 1, 2)


def saved_in(vis: str) -> list[Saved]:
    """What is in a MeasurementSet, window by window and field by field."""
    with casa.opened_table(f"{vis}/FIELD") as table:
        centres = [tuple(table.getcell("PHASE_DIR", row)[:, 0]) for row in range(table.nrows())]
    with casa.opened_table(f"{vis}/POLARIZATION") as table:
        names = tuple(STOKES_TYPES[number] for number in table.getcell("CORR_TYPE", 0).tolist())
    with casa.opened_table(f"{vis}/SPECTRAL_WINDOW") as table:
        frequencies = [table.getcell("CHAN_FREQ", row) for row in range(table.nrows())]
    found = []
    for (number, frequency), (field, centre) in itertools.product(enumerate(frequencies), enumerate(centres)):
        with casa.opened_table(vis) as whole:
            table = whole.query(f"DATA_DESC_ID == {number} && FIELD_ID == {field}")
            times, place = np.unique(table.getcol("TIME"), return_inverse=True)
            shift = Observation(vis).doppler_factors(field, times, "TOPO")[place]
            flagged = column(table, "FLAG") | table.getcol("FLAG_ROW")[:, np.newaxis]
            uvw, model = table.getcol("UVW").T, column(table, "MODEL_DATA")
            table.close()
        found.append(Saved(uvw, np.outer(shift, frequency), centre, names, model, flagged))
    return found


@dataclass(frozen=True)
class Model:
    """A model on disk: pixels [n, 2] that aren't zero, and their fluxes [n, npol, nchan] of each Taylor term."""

    pixels: np.ndarray
    fluxes: list[np.ndarray]
    shape: tuple[int, int]
    cell: tuple[float, float]
    centre: tuple[float, float]
    stokes: tuple[str, ...]
    reference: float
    frequency: np.ndarray
    width: float

    @classmethod
    def read(cls, paths: Sequence[str | Path]) -> Model:
        """Images of Taylor terms, in J2000 and LSRK."""
        images = []
        for path in paths:
            with casa.opened_image(str(path)) as image:
                images.append(image.getchunk())
                record = image.coordsys().torecord()
        direction, wcs = record["direction0"], record["spectral2"]["wcs"]
        assert list(direction["units"]) == ["rad", "rad"]
        assert direction["system"] == "J2000"
        pixels = np.argwhere(np.any([image.any(axis=(2, 3)) for image in images], axis=0))
        frequency = wcs["crval"] + (np.arange(images[0].shape[3]) - wcs["crpix"]) * wcs["cdelt"]
        return cls(
            pixels,
            [image[tuple(pixels.T)] for image in images],
            images[0].shape[:2],
            tuple(direction["cdelt"]),
            tuple(direction["crval"]),
            tuple(record["stokes1"]["stokes"]),
            float(wcs["crval"]),
            frequency,
            float(wcs["cdelt"]),
        )

    def places(self, data: Saved, wide: bool) -> np.ndarray:
        """l, m and n - 1 of the pixels about the data's phase centre; without n where the field isn't wide."""
        found = offsets(self.pixels, self.shape, self.cell, self.centre, data.centre)
        return found if wide else found * [1, 1, 0]

    def hands(self, data: Saved, products: np.ndarray) -> np.ndarray:
        """Correlations of products [npol, ...]."""
        matrix = [
            [CORRELATIONS[name]["IQUV".index(one)] if one in "IQUV" else one == name for one in self.stokes]
            for name in data.correlations
        ]
        return np.tensordot(np.array(matrix, complex), products, 1)

    def continuum(self, data: Saved, wide: bool) -> np.ndarray:
        """What a continuum model predicts, [corr, row, chan]."""
        places = self.places(data, wide)
        place = (data.frequency - self.reference) / self.reference
        terms = [
            visibilities(data.uvw, data.frequency, places, fluxes[..., 0]) * place**term
            for term, fluxes in enumerate(self.fluxes)
        ]
        return self.hands(data, sum(terms))

    def cube(self, data: Saved, wide: bool, interpolation: str) -> np.ndarray:
        """What a cube predicts, [corr, row, chan]: 0 far from its channels, nan where it is extrapolated."""
        places = self.places(data, wide)
        width = self.width
        data_width = abs(data.frequency[0, 1] - data.frequency[0, 0])
        each = max(1, int(abs(width) // data_width)) if interpolation == "linear" else 1
        at = ((data.frequency - self.frequency[0]) / width + 0.5) * each - 0.5  # in `each` steps of a channel
        last = len(self.frequency) * each - 1
        total = np.zeros((len(self.stokes), *at.shape), complex)
        for step in range(last + 1):
            fluxes, frequency = self.fluxes[0][..., step // each], self.frequency[step // each]
            if interpolation == "nearest":
                total += visibilities(data.uvw, data.frequency, places, fluxes) * (np.floor(at + 0.5) == step)
            else:
                one = visibilities(data.uvw, np.full((len(at), 1), frequency), places, fluxes)
                total += one * np.clip(1 - abs(at - step), 0, None)
        if interpolation == "linear":
            total[:, ((at < 0) | (at > last)) & (at > -3 * each) & (at < last + 4 * each)] = np.nan
        return self.hands(data, total)
