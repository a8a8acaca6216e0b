"""What a run reads of a MeasurementSet: rows and channels, by the selection that CASA itself would make."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import casa
from ...errors import SelectionError
from ...recordvalues import DataSelection
from .stokes import correlation_names

Ints = NDArray[np.int64]

# Entries of a Selection -> keys of ms.msselect.
PARTS = {
    "field": "field",
    "spw": "spw",
    "timerange": "time",
    "uvrange": "uvdist",
    "antenna": "baseline",
    "scan": "scan",
    "observation": "observation",
    "intent": "scanintent",
}
COLUMNS = {"data": ("DATA",), "corrected": ("CORRECTED_DATA", "DATA")}  # the first that is there
MEASUREMENT_FRAMES = ("REST", "LSRK", "LSRD", "BARY", "GEO", "TOPO", "GALACTO", "LGROUP", "CMB")


@dataclass(frozen=True)
class Pointing:
    """Where the antennas of a mosaic's rows look, and with which dishes.

    Attributes
    ----------
    cosines : tuple of float
        Cartesian coordinates of the direction, in the frame of the image's directions; of length 1.
    telescope : str
        Its name.
    dishes : tuple of float
        Diameters of the two antennas' dishes, the smaller one first [m].
    """

    cosines: tuple[float, float, float]
    telescope: str
    dishes: tuple[float, float]


@dataclass(frozen=True)
class DataSet:
    """Rows of a MeasurementSet that share spectral window and correlations.

    Attributes
    ----------
    vis : str
    column : str
        That of the data.
    description : int
        DATA_DESC_ID.
    rows : ndarray of int64, shape (row,)
        Numbers of the rows, in the order of the table.
    channels : ndarray of int64, shape (chan,)
        Numbers of the selected channels, rising.
    frequency : ndarray of float64, shape (chan,)
        Their centres [Hz], in `frame`.
    ends : tuple of float
        Lowest and highest centre of all channels of the spectral window, selected or not [Hz].
    width : float
        Width of a channel [Hz].
    frame : str
        'TOPO', 'LSRK', ...
    correlations : tuple of str
    has_weight_spectrum : bool
    field : int
        FIELD_ID of all rows, in a mosaic; else -1.
    pointing : Pointing, optional
        In a mosaic.
    """

    vis: str
    column: str
    description: int
    rows: Ints
    channels: Ints
    frequency: NDArray[np.float64]
    ends: tuple[float, float]
    width: float
    frame: str
    correlations: tuple[str, ...]
    has_weight_spectrum: bool
    field: int = -1
    pointing: Pointing | None = None

    @property
    def field_of_vis(self) -> tuple[str, int]:
        """MeasurementSet and FIELD_ID: whose density the weights may rest on."""
        return self.vis, self.field


def find_data(selections: Sequence[DataSelection]) -> list[DataSet]:
    """The data that a run's selections select, MeasurementSet by MeasurementSet.

    Raises
    ------
    SelectionError
        Nothing is selected anywhere.
    """
    found = [data for selection in selections for data in _data_of(selection)]
    if not found:
        raise SelectionError(f"the selections select no rows of {[selection.vis for selection in selections]}")
    return found


def one_row_a_field(selection: DataSelection) -> DataSelection:
    """The first selected row of each field alone; the selection itself where nothing is selected."""
    chosen = _parts(selection)
    with casa.opened_ms(selection.vis) as ms:
        rows = np.sort(ms.range(["rows"])["rows"]) if chosen and ms.msselect(chosen) else slice(None)
    with casa.opened_table(selection.vis) as table:
        fields = table.getcol("FIELD_ID")
    numbers = np.arange(len(fields))[rows]
    first = np.sort(numbers[np.unique(fields[rows], return_index=True)[1]])
    return selection.of_rows(first.tolist()) if len(first) else selection


def _parts(selection: DataSelection) -> dict[str, str]:
    """What `ms.msselect` takes."""
    return {key: getattr(selection.what, name) for name, key in PARTS.items() if getattr(selection.what, name)}


def _data_of(selection: DataSelection) -> list[DataSet]:
    vis = selection.vis
    rows, channels = _selected(selection)
    with casa.opened_table(vis) as table:
        columns = _columns(selection.datacolumn, table, vis)
        descriptions = table.getcol("DATA_DESC_ID")[rows]
        by_description = {int(number): rows[descriptions == number] for number in np.unique(descriptions)}
        has_spectrum = {number: _has_weight_spectrum(table, int(first[0])) for number, first in by_description.items()}
    with casa.opened_table(f"{vis}/DATA_DESCRIPTION") as table:
        windows, polarisations = table.getcol("SPECTRAL_WINDOW_ID"), table.getcol("POLARIZATION_ID")
    found: list[DataSet] = []
    for number, own in by_description.items():
        window = int(windows[number])
        if channels is not None and window not in channels:
            continue
        frequency, width, frame = _spectral_window(vis, window)
        chosen = np.arange(len(frequency)) if channels is None else channels[window]
        whole = DataSet(
            vis=vis,
            column="",
            description=number,
            rows=own,
            channels=chosen,
            frequency=frequency[chosen],
            ends=(float(frequency.min()), float(frequency.max())),
            width=width,
            frame=frame,
            correlations=_correlations(vis, int(polarisations[number])),
            has_weight_spectrum=has_spectrum[number],
        )
        found.extend(_by_column(whole, columns))
    return found


def _selected(selection: DataSelection) -> tuple[Ints, dict[int, Ints] | None]:
    """Rows in the order of the table, and channels of each spectral window (None: all of all)."""
    chosen = _parts(selection)
    with casa.opened_ms(selection.vis) as ms, casa.working_on("selecting the data"):
        if chosen and not ms.msselect(chosen):
            return np.empty(0, int), None
        table = ms.msselectedindices()["channel"] if "spw" in chosen else np.empty((0, 4), int)
        # Of what is selected by now: ROWNUMBER() counts these rows, from 1.
        if selection.taql and not ms.msselect({"taql": selection.taql}):
            return np.empty(0, int), None
        rows = np.sort(np.asarray(ms.range(["rows"])["rows"], dtype=int))
    return rows, _channels(table) if len(table) else None


def _channels(table: NDArray[Any]) -> dict[int, Ints]:
    """Channels of each window, from rows of (window, first, last, step)."""
    found: dict[int, list[int]] = {}
    for window, first, last, step in table.tolist():
        found.setdefault(int(window), []).extend(range(int(first), int(last) + 1, max(1, int(step))))
    return {window: np.unique(numbers) for window, numbers in found.items()}


def _columns(wanted: str, table: Any, vis: str) -> list[tuple[str, Ints]]:
    """The columns that tclean reads, the first choice first, each with the rows that have no array in it.

    Those are corrected data where asked for and there, else the data (VisibilityIteratorImpl2::existsColumn); for the
    last choice they aren't looked for.
    """
    kind = "data" if "data" in wanted or "obs" in wanted else "corrected"
    there = [name for name in COLUMNS[kind] if name in table.colnames()]
    if not there:
        raise SelectionError(f"{vis!r} has none of the columns {list(COLUMNS[kind])} for datacolumn={wanted!r}")
    return [*((name, _rows_without(name, table)) for name in there[:-1]), (there[-1], np.empty(0, int))]


def _rows_without(column: str, table: Any) -> Ints:
    """Numbers of the rows that have no array in the column."""
    lacking = table.query(f"!ISDEFINED({column})")
    try:
        return np.asarray(lacking.rownumbers(), int)
    finally:
        lacking.close()


def _by_column(whole: DataSet, columns: Sequence[tuple[str, Ints]]) -> Iterator[DataSet]:
    """The data set, in pieces where rows have arrays in one column and others in the next one only."""
    rest = whole.rows
    for name, lacking in columns:
        is_lacking = np.isin(rest, lacking)
        if not is_lacking.all():
            yield dataclasses.replace(whole, column=name, rows=rest[~is_lacking])
        rest = rest[is_lacking]


def _has_weight_spectrum(table: Any, row: int) -> bool:
    return "WEIGHT_SPECTRUM" in table.colnames() and bool(table.iscelldefined("WEIGHT_SPECTRUM", row))


def _spectral_window(vis: str, window: int) -> tuple[NDArray[np.float64], float, str]:
    """Frequencies of all channels, the width of one, and the frame."""
    with casa.opened_table(f"{vis}/SPECTRAL_WINDOW") as table:
        number = int(table.getcell("MEAS_FREQ_REF", window))
        frame = MEASUREMENT_FRAMES[number] if number < len(MEASUREMENT_FRAMES) else "Undefined"
        width = float(np.abs(table.getcell("CHAN_WIDTH", window)[0]))
        return np.asarray(table.getcell("CHAN_FREQ", window), float), width, frame


def _correlations(vis: str, polarisation: int) -> tuple[str, ...]:
    with casa.opened_table(f"{vis}/POLARIZATION") as table:
        return correlation_names(np.ravel(table.getcell("CORR_TYPE", polarisation)).tolist())
