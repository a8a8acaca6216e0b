"""Dirty images by tclean, the visibilities that pcleantask reads of the same data, and direct sums over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pcleantask.config import PcleanConfig
from pcleantask.gridding.ducc.channels.block import Block
from pcleantask.gridding.ducc.channels.visibilities import Visibilities, read_visibilities
from pcleantask.images.coordinates import ImageCoordinates
from pcleantask.toolrecords import data_selections

LIGHT_SPEED = 299792458.0
NAME = "img"
# Pixels less than a quarter of the image from its centre.
PIXELS = ((50, 50), (57, 46), (31, 62), (72, 58), (40, 27))
DIRTY = {
    "imagename": NAME,
    "imsize": 100,
    "cell": "0.15arcsec",
    "niter": 0,
    "restoration": False,
    "datacolumn": "data",
    "weighting": "natural",
}
MFS = {**DIRTY, "vis": "continuum.ms", "specmode": "mfs"}
CUBE = {
    **DIRTY,
    "vis": "line.ms",
    "specmode": "cube",
    "outframe": "LSRK",
    "start": "229.9986GHz",
    "width": "1MHz",
    "nchan": 6,
    "interpolation": "linear",
}


@dataclass(frozen=True)
class Imaged:
    """tclean's images of some data, and how to read the same data."""

    images: dict[str, np.ndarray]
    config: PcleanConfig
    coordinates: ImageCoordinates

    def read(self, **options: Any) -> Visibilities:
        """The visibilities, without imaging weights as yet."""
        return read_visibilities(self.config, data_selections(self.config), self.coordinates, **options)

    @property
    def offsets(self) -> list[tuple[tuple[int, int], float, float]]:
        """PIXELS, and their offsets l, m from the centre [rad]."""
        dx, dy = self.coordinates.cell
        centre = [size // 2 for size in self.config.fields[0].imsize]
        return [((x, y), (x - centre[0]) * dx, (y - centre[1]) * dy) for x, y in PIXELS]


def blocks_of(visibilities: Visibilities, channel: int) -> list[Block]:
    return list(visibilities.blocks()) if visibilities.axis is None else visibilities.channel(channel)


def phases(block: Block, l: float, m: float, frequency: np.ndarray | None = None) -> np.ndarray:
    """2 pi (u l + v m) of each visibility, w left out as gridder='standard' leaves it out; shape (row, chan)."""
    path = block.uvw[:, 0] * l + block.uvw[:, 1] * m
    return 2 * np.pi / LIGHT_SPEED * np.multiply.outer(path, block.freq if frequency is None else frequency)


def total_weight(blocks: Sequence[Block]) -> float:
    return sum(float(block.psf_weight.sum(dtype=float)) for block in blocks)


def psf_at(blocks: Sequence[Block], l: float, m: float) -> float:
    return sum(float((block.psf_weight * np.cos(phases(block, l, m))).sum()) for block in blocks)


def sky_at(blocks: Sequence[Block], l: float, m: float) -> np.ndarray:
    """The dirty image of each product, shape (npol,)."""
    return sum(
        (block.weight * block.data * np.exp(-1j * phases(block, l, m))).real.sum(axis=(1, 2)) for block in blocks
    )


def prediction(block: Block, points: Sequence[tuple[float, float, np.ndarray]], frequency: np.ndarray) -> np.ndarray:
    """Visibilities of points (l, m, flux of each product) at the rows of a block, shape (npol, row, chan)."""
    return sum(flux[:, np.newaxis, np.newaxis] * np.exp(1j * phases(block, l, m, frequency)) for l, m, flux in points)
