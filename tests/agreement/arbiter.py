"""pcleantask's visibilities of a drawn case, gridded as CASA grids, and summed: whose fault a difference is.

If the first is tclean's image, the visibilities and weights are tclean's; if the second is that of engine='ducc', all
that differs is CASA's gridding. CASA grids with a term in w by functions that casa_gridding.py doesn't have: there the
first takes an image of the same data by gridder='standard'.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from pcleantask.config import PcleanConfig
from pcleantask.gridding.casa_evaluator import CasaEvaluator
from pcleantask.gridding.data.coordinates import image_coordinates
from pcleantask.gridding.ducc.channels.block import Block
from pcleantask.gridding.ducc.channels.visibilities import read_visibilities
from pcleantask.gridding.ducc.mosaic.beams import Beams
from pcleantask.gridding.ducc.mosaic.joint import bands
from pcleantask.gridding.ducc.mosaic.plane import ImagePlane
from pcleantask.toolrecords import data_selections, tool_records
from pcleantask.traits import GRIDDERS
from tests.agreement import casa_gridding
from tests.agreement.drawing import Drawn

LIGHT_SPEED = 299792458.0


class CaseVisibilities:
    """pcleantask's visibilities of a case, weighted.

    Parameters
    ----------
    drawn : Drawn
    data : Path
        The folder of its data.
    """

    def __init__(self, drawn: Drawn, data: Path) -> None:
        here = Path.cwd()
        os.chdir(data)
        try:
            config = PcleanConfig.from_parameters(**{**drawn.params, "outlierfile": "", "imagename": "again"})
            records = tool_records(config, ("again",))
            [coordinates] = image_coordinates(records)
            self._visibilities = read_visibilities(config, data_selections(config), coordinates)
        finally:
            os.chdir(here)
        self._visibilities.set_weights()
        self._evaluator, self._coordinates = CasaEvaluator(records), coordinates
        self._is_cube = config.fields[0].is_cube
        self._cell = coordinates.cell
        self._wide = GRIDDERS[drawn.params["gridder"]].takes_w

    def blocks(self, channel: int) -> list[Block]:
        """The blocks of an image channel."""
        if self._visibilities.axis is None:
            return list(self._visibilities.blocks())
        return self._visibilities.channel(channel)

    def gridded(self, kind: str, plane: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
        """What CASA's gridding makes of them, without the term in w: the PSF (kind '.psf') or the dirty image."""
        blocks = self.blocks(plane[1])
        if not any(block.psf_weight.any() for block in blocks):
            return np.zeros(shape)
        psf, residual = casa_gridding.images(blocks, shape, self._cell)
        return psf / psf.max() if kind.startswith(".psf") else residual[plane[0]]  # as CASA makes a PSF's peak 1

    def sum_of_weights(self, channel: int, shape: tuple[int, int]) -> float:
        """What CASA's gridding makes of their weights, for the .sumwt of an image channel."""
        total = casa_gridding.sum_of_weights(self.blocks(channel), shape, self._cell)
        return total * self._visibilities.ncorr

    def sums(self, kind: str, plane: tuple[int, int], shape: tuple[int, int], pixels: np.ndarray) -> np.ndarray:
        """Direct Fourier sums at pixels [n, 2] of a plane."""
        l, m = (step * (pixels[:, axis] - shape[axis] // 2) for axis, step in enumerate(self._cell))
        n = np.sqrt(1 - l * l - m * m) - 1 if self._wide else np.zeros(len(l))
        total, weights = np.zeros(len(pixels)), 0.0
        for block in self.blocks(plane[1]):
            is_psf = kind.startswith(".psf")
            weight = block.psf_weight if is_psf else block.weight
            values = np.ones(weight.shape) if is_psf else block.data[plane[0]]
            path = block.uvw @ np.array([l, m, n])
            for number, frequency in enumerate(block.freq):
                turned = np.exp(-2j * np.pi / LIGHT_SPEED * frequency * path)
                total += ((weight[:, number] * values[:, number])[:, np.newaxis] * turned).real.sum(axis=0)
            weights += float(block.psf_weight.sum(dtype=float))
        return total / weights if weights else total

    def of_mosaic(self, channel: int, shape: tuple[int, int], pixels: np.ndarray) -> np.ndarray:
        """Direct sums with beams at pixels [n, 2], over the sum of weights: PSF, each product, and squared beam.

        Returns
        -------
        float64 [2 + npol, n]
        """
        plane = ImagePlane.of(self._coordinates, shape)
        fov, sources = shape[1] * abs(self._cell[1]), self._visibilities.sources
        beams = Beams(self._evaluator, self._coordinates, fov, sources, to_null=self._is_cube)
        l, m = plane.directions(pixels[:, 0], pixels[:, 1])
        total, weights = np.zeros((2 + self._visibilities.npol, len(pixels))), 0.0
        for block in self.blocks(channel):
            if not plane.holds(block.pointing):
                continue
            l_seen, m_seen = (axis - at for axis, at in zip((l, m), plane.place(block.pointing), strict=True))
            weights += float(block.psf_weight.sum(dtype=float))
            for channels in bands(block.freq):
                frequency = block.freq[channels]
                middle = float(frequency.mean())
                beam = beams.pattern(block.pointing, middle).at_points(l_seen, m_seen, middle).astype(float)
                of_psf, weight = block.psf_weight[:, channels], block.weight[:, channels]
                total[-1] += beam**2 * float(of_psf.sum(dtype=float))
                turned = self._turned(block.uvw, frequency, l, m)
                total[0] += beam * np.einsum("rc,rcn->n", of_psf, turned.real)
                turned = self._turned(block.uvw, frequency, l_seen, m_seen)
                for number, values in enumerate(block.data[:, :, channels], 1):
                    total[number] += beam * np.einsum("rc,rcn->n", weight * values, turned).real
        return total / weights if weights else total

    @staticmethod
    def _turned(uvw: np.ndarray, frequency: np.ndarray, l: np.ndarray, m: np.ndarray) -> np.ndarray:
        """What visibilities are multiplied with to be about places, complex128 [row, chan, place]."""
        path = (uvw[:, :1] * l + uvw[:, 1:2] * m)[:, np.newaxis]
        return np.exp(-2j * np.pi / LIGHT_SPEED * frequency[:, np.newaxis] * path)
