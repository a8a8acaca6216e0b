"""Hogbom clean of one plane in memory, component for component as CASA's. Arrays only.

Arrays are [y, x] in C order, the transpose of an image plane as casacore stores it: of equal peaks CASA takes the first
in that order.
"""

from __future__ import annotations

import weakref
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Pair = tuple[int, int]  # (y, x)

TILE_PIXELS = 1 << 18  # of a tile of whole rows; threads get in each other's way where tiles are smaller
BOX = (64, 512)  # pixels (y, x) of a tile that is cut to its mask
CELLS = 4  # of the PSF's table of maxima, along each side of a tile
ROUNDING = 2.0**-21  # more than what rounding may add to a pixel in one subtraction, relative
CLEANED = 0.5  # mask value above which a pixel is cleaned


class Step(NamedTuple):
    """What came of a step: the number of iterations as CASA counts them, and the peak |residual| in the mask."""

    iterations: int
    peak: float


class _Component(NamedTuple):
    y: int
    x: int
    flux: np.float32


class _Tile:
    """A box of the plane; how many components are subtracted from it, and where its peak was after how many."""

    def __init__(self, box: tuple[slice, slice], weight: Plane | None) -> None:
        self.box = box
        self.bounds = box[0].start, box[0].stop, box[1].start, box[1].stop
        self.weight = weight
        self.subtracted = 0
        self.measured = -1
        self.position = (0, 0)


