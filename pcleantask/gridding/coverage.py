"""Why no visibility has fallen on an image: what flags, weights, correlations and cells leave of the selected data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import casa, measurementsets
from ..config import PcleanConfig
from ..errors import ParameterError
from ..sections import ImageField
from ..toolrecords import data_selections
from .data.reading import cells, row_pieces, selected_rows
from .data.selection import DataSet, find_data
from .data.stokes import can_be_made
from .spectral.axis import LIGHT_SPEED

ARCSEC = np.pi / (180 * 3600)
UNKNOWN = "neither flags, weights, correlations nor baselines say why"


def why_blank(config: PcleanConfig, field: ImageField) -> str:
    """Why nothing was gridded on the field's image, in the user's words; to be asked where that is so.

    The visibilities' flags, weights and coordinates are read, until one is found that should be on the image.
    """
    try:
        sources = find_data(data_selections(config))
    except ParameterError:  # correlations that only CASA knows
        return UNKNOWN
    usable = [source for source in sources if can_be_made(config.frame.stokes, source.correlations)]
    if not usable:
        there = sorted({name for source in sources for name in source.correlations})
        return f"stokes={config.frame.stokes!r} can't be made of the data's correlations, {', '.join(there)}"
    tally = _Tally([casa.radians_of(cell) for cell in field.cell])
    for source in usable:
        tally.add(source)
        if tally.on_grid:
            break
    return tally.reason(field) or (_other_channels(config) if field.is_cube else UNKNOWN)


def _other_channels(config: PcleanConfig) -> str:
    lowest, highest = measurementsets.frequency_range(config.selections)
    return (
        f"no channel of the data, which reach from {lowest / 1e9:.9g} to {highest / 1e9:.9g} GHz (LSRK), is in the "
        "image's: look at start, width, nchan, outframe and restfreq"
    )


@dataclasses.dataclass
class _Tally:
    """How many visibilities there are, and what each step leaves of them.

    Attributes
    ----------
    cell : list of float
        Size of the image's pixels (dx, dy) [rad].
    selected, crossed, unflagged, weighed : int
        Visibilities, those of them between two antennas, of these those without flags, of these those that weigh
        something.
    on_grid : bool
        Whether one of these lies on the grid.
    shortest, longest : float
        Of these, the least and the largest of the larger component of (u, v) [wavelengths].
    """

    cell: list[float]
    selected: int = 0
    crossed: int = 0
    unflagged: int = 0
    weighed: int = 0
    on_grid: bool = False
    shortest: float = np.inf
    longest: float = 0.0

    def add(self, source: DataSet) -> None:
        """Count a data set's visibilities, up to the first on the grid."""
        with selected_rows(source) as table:
            for rows in row_pieces(len(source.rows), len(source.channels) * len(source.correlations)):
                self._add_rows(table, source, rows)
                if self.on_grid:
                    return

    def _add_rows(self, table: Any, source: DataSet, rows: slice) -> None:
        place = rows.start, rows.stop - rows.start
        flags = cells(table, "FLAG", source, rows).any(axis=-1) | table.getcol("FLAG_ROW", *place)[:, np.newaxis]
        is_auto = table.getcol("ANTENNA1", *place) == table.getcol("ANTENNA2", *place)
        good = ~flags & ~is_auto[:, np.newaxis]
        self.selected += good.size
        self.crossed += int((~is_auto).sum()) * flags.shape[1]
        self.unflagged += int(good.sum())
        if not good.any():
            return
        if source.has_weight_spectrum:
            weighs = (cells(table, "WEIGHT_SPECTRUM", source, rows) > 0).any(axis=-1)
        else:
            weighs = (table.getcol("WEIGHT", *place).T > 0).any(axis=-1)[:, np.newaxis]
        good &= weighs
        self.weighed += int(good.sum())
        if good.any():
            self._look_at_baselines(table.getcol("UVW", *place).T[:, :2], source.frequency, good)

    def _look_at_baselines(
        self, uv: NDArray[np.float64], frequency: NDArray[np.float64], good: NDArray[np.bool_]
    ) -> None:
        waves = frequency / LIGHT_SPEED
        lengths = (np.abs(uv).max(axis=1)[:, np.newaxis] * waves)[good]
        in_cells = ((np.abs(uv) * self.cell).max(axis=1)[:, np.newaxis] * waves)[good]  # of half of the grid: 0.5
        self.shortest, self.longest = min(self.shortest, lengths.min()), max(self.longest, lengths.max())
        self.on_grid = self.on_grid or bool((in_cells < 0.5).any())

    def reason(self, field: ImageField) -> str:
        """Which step leaves nothing; '' where none does."""
        if not self.crossed:
            return f"all of the {self.selected} selected visibilities are autocorrelations"
        if not self.unflagged:
            return f"all of the {self.crossed} selected visibilities are flagged"
        if not self.weighed:
            return f"none of the {self.unflagged} visibilities without a flag has a weight above zero"
        if not self.on_grid:
            return (
                f"all visibilities are off the uv grid, which with a cell of {' by '.join(dict.fromkeys(field.cell))} "
                f"ends at {0.5 / max(self.cell):.4g} wavelengths, and the data begin at {self.shortest:.4g}; a cell "
                f"below {0.5 / self.longest / ARCSEC:.3g}arcsec takes them all"
            )
        return ""
