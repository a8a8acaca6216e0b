"""Imaging weights in numpy: natural, uniform, superuniform, Briggs in three kinds, radial, tapers.

CASA has two ways to find the density of visibilities in the uv plane, and both are here. Continuum images, and cubes
with perchanweightdensity=False, have one density over all data (`Density`): CASA's VisImagingWeight.cc, whose cells are
truncated and whose arithmetic is partly in single precision. Other cubes have one for each image channel
(`ChannelDensity`): BriggsCubeWeightor.cc, whose cells are rounded and whose visibilities are the image channel's.
Compared with casatools 6.7.0.

Throughout, `u` and `v` are float64, shape (row,) [m], as the MeasurementSet has them, and a negative `weight` marks a
flagged visibility. Data have frequencies `frequency[chan] * doppler[row]` [Hz]: the channels' own, times the Doppler
factor by which they come to the frame of the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...spectral.axis import LIGHT_SPEED

SUPERUNIFORM_BOX = 3  # what CASA takes where npixels is not positive
CHUNK = 1 << 19  # visibilities that are counted at once

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Sample = tuple[Doubles, Doubles, "Doubles | float", Floats]
Cells = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class UvGrid:
    """Cells of the uv plane: as many as the image has pixels, of one over the image's size.

    Attributes
    ----------
    nx, ny : int
        Number of cells.
    dx, dy : float
        The image's pixel increments with their signs [rad].
    """

    nx: int
    ny: int
    dx: float
    dy: float

    @property
    def scale(self) -> tuple[float, float]:
        """Cells per wavelength."""
        return self.nx * self.dx, self.ny * self.dy

    @property
    def shape(self) -> tuple[int, int]:
        return self.nx, self.ny

    def truncated(self, u: Floats, v: Floats, sign: int) -> Cells:
        """Cells of (u, v) [wavelengths], or of its conjugate with sign=-1, truncated toward zero as CASA does."""
        i, j = self._single(u, v, sign)
        return i.astype(np.int64), j.astype(np.int64)

    def rounded(self, u: Doubles, v: Doubles) -> Cells:
        """Cells of (u, v) [wavelengths], rounded half away from zero."""
        su, sv = self.scale
        return _nearest(su * u + self.nx // 2), _nearest(sv * v + self.ny // 2)

    def rounded_single(self, u: Floats, v: Floats) -> Cells:
        """Cells of (u, v) [wavelengths] in single precision, as BriggsCubeWeightor looks densities up (uscale_p)."""
        i, j = self._single(u, v)
        return _nearest(i.astype(float)), _nearest(j.astype(float))

    def _single(self, u: Floats, v: Floats, sign: int = 1) -> tuple[Floats, Floats]:
        """Places among the cells in single precision."""
        (su, sv), middle = np.array(self.scale, np.float32) * np.float32(sign), (self.nx // 2, self.ny // 2)
        return u * su + np.float32(middle[0]), v * sv + np.float32(middle[1])

    def holds(self, cells: Cells, box: int = 0) -> NDArray[np.bool_]:
        """Which cells are inside, `box` cells from the edges, the first row and column left out."""
        i, j = cells
        return (i > box) & (i + box < self.nx) & (j > box) & (j + box < self.ny)

    def flat(self, cells: Cells) -> NDArray[np.int64]:
        return cells[0] * self.ny + cells[1]

    def mirrored(self, values: Doubles) -> Doubles:
        """What cells opposite of the centre have; zero where there are none: in the first rows of an even grid."""
        found = np.zeros_like(values)
        even_x, even_y = 1 - self.nx % 2, 1 - self.ny % 2
        found[even_x:, even_y:] = values[even_x:, even_y:][::-1, ::-1]
        return found


@dataclass(frozen=True)
class Taper:
    """A Gaussian by which weights fall off with distance in the uv plane.

    Attributes
    ----------
    major, minor : float
        Factors of the squared distance [1 / wavelength^2].
    angle : float
        Position angle [rad].
    """

    major: float
    minor: float
    angle: float

    @classmethod
    def of_beam(cls, major: float, minor: float, angle: float) -> Taper:
        """The taper whose image is a Gaussian of these full widths at half maximum [rad]."""
        factor = np.pi**2 / (4 * np.log(2))
        return cls(factor * major**2, factor * minor**2, angle)

    @classmethod
    def of_baselines(cls, major: float, minor: float, angle: float) -> Taper:
        """The taper that has fallen to one half at these distances [wavelengths]."""
        return cls(np.log(2) / major**2, np.log(2) / minor**2, angle)

    def __call__(self, u: Doubles, v: Doubles, frequency: Doubles | float) -> Doubles:
        """The factor for each visibility; the arguments broadcast."""
        inverse_wavelength = frequency / LIGHT_SPEED
        sine, cosine = np.sin(self.angle), np.cos(self.angle)
        along = inverse_wavelength * (sine * u + cosine * v)
        across = inverse_wavelength * (cosine * u - sine * v)
        return np.exp(-self.major * along**2 - self.minor * across**2)


@dataclass(frozen=True)
class Scheme:
    """How visibilities are weighted.

    Attributes
    ----------
    kind : {'natural', 'radial', 'uniform', 'briggs', 'superuniform'}
    rmode : {'none', 'norm', 'abs', 'bwtaper'}
        Of Briggs weights: relative to the mean density, to a noise, or with a bandwidth taper.
    robust : float
    noise : float
        Of rmode 'abs' [Jy].
    npixels : int
        For one density: cells of its grid along an axis (0: as the image). Superuniform weights, and densities of each
        channel: half the width of the box over which the density is summed or averaged.
    per_channel : bool
        Each image channel has its own density.
    fractional_bandwidth : float
        Of rmode 'bwtaper': 2 (fmax - fmin) / (fmax + fmin) over the centres of the whole cube's channels.
    taper : Taper, optional
    """

    kind: str = "natural"
    rmode: str = "none"
    robust: float = 0.5
    noise: float = 1.0
    npixels: int = 0
    per_channel: bool = False
    fractional_bandwidth: float = 0.0
    taper: Taper | None = None

    @property
    def needs_density(self) -> bool:
        return self.kind in ("uniform", "briggs", "superuniform")

    @property
    def by_channel(self) -> bool:
        """Whether weights are made per image channel; superuniform ones never are."""
        return self.per_channel and self.kind in ("uniform", "briggs")

    @property
    def box(self) -> int:
        """Half the width of the box that each visibility fills in the one density."""
        if self.kind != "superuniform":
            return 0
        return self.npixels if self.npixels > 0 else SUPERUNIFORM_BOX

    def density_grid(self, image: UvGrid) -> UvGrid:
        """The cells of the one density."""
        if self.kind == "superuniform" or self.npixels <= 0:
            return image
        return UvGrid(self.npixels, self.npixels, image.dx, image.dy)

    def constants(self, cells: Doubles, total: float) -> tuple[float, float]:
        """The f2 and d2 of W = w / (density f2 + d2); `total` is the sum of weights that fell on the grid."""
        if self.kind == "briggs" and self.rmode == "abs":
            return self.robust**2, 2 * self.noise**2
        if self.kind == "briggs" and total > 0 and (self.by_channel or self.rmode != "bwtaper"):
            mean = float(np.square(cells[cells > 0]).sum()) / total
            return (5 * 10.0**-self.robust) ** 2 / mean, 1.0
        return 1.0, 0.0


@dataclass(frozen=True)
class Coverage:
    """Where visibilities are in the uv plane, and what they weigh.

    Attributes
    ----------
    u, v : ndarray of float64, shape (row,)
    frequency : ndarray of float64, shape (chan,)
    doppler : ndarray of float64, shape (row,)
    weight : ndarray of float32, shape (row, chan)
        Natural weights.
    """

    u: Doubles
    v: Doubles
    frequency: Doubles
    doppler: Doubles
    weight: Floats

    def chunks(self) -> Iterator[slice]:
        """Slices of rows with about CHUNK visibilities."""
        nrow, nchan = self.weight.shape
        step = max(1, CHUNK // max(1, nchan))
        for first in range(0, nrow, step):
            yield slice(first, first + step)

    def part(self, rows: slice) -> Coverage:
        """That of some rows; the weights are a view."""
        return Coverage(self.u[rows], self.v[rows], self.frequency, self.doppler[rows], self.weight[rows])

    def wavelengths(self, rows: slice) -> tuple[Floats, Floats]:
        """u and v in wavelengths, rounded to single precision at the steps where CASA rounds them; (row, chan)."""
        inverse = np.multiply.outer(self.doppler[rows], self.frequency) / LIGHT_SPEED
        inverse = inverse.astype(np.float32)
        u, v = (values[rows, np.newaxis] * inverse for values in (self.u, self.v))
        return u.astype(np.float32), v.astype(np.float32)


@dataclass
class Density:
    """Weights summed in the cells of the uv plane, over all data: what workers make of their rows can be added.

    Attributes
    ----------
    grid : UvGrid
    cells : ndarray of float64, shape (nx, ny)
    total : float
        Sum of all that was added to the cells.
    """

    grid: UvGrid
    cells: Doubles
    total: float = 0.0

    @classmethod
    def empty(cls, grid: UvGrid) -> Density:
        return cls(grid, np.zeros(grid.shape))

    def __add__(self, other: Density) -> Density:
        if self.grid != other.grid:
            raise ValueError(f"densities on different grids can't be added: {self.grid} and {other.grid}")
        return Density(self.grid, self.cells + other.cells, self.total + other.total)

    def add(self, data: Coverage, box: int = 0) -> None:
        """Count visibilities and their conjugates; each fills a box of 2 box + 1 cells along a side."""
        counts = np.zeros(self.grid.nx * self.grid.ny)
        for rows in data.chunks():
            weight = data.weight[rows]
            good = weight > 0
            u, v = data.wavelengths(rows)
            uu, vv, ww = u[good], v[good], weight[good]
            for sign in (1, -1):
                cells = self.grid.truncated(uu, vv, sign)
                inside = self.grid.holds(cells, box)
                flat = self.grid.flat(cells)[inside]
                counts += np.bincount(flat, ww[inside], minlength=counts.size)
        added = counts.reshape(self.grid.shape)
        self.total += float(added.sum()) * (2 * box + 1) ** 2
        self.cells += _box_sum(added, box)


class DensityWeights:
    """Weights by one density over all data.

    Parameters
    ----------
    scheme : Scheme
    density : Density
        Of all the data that are imaged.
    """

    def __init__(self, scheme: Scheme, density: Density) -> None:
        self._grid = density.grid
        f2, d2 = scheme.constants(density.cells, density.total)
        with np.errstate(divide="ignore"):
            factors = 1 / (density.cells.astype(np.float32).astype(np.float64) * f2 + d2)
        factors[density.cells <= 0] = 0
        self._factors = factors.ravel()

    def __call__(self, data: Coverage) -> Floats:
        """The weights of visibilities, shape (row, chan)."""
        cells = self._grid.truncated(*data.wavelengths(slice(None)), 1)
        inside = self._grid.holds(cells)
        flat = np.where(inside, self._grid.flat(cells), 0)
        weights = (data.weight * (self._factors[flat] * inside)).astype(np.float32)
        return np.where(data.weight < 0, data.weight, weights)


class ChannelDensity:
    """The density of one image channel, and weights by it.

    Parameters
    ----------
    scheme : Scheme
    grid : UvGrid
    samples : iterable of (u, v, frequency, weight)
        The image channel's visibilities where they are gridded: ndarrays of float64, float64, float64 (or one number)
        and float32, shape (row,). Weights count once for each correlation that falls on the image's first plane.
    """

    def __init__(self, scheme: Scheme, grid: UvGrid, samples: Iterable[Sample]) -> None:
        self._scheme, self._grid = scheme, grid
        counts = sum((self._counts(*sample) for sample in samples), np.zeros(grid.nx * grid.ny)).reshape(grid.shape)
        cells = _box_sum(counts, scheme.npixels) / (2 * scheme.npixels + 1) ** 2
        cells[-1], cells[:, -1] = 0, 0  # FTMachine::findGridSector leaves them out
        total = float(cells.sum())
        cells += self._grid.mirrored(cells)  # each visibility's conjugate
        self._f2, self._d2 = scheme.constants(cells, 2 * total)
        self._cells = cells.ravel()

    def _counts(self, u: Doubles, v: Doubles, frequency: Doubles | float, weight: Floats) -> Doubles:
        box = self._scheme.npixels
        inverse_wavelength = frequency / LIGHT_SPEED
        cells = i, j = self._grid.rounded(-u * inverse_wavelength, -v * inverse_wavelength)
        inside = (i >= box) & (i + box < self._grid.nx) & (j >= box) & (j + box < self._grid.ny) & (weight > 0)
        flat = np.where(inside, self._grid.flat(cells), 0)
        return np.asarray(np.bincount(flat, weight * inside, self._grid.nx * self._grid.ny), np.float64)

    def weights(self, u: Doubles, v: Doubles, frequency: Doubles | float, weight: Floats) -> Floats:
        """Weights of data whose nearest image channel this is; all parameters of shape (row,), or broadcasting."""
        inverse = np.asarray(frequency / LIGHT_SPEED).astype(np.float32)
        uu, vv = (-u * inverse).astype(np.float32), (-v * inverse).astype(np.float32)
        cells = self._grid.rounded_single(uu, vv)
        inside = self._grid.holds(cells)
        density = self._cells[np.where(inside, self._grid.flat(cells), 0)]
        inside &= (density > 0) & (weight > 0)
        density *= self._f2
        if self._scheme.rmode == "bwtaper":
            density = density / self._spread(uu, vv)
        weights = np.where(inside, weight / np.where(inside, density + self._d2, 1), 0)
        return np.where(weight < 0, weight, weights).astype(np.float32)

    def _spread(self, u: Floats, v: Floats) -> Doubles:
        """Over how many cells the bandwidth of the whole cube would smear a visibility, half a cell at the least."""
        su, sv = self._grid.scale
        cells = self._scheme.fractional_bandwidth * np.hypot(su * u, sv * v)
        spread = cells + 0.5
        near = spread < 1.5
        return np.where(near, (4 - cells) / (4 - 2 * np.where(near, cells, 0)), spread)


def radial_weights(data: Coverage) -> Floats:
    """Weights that grow with distance from the centre of the uv plane, shape (row, chan)."""
    inverse = (np.multiply.outer(data.doppler, data.frequency) / LIGHT_SPEED).astype(np.float32)
    weights = (inverse * np.hypot(data.u, data.v)[:, np.newaxis] * data.weight).astype(np.float32)
    return np.where(data.weight < 0, data.weight, weights)


def tapered(weights: Floats, taper: Taper, data: Coverage) -> Floats:
    """The weights with a taper on them, shape (row, chan)."""
    frequency = np.multiply.outer(data.doppler, data.frequency)
    factor = taper(data.u[:, np.newaxis], data.v[:, np.newaxis], frequency)
    return np.where(weights < 0, weights, weights * factor).astype(np.float32)


def fractional_bandwidth(first: float, last: float) -> float:
    """Of a cube whose first and last channels have these centres [Hz]."""
    return 2 * abs(last - first) / (last + first)


def _nearest(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.trunc(values + np.copysign(0.5, values)).astype(np.int64)


def _box_sum(cells: Doubles, box: int) -> Doubles:
    """Sum over a square of 2 box + 1 cells around each cell; nothing is beyond the edges."""
    for axis in (0, 1) if box > 0 else ():
        padded = np.pad(cells, [(box, box) if k == axis else (0, 0) for k in (0, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * box + 1, axis=axis)
        cells = windows.sum(axis=-1)
    return cells