class HogbomPlane:
    """Clean of one plane; its tiles fall behind with the subtraction until they may hold the peak.

    With each component an upper limit of every tile's peak grows by the component's flux times the highest |PSF| that
    can lie on the tile. Only where the limit is the highest of all are the components subtracted that the tile lacks,
    one by one and in their order, so that each pixel that is looked at has CASA's value to the last bit.

    Follows hclean.f of casacore and SDAlgorithmHogbomClean::takeOneStep (casatools 6.7).

    Parameters
    ----------
    residual, model
        float32 [y, x], [Jy/beam] and [Jy/pixel]; both are changed.
    psf
        float32 [y, x], its peak at (ny // 2, nx // 2); must not be changed in place.
    mask
        float32 [y, x]; pixels above 0.5 are cleaned. None: all are.
    whole
        Whether `finish` is to bring the residual up to date outside the mask too.
    """

    def __init__(
        self, residual: Plane, model: Plane, psf: Plane, mask: Plane | None = None, *, whole: bool = True
    ) -> None:
        self.residual, self.model = residual, model
        self._psf = psf
        self._is_flat = residual.shape == psf.shape and residual.flags.c_contiguous and psf.flags.c_contiguous
        self._half = psf.shape[0] // 2, psf.shape[1] // 2
        self._soft_mask = None if mask is None or is_binary(mask) else mask
        self._components: list[_Component] = []
        ny, nx = residual.shape
        cropped = mask is not None and not whole and self._soft_mask is None
        sides = _sides_of_tiles(ny, nx, cropped=cropped)
        self._scratch = np.empty(sides[0] * sides[1], np.float32)
        shape = -(-ny // sides[0]), -(-nx // sides[1])
        self._tiles = _make_tiles(residual.shape, sides, mask, cropped=cropped)
        self._highest = _sidelobe_table(psf, shape, sides) if len(self._tiles) > 1 else None
        self._limits = np.full(len(self._tiles), -1.0)
        for number, tile in enumerate(self._tiles):
            if tile is not None and (tile.weight is None or tile.weight.any()):
                self._measure(number, tile)
        self._is_live = np.reshape(self._limits >= 0, shape)

    def take_step(self, gain: np.float32, niter: int, threshold: np.float32) -> Step:
        """Clean until the peak is below `threshold` [Jy/beam], or through `niter` iterations.

        CASA's loop includes its upper limit: it does one iteration more than it counts when it runs to the end.
        """
        for iteration in range(niter + 1):
            y, x, peak = self._find_peak()
            if peak < threshold:
                return Step(iteration, self._masked_peak())
            self._add_component(y, x, gain * self.residual[y, x])
        return Step(niter, self._masked_peak())

    def finish(self) -> None:
        """Bring the residual up to date where it is behind."""
        for tile in self._tiles:
            if tile is not None:
                self._catch_up(tile)

    def _find_peak(self) -> tuple[int, int, float]:
        """Position and |value| of the first of the highest pixels."""
        while True:
            peak = self._limits.max()
            numbers = np.flatnonzero(self._limits == peak).tolist()
            leaders = [(number, tile) for number in numbers if (tile := self._tiles[number]) is not None]
            behind = [entry for entry in leaders if entry[1].measured < len(self._components)]
            if not behind:
                return *min(tile.position for _, tile in leaders), float(peak)
            for number, tile in behind:
                self._measure(number, tile)

    def _measure(self, number: int, tile: _Tile) -> None:
        """Find the peak of a tile, after subtracting what it lacks."""
        self._catch_up(tile)
        pixels = self.residual[tile.box]
        if tile.weight is None:
            y, x = divmod(_first_peak(pixels), pixels.shape[1])
        else:
            values = np.abs(pixels, out=self._scratch[: pixels.size].reshape(pixels.shape))
            values *= tile.weight
            y, x = divmod(int(values.argmax()), pixels.shape[1])
        tile.position = tile.bounds[0] + y, tile.bounds[2] + x
        tile.measured = len(self._components)
        self._limits[number] = abs(pixels[y, x]) if tile.weight is None else values[y, x]

    def _catch_up(self, tile: _Tile) -> None:
        """Subtract the components that the tile lacks."""
        y0, y1, x0, x1 = tile.bounds
        half_y, half_x = self._half
        for component in self._components[tile.subtracted :]:
            y, x, flux = component
            first_y, last_y = max(y0, y - half_y), min(y1, y + half_y)
            first_x, last_x = max(x0, x - half_x), min(x1, x + half_x)
            if first_y >= last_y or first_x >= last_x:
                continue
            if self._is_flat and x1 - x0 == self._psf.shape[1]:
                self._subtract_rows(component, (first_y, last_y), (first_x, last_x))
                continue
            off_y, off_x = half_y - y, half_x - x
            response = self._psf[first_y + off_y : last_y + off_y, first_x + off_x : last_x + off_x]
            product = self._scratch[: response.size].reshape(response.shape)
            np.multiply(response, flux, out=product)
            pixels = self.residual[first_y:last_y, first_x:last_x]
            np.subtract(pixels, product, out=pixels)
        tile.subtracted = len(self._components)

    def _subtract_rows(self, component: _Component, rows: Pair, columns: Pair) -> None:
        """Subtract a component's response, zero outside `columns`, from whole rows: as one array is quickest."""
        residual, psf = self.residual.reshape(-1), self._psf.reshape(-1)
        width = self._psf.shape[1]
        start, stop = rows[0] * width, rows[1] * width
        shift = (self._half[0] - component.y) * width + self._half[1] - component.x
        first, last = max(start, -shift), min(stop, psf.size - shift)
        product = self._scratch[: stop - start]
        np.multiply(psf[first + shift : last + shift], component.flux, out=product[first - start : last - start])
        by_rows = product.reshape(-1, width)
        by_rows[:, : columns[0]] = 0
        by_rows[:, columns[1] :] = 0
        pixels = residual[start:stop]
        np.subtract(pixels, product, out=pixels)

    def _add_component(self, y: int, x: int, flux: np.float32) -> None:
        """Add to the model, and raise the limits by what the component's sidelobes may add to the tiles."""
        self.model[y, x] += flux
        self._components.append(_Component(y, x, flux))
        if self._highest is None:
            return
        rise = self._highest(y, x) * abs(float(flux))
        rise *= self._is_live
        self._limits += rise.ravel()
        self._limits *= 1 + ROUNDING

    def _masked_peak(self) -> float:
        """The peak that CASA reports after a step, from the product of residual and mask."""
        if self._soft_mask is None:
            return self._find_peak()[2]
        self.finish()
        product = self.residual * self._soft_mask
        lowest, highest = float(product.min()), float(product.max())
        return abs(lowest) if abs(lowest) > abs(highest) else highest


def _first_peak(pixels: Plane) -> int:
    """Number of the first of the pixels that are highest in absolute value."""
    high, low = int(pixels.argmax()), int(pixels.argmin())
    peak, trough = pixels.flat[high], -pixels.flat[low]
    return high if peak > trough else low if trough > peak else min(high, low)


def is_binary(mask: Plane) -> bool:
    """Whether all values are 0 or 1."""
    return bool(((mask == 0) | (mask == 1)).all())


def _sides_of_tiles(ny: int, nx: int, *, cropped: bool) -> Pair:
    """Pixels (y, x) of the tiles of a plane."""
    if ny * nx <= TILE_PIXELS:
        return ny, nx
    return BOX if cropped else (max(1, TILE_PIXELS // nx // CELLS) * CELLS, nx)


def _make_tiles(shape: tuple[int, ...], side: Pair, mask: Plane | None, *, cropped: bool) -> list[_Tile | None]:
    """The tiles row by row; those without a cleaned pixel are None, and the others cut to their mask, if `cropped`."""
    inside = None if mask is None else mask > CLEANED
    if inside is not None and not inside.any():
        inside[0, 0] = True  # where CASA's search starts from, and ends where it finds no cleaned pixel
    tiles: list[_Tile | None] = []
    for y in range(0, shape[0], side[0]):
        for x in range(0, shape[1], side[1]):
            box = slice(y, min(y + side[0], shape[0])), slice(x, min(x + side[1], shape[1]))
            if inside is None or inside[box].all():
                tiles.append(_Tile(box, None))
                continue
            if cropped:
                if not inside[box].any():
                    tiles.append(None)
                    continue
                box = _cropped(box, inside)
            tiles.append(_Tile(box, inside[box].astype(np.float32)))
    return tiles


def _cropped(box: tuple[slice, slice], inside: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The smallest part of the box that has all its cleaned pixels."""
    y, x = (np.flatnonzero(inside[box].any(axis=axis)) for axis in (1, 0))
    return (
        slice(box[0].start + int(y[0]), box[0].start + int(y[-1]) + 1),
        slice(box[1].start + int(x[0]), box[1].start + int(x[-1]) + 1),
    )


_tables: dict[int, tuple[weakref.ref[Plane], tuple[Pair, Pair], _SidelobeTable]] = {}  # by the id of the PSF's array


def _sidelobe_table(psf: Plane, tiles: Pair, sides: Pair) -> _SidelobeTable:
    """The table of a PSF for tiles of these sides.

    It is kept as long as the array is there: each minor cycle asks for it, and PSFs don't change.
    """
    number = id(psf)
    kept = _tables.get(number)
    if kept is None or kept[0]() is not psf or kept[1] != (tiles, sides):
        kept = weakref.ref(psf, lambda _: _tables.pop(number, None)), (tiles, sides), _SidelobeTable(psf, tiles, sides)
        _tables[number] = kept
    return kept[2]


class _SidelobeTable:
    """The highest |PSF| that can lie on each tile, for a component anywhere; from maxima of the PSF over small cells.

    A tile covers CELLS cells and, as it seldom begins where one does, a part of another one.
    """

    def __init__(self, psf: Plane, tiles: Pair, sides: Pair) -> None:
        self._axes = [
            _Axis(size, size // 2, -(-side // CELLS), count)
            for size, side, count in zip(psf.shape, sides, tiles, strict=True)
        ]
        rows, columns = self._axes
        table = np.zeros((rows.length, columns.length), np.float32)
        table[rows.margin : rows.margin + rows.cells, columns.margin : columns.margin + columns.cells] = (
            _maxima_of_cells(psf, (rows.side, columns.side))
        )
        for _ in range(CELLS):  # in the end the maximum of a cell and of the CELLS cells after it
            np.maximum(table[:-1], table[1:], out=table[:-1])
            np.maximum(table[:, :-1], table[:, 1:], out=table[:, :-1])
        self._table = table.astype(np.float64)

    def __call__(self, y: int, x: int) -> NDArray[np.float64]:
        """For a component at (y, x): float64 [tiles in y, tiles in x]."""
        rows, columns = self._axes
        return self._table[rows.cells_of_tiles(y), columns.cells_of_tiles(x)]


class _Axis:
    """One axis of the table: `margin` cells of zero before the PSF's, and as many after them as tiles may reach."""

    def __init__(self, size: int, centre: int, side: int, tiles: int) -> None:
        self.side, self.cells = side, -(-size // side)
        self._centre, self._tiles = centre, tiles
        self.margin = -((centre - size) // side)
        self.length = self.margin + max(self.cells, CELLS * tiles + centre // side) + CELLS + 1

    def cells_of_tiles(self, at: int) -> slice:
        """The cells in which the tiles begin, of a PSF that is centred on a component at pixel `at`."""
        start = self.margin + (self._centre - at) // self.side
        return slice(start, start + CELLS * self._tiles, CELLS)


def _maxima_of_cells(psf: Plane, sides: tuple[int, int]) -> Plane:
    """Highest |PSF| over cells of sides (y, x) pixels, without a copy of the PSF."""
    found = []
    for extreme in (np.maximum, np.minimum):
        along_y = extreme.reduceat(psf, np.arange(0, psf.shape[0], sides[0]), axis=0)
        found.append(np.abs(extreme.reduceat(along_y, np.arange(0, psf.shape[1], sides[1]), axis=1)))
    return np.maximum(*found)
