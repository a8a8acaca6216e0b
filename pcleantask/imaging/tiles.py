"""A plane of which components are subtracted and peaks are found, in tiles that fall behind. Arrays only.

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
CELLS = 4  # of a response's table of maxima, along each side of a tile
ROUNDING = 2.0**-21  # more than what rounding may add to a pixel in one subtraction, relative


class _Component(NamedTuple):
    y: int
    x: int
    flux: np.float32
    response: Plane


class _Tile:
    """A box of the plane; how many components are subtracted from it, and where its peak was after how many."""

    def __init__(self, box: tuple[slice, slice], weight: Plane | None) -> None:
        self.box = box
        self.bounds = box[0].start, box[0].stop, box[1].start, box[1].stop
        self.weight = weight
        self.subtracted = 0
        self.measured = -1
        self.position = (0, 0)


class TiledPlane:
    """A plane whose tiles fall behind with the subtraction until they may hold the peak.

    With each component an upper limit of every tile's peak grows by the component's flux times the highest |response|
    that can lie on the tile. Only where the limit is the highest of all are the components subtracted that the tile
    lacks: one by one and in their order, so that each pixel that is looked at has the value of a loop over all pixels
    to the last bit, or with `merges` those that differ in flux alone as one, which rounds otherwise.

    Parameters
    ----------
    pixels
        float32 [y, x]; they are changed.
    inside
        bool [y, x], where peaks are sought; None: everywhere.
    cropped
        Whether pixels outside are of no use, so that they needn't be brought up to date.
    merges
        Whether components of the same place and response may be subtracted at once.
    side
        Pixels (y, x) of a tile, multiples of CELLS; by default they are chosen by the plane's size.
    """

    def __init__(
        self,
        pixels: Plane,
        inside: NDArray[np.bool_] | None,
        *,
        cropped: bool,
        merges: bool = False,
        side: Pair | None = None,
    ) -> None:
        self.pixels = pixels
        self._merges = merges
        ny, nx = pixels.shape
        self._side = side or _sides_of_tiles(ny, nx, cropped=cropped)
        self._scratch = np.empty(self._side[0] * self._side[1], np.float32)
        self._grid = -(-ny // self._side[0]), -(-nx // self._side[1])
        self._components: list[_Component] = []
        self._tiles = _make_tiles(pixels.shape, self._side, inside, cropped=cropped)
        self._limits = np.full(len(self._tiles), -1.0)
        for number, tile in enumerate(self._tiles):
            if tile is not None and (tile.weight is None or tile.weight.any()):
                self._measure(number, tile)
        self._is_live = np.reshape(self._limits >= 0, self._grid)

    @property
    def limit(self) -> float:
        """What no |value| inside exceeds; that of a single tile is its peak."""
        return float(self._limits.max()) if len(self._tiles) > 1 else self.find_peak()[2]

    def find_peak(self) -> tuple[int, int, float]:
        """Position (y, x) and |value| of the first of the highest pixels inside."""
        while self._measured(int(self._limits.argmax())):
            pass
        peak = self._limits.max()
        leaders = np.flatnonzero(self._limits == peak).tolist()
        if any(self._measured(number) for number in leaders):
            return self.find_peak()
        return *min(tile.position for number in leaders if (tile := self._tiles[number]) is not None), float(peak)

    def subtract(self, y: int, x: int, flux: np.float32, response: Plane) -> None:
        """Subtract flux times the response, whose centre (ny // 2, nx // 2) comes to (y, x).

        The response, float32 [y, x], has the plane's shape and must not be changed in place.
        """
        self._components.append(_Component(y, x, flux, response))
        if len(self._tiles) > 1:
            rise = _sidelobe_table(response, self._grid, self._side)(y, x) * abs(float(flux))
            rise *= self._is_live
            self._limits += rise.ravel()
            self._limits *= 1 + ROUNDING

    def catch_up(self) -> None:
        """Bring all tiles up to date."""
        for tile in self._tiles:
            if tile is not None:
                self._catch_up(tile)

    def _measured(self, number: int) -> bool:
        """Whether the tile was behind, so that its peak had to be found."""
        tile = self._tiles[number]
        if tile is None or tile.measured == len(self._components):
            return False
        self._measure(number, tile)
        return True

    def _measure(self, number: int, tile: _Tile) -> None:
        """Find the peak of a tile, after subtracting what it lacks."""
        self._catch_up(tile)
        pixels = self.pixels[tile.box]
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
        half_y, half_x = self.pixels.shape[0] // 2, self.pixels.shape[1] // 2
        lacking = self._components[tile.subtracted :]
        for component in _merged(lacking) if self._merges and len(lacking) > 1 else lacking:
            y, x, flux, psf = component
            first_y, last_y = max(y0, y - half_y), min(y1, y + half_y)
            first_x, last_x = max(x0, x - half_x), min(x1, x + half_x)
            if first_y >= last_y or first_x >= last_x:
                continue
            if self._is_flat(component) and x1 - x0 == psf.shape[1]:
                self._subtract_rows(component, (first_y, last_y), (first_x, last_x))
                continue
            off_y, off_x = half_y - y, half_x - x
            response = psf[first_y + off_y : last_y + off_y, first_x + off_x : last_x + off_x]
            product = self._scratch[: response.size].reshape(response.shape)
            np.multiply(response, flux, out=product)
            pixels = self.pixels[first_y:last_y, first_x:last_x]
            np.subtract(pixels, product, out=pixels)
        tile.subtracted = len(self._components)

    def _is_flat(self, component: _Component) -> bool:
        return self.pixels.flags.c_contiguous and component.response.flags.c_contiguous

    def _subtract_rows(self, component: _Component, rows: Pair, columns: Pair) -> None:
        """Subtract a component's response, zero outside `columns`, from whole rows: as one array is quickest."""
        pixels, response = self.pixels.reshape(-1), component.response.reshape(-1)
        height, width = self.pixels.shape
        start, stop = rows[0] * width, rows[1] * width
        shift = (height // 2 - component.y) * width + width // 2 - component.x
        first, last = max(start, -shift), min(stop, response.size - shift)
        product = self._scratch[: stop - start]
        np.multiply(response[first + shift : last + shift], component.flux, out=product[first - start : last - start])
        by_rows = product.reshape(-1, width)
        by_rows[:, : columns[0]] = 0
        by_rows[:, columns[1] :] = 0
        np.subtract(pixels[start:stop], product, out=pixels[start:stop])


def _merged(components: list[_Component]) -> list[_Component]:
    """One component for all that differ in flux alone."""
    fluxes: dict[tuple[int, int, int], np.float32] = {}
    responses = {}
    for y, x, flux, response in components:
        fluxes[y, x, id(response)] = fluxes.get((y, x, id(response)), np.float32(0)) + flux
        responses[id(response)] = response
    return [_Component(y, x, flux, responses[number]) for (y, x, number), flux in fluxes.items()]


def _first_peak(pixels: Plane) -> int:
    """Number of the first of the pixels that are highest in absolute value."""
    high, low = int(pixels.argmax()), int(pixels.argmin())
    peak, trough = pixels.flat[high], -pixels.flat[low]
    return high if peak > trough else low if trough > peak else min(high, low)


def _sides_of_tiles(ny: int, nx: int, *, cropped: bool) -> Pair:
    """Pixels (y, x) of the tiles of a plane."""
    if ny * nx <= TILE_PIXELS:
        return ny, nx
    return BOX if cropped else (max(1, TILE_PIXELS // nx // CELLS) * CELLS, nx)


def _make_tiles(
    shape: tuple[int, ...], side: Pair, inside: NDArray[np.bool_] | None, *, cropped: bool
) -> list[_Tile | None]:
    """The tiles row by row; those with no pixel inside are None, and the others cut to what is, if `cropped`."""
    tiles: list[_Tile | None] = []
    for y in range(0, shape[0], side[0]):
        for x in range(0, shape[1], side[1]):
            box = slice(y, min(y + side[0], shape[0])), slice(x, min(x + side[1], shape[1]))
            if inside is None:
                tiles.append(_Tile(box, None))
                continue
            if cropped:
                if not inside[box].any():
                    tiles.append(None)
                    continue
                box = _cropped(box, inside)
            chosen = inside[box]
            tiles.append(_Tile(box, None if chosen.all() else chosen.astype(np.float32)))
    return tiles


def _cropped(box: tuple[slice, slice], inside: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The smallest part of the box that has all its pixels inside."""
    y, x = (np.flatnonzero(inside[box].any(axis=axis)) for axis in (1, 0))
    return (
        slice(box[0].start + int(y[0]), box[0].start + int(y[-1]) + 1),
        slice(box[1].start + int(x[0]), box[1].start + int(x[-1]) + 1),
    )


_tables: dict[int, tuple[weakref.ref[Plane], tuple[Pair, Pair], _SidelobeTable]] = {}  # by the array's id


def _sidelobe_table(response: Plane, tiles: Pair, sides: Pair) -> _SidelobeTable:
    """The table of a response for tiles of these sides.

    It is kept as long as the array is there: each minor cycle asks for it, and PSFs don't change.
    """
    number = id(response)
    kept = _tables.get(number)
    if kept is None or kept[0]() is not response or kept[1] != (tiles, sides):
        reference = weakref.ref(response, lambda _: _tables.pop(number, None))
        kept = reference, (tiles, sides), _SidelobeTable(response, tiles, sides)
        _tables[number] = kept
    return kept[2]


class _SidelobeTable:
    """The highest |response| that can lie on each tile, for a component anywhere; from maxima of it over small cells.

    A tile covers CELLS cells and, as it seldom begins where one does, a part of another one.
    """

    def __init__(self, response: Plane, tiles: Pair, sides: Pair) -> None:
        self._axes = [
            _Axis(size, size // 2, -(-side // CELLS), count)
            for size, side, count in zip(response.shape, sides, tiles, strict=True)
        ]
        rows, columns = self._axes
        table = np.zeros((rows.length, columns.length), np.float32)
        table[rows.margin : rows.margin + rows.cells, columns.margin : columns.margin + columns.cells] = (
            _maxima_of_cells(response, (rows.side, columns.side))
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
    """One axis of the table: `margin` cells of zero before the response's, and as many after as tiles may reach."""

    def __init__(self, size: int, centre: int, side: int, tiles: int) -> None:
        self.side, self.cells = side, -(-size // side)
        self._centre, self._tiles = centre, tiles
        self.margin = -((centre - size) // side)
        self.length = self.margin + max(self.cells, CELLS * tiles + centre // side) + CELLS + 1

    def cells_of_tiles(self, at: int) -> slice:
        """The cells in which the tiles begin, of a response that is centred at pixel `at`."""
        start = self.margin + (self._centre - at) // self.side
        return slice(start, start + CELLS * self._tiles, CELLS)


def _maxima_of_cells(response: Plane, sides: tuple[int, int]) -> Plane:
    """Highest |response| over cells of sides (y, x) pixels, without a copy of it."""
    found = []
    for extreme in (np.maximum, np.minimum):
        along_y = extreme.reduceat(response, np.arange(0, response.shape[0], sides[0]), axis=0)
        found.append(np.abs(extreme.reduceat(along_y, np.arange(0, response.shape[1], sides[1]), axis=1)))
    return np.maximum(*found)


def overlap(at: int, size: int, side: int) -> tuple[slice, slice]:
    """What a patch of that side, centred `at` a pixel, covers of an axis of that size; and that part of the patch."""
    start = at - side // 2
    first, last = max(0, start), min(size, start + side)
    return slice(first, last), slice(first - start, last - start)
