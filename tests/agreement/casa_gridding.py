"""CASA's own gridding with gridder='standard', in numpy: what tclean makes of visibilities if they are the right ones.

Each visibility is spread on seven by seven cells by the spheroidal function of Schwab (1984, in Indirect Imaging),
tabled in steps of a hundredth of a cell and normalized; the image of the grid is divided by the function's transform
(GridFT.cc, fgridft.f, casacore's grdsf.f). What falls into the last row and column of cells is left out
(FTMachine::findGridSector), also of the sum of weights.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pcleantask.gridding.ducc.weights.uv_extent import padded_size

LIGHT_SPEED = 299792458.0
SAMPLING, SUPPORT = 100, 3
# Rational approximations of the function on [0, 0.75) and [0.75, 1], in powers of nu^2 less that at the right end.
TOP = np.array(
    [
        [8.203343e-2, -3.644705e-1, 6.278660e-1, -5.335581e-1, 2.312756e-1],
        [4.028559e-3, -3.697768e-2, 1.021332e-1, -1.201436e-1, 6.412774e-2],
    ]
)
BOTTOM = np.array([[1.0, 8.212018e-1, 2.078043e-1], [1.0, 9.599102e-1, 2.918724e-1]])


def spheroidal(nu: np.ndarray) -> np.ndarray:
    """The function at distances nu from 0 to 1."""
    part = (nu >= 0.75).astype(int)
    place = nu**2 - np.where(part, 1.0, 0.75) ** 2
    top, bottom = (sum(terms[part, power] * place**power for power in range(terms.shape[1])) for terms in (TOP, BOTTOM))
    return top / bottom


def gridded(uvw, freq, vis, weight, shape: tuple[int, int], cell: tuple[float, float]) -> np.ndarray:
    """The cells of vis and weight [row, chan] at uvw [row, 3] and freq [chan]."""
    sizes = [padded_size(size) for size in shape]
    cells, shares = zip(*(_spread(uvw[:, axis], freq, sizes[axis], cell[axis]) for axis in (0, 1)), strict=True)
    grid = np.zeros(sizes, complex)
    values, used = (weight * vis).ravel(), weight.ravel() != 0
    for x, along in zip(cells[0], shares[0], strict=True):
        for y, across in zip(cells[1], shares[1], strict=True):
            np.add.at(grid, (x[used], y[used]), (values * along * across)[used])
    grid[-1], grid[:, -1] = 0, 0
    return grid


def dirty(grid: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The dirty image [nx, ny] of cells, not normalized."""
    sizes = grid.shape
    image = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(grid))).real * grid.size
    for axis, size in enumerate(sizes):
        image /= np.expand_dims(spheroidal(abs(np.arange(size) / (size // 2) - 1)), 1 - axis)
    x, y = (slice(size // 2 - n // 2, size // 2 - n // 2 + n) for size, n in zip(sizes, shape, strict=True))
    return image[x, y]


def _spread(baseline, freq, size: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """The seven cells along an axis on which each visibility is spread, and its shares in them [cell, visibility]."""
    place = -np.outer(baseline, freq).ravel() / LIGHT_SPEED * size * step + size // 2
    nearest = np.rint(place).astype(int)
    off = np.rint((nearest - place) * SAMPLING).astype(int)
    steps = np.arange(-SUPPORT, SUPPORT + 1)[:, np.newaxis]
    nu = abs(steps * SAMPLING + off) / (SAMPLING * SUPPORT)
    shares = np.where(nu < 1, (1 - nu**2) * spheroidal(np.minimum(nu, 1)), 0)
    return nearest + steps, shares / shares.sum(axis=0)


def sum_of_weights(blocks: Iterable, shape: tuple[int, int], cell: tuple[float, float]) -> float:
    """What CASA takes for the sum of an image channel's weights."""
    found = list(blocks)
    return float(_grid(found, None, shape, cell).real.sum()) if found else 0.0


def images(blocks: Iterable, shape: tuple[int, int], cell: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """The PSF [nx, ny] and the residual of each product [product, nx, ny] of an image channel, normalized."""
    blocks = list(blocks)
    ones = _grid(blocks, None, shape, cell)
    total = ones.real.sum()
    products = [dirty(_grid(blocks, number, shape, cell), shape) for number in range(len(blocks[0].data))]
    return dirty(ones, shape) / total, np.array(products) / total


def _grid(blocks: list, product: int | None, shape: tuple[int, int], cell: tuple[float, float]) -> np.ndarray:
    """The cells of a product of all blocks, or of the PSF (None)."""
    grids = []
    for block in blocks:
        weight = block.psf_weight if product is None else block.weight
        values = np.ones(weight.shape) if product is None else block.data[product]
        grids.append(gridded(block.uvw, block.freq, values, weight, shape, cell))
    return sum(grids)
