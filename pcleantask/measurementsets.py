"""Questions to MeasurementSets before imaging: what a selection selects, which is first, what columns are missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from . import casa
from .errors import MissingInputError, SelectionError
from .ownprocess import unbroken
from .sections import Selection

# Entries of a Selection -> their names in ms.msselect, which selects as `synthesisimager.selectdata` does.
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


@contextlib.contextmanager
def written_at_once(paths: Iterable[str]) -> Iterator[None]:
    """A block in which casacore writes the headers of what is written to MeasurementSets once, as it ends.

    It does so each time that a tool gives up the lock on a table, and truncates the file: a process that is killed at
    that moment leaves a set that can't be read; one that ends by SIGTERM or Ctrl-C ends after it. Other processes can't
    read the sets meanwhile.
    """
    with contextlib.ExitStack() as held:
        for path in dict.fromkeys(paths):
            held.enter_context(casa.opened_table(path, writable=True, is_held=True))
        try:
            yield
        finally:
            with unbroken:
                held.close()


def check_readable(paths: Sequence[str]) -> None:
    """Raise MissingInputError for a MeasurementSet that CASA can't open, or whose data it can't find in its files."""
    for path in paths:
        try:
            with casa.opened_table(path) as table:
                table.getdminfo()
            with casa.opened_ms(path) as ms:
                ms.nrow()
        except RuntimeError as error:
            raise MissingInputError(
                f"vis {path!r} is damaged: {casa.first_line(error)}; take a copy of it that is whole"
            ) from error


def with_rows(selections: Sequence[Selection]) -> tuple[tuple[Selection, ...], tuple[Selection, ...]]:
    """The selections that leave rows, and those that leave none, of which the log warns.

    tclean images the rest, too, but where the first data set in time is the empty one, which ends it
    (SynthesisImagerVi2::selectData).

    Raises
    ------
    SelectionError
        CASA can't make one of the selections, or none leaves a row.
    """
    has_rows = [_leaves_rows(selection) for selection in selections]
    kept, empty = (
        tuple(selection for selection, has in zip(selections, has_rows, strict=True) if has == wanted)
        for wanted in (True, False)
    )
    if not kept:
        raise SelectionError(f"{', and '.join(map(_selects_nothing, empty))}; `listobs` lists what is there")
    for selection in empty:
        casa.post(f"{_selects_nothing(selection)}: that data set is left out", "WARN")
    return kept, empty


def _leaves_rows(selection: Selection) -> bool:
    """Whether the selection leaves rows; SelectionError with CASA's reason where it can't be made."""
    chosen = _chosen(selection)
    if not chosen:
        return True
    with casa.opened_ms(selection.vis) as ms:
        if ms.msselect(chosen):
            return True
        if ms.nrow(selected=True) == 0:
            return False
        raise SelectionError(f"{_selects_nothing(selection)}{_reason(ms, selection)}; `listobs` lists what is there")


def _reason(ms: Any, selection: Selection) -> str:
    """What CASA says against the selection just tried: msselect keeps it to itself, and leaves all rows selected."""
    try:
        ms.msselectedindices()
        ms.msseltoindex(selection.vis, baseline=selection.antenna)  # of antennas the other says nothing
    except RuntimeError as error:
        return f" ({casa.first_line(error)})"
    return ""


def _selects_nothing(selection: Selection) -> str:
    """That a selection selects nothing, in the user's words."""
    given = ", ".join(f"{name}={getattr(selection, name)!r}" for name in PARTS if getattr(selection, name))
    return f"the selection {given} selects nothing in {selection.vis!r}"


def _chosen(selection: Selection) -> dict[str, str]:
    """The parts of the selection that select something, by the names of `ms.msselect`."""
    return {theirs: getattr(selection, ours) for ours, theirs in PARTS.items() if getattr(selection, ours)}


def rows_of_fields(selection: Selection) -> dict[int, int]:
    """How many rows the selection leaves of each field: number of the field -> number of rows."""
    return _rows_by(selection, "FIELD_ID")


def rows_of_descriptions(selection: Selection) -> dict[int, int]:
    """How many rows the selection leaves of each data description: DATA_DESC_ID -> number of rows."""
    return _rows_by(selection, "DATA_DESC_ID")


def _rows_by(selection: Selection, column: str) -> dict[int, int]:
    chosen = _chosen(selection)
    with casa.opened_ms(selection.vis) as ms:
        rows = ms.range(["rows"])["rows"] if chosen and ms.msselect(chosen) else slice(None)
    with casa.opened_table(selection.vis) as table:
        numbers, counts = np.unique(table.getcol(column)[rows], return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def frequency_range(selections: Sequence[Selection]) -> tuple[float, float]:
    """Lowest and highest frequency of the selected fields and spectral windows [Hz, LSRK].

    Follows determineFreqRange of casatasks' imager_mtmfs_via_cube.py (6.7.0): each MeasurementSet counts by its first
    selected field that has data, and by all of its times.
    """
    edges = []
    for selection in selections:
        spw, field = selection.spw or "*", selection.field or "*"
        with casa.tool("ms") as ms:
            chosen = int(ms.msseltoindex(vis=selection.vis, spw=spw, field=field)["field"][0])
        with casa.opened_table(selection.vis) as table:
            fields = table.getcol("FIELD_ID")
        if chosen not in fields:
            chosen = int(fields[0])
        with casa.tool("synthesisutils") as utilities:
            found = utilities.advisechansel(msname=selection.vis, getfreqrange=True, fieldid=chosen, spwselection=spw)
        edges.append([casa.hertz(found[name]) for name in ("freqstart", "freqend")])
    return min(low for low, _ in edges), max(high for _, high in edges)


def _start_time(vis: str) -> float:
    """The earliest time stamp of the MeasurementSet [s, MJD]."""
    with casa.opened_table(vis) as table:
        if table.nrows() == 0:
            raise MissingInputError(f"vis {vis!r} has no rows; give a MeasurementSet with data")
        return float(table.getcol("TIME").min())


def in_time_order(selections: Sequence[Selection]) -> tuple[Selection, ...]:
    """The selections in the order of their data's first time stamps, as tclean images them.

    Follows `sort_mslist` of casatasks' mslisthelper.py: sorted by the earliest TIME.
    """
    if len(selections) < 2:
        return tuple(selections)
    return tuple(sorted(selections, key=lambda selection: _start_time(selection.vis)))


def add_missing_weight_spectra(paths: Sequence[str]) -> None:
    """Where some MeasurementSets have WEIGHT_SPECTRUM and others don't, add the column to the others, as tclean does.

    CASA's data iterator can't go from one kind to the other. The new column is filled from WEIGHT.
    """
    lacking = []
    for path in paths:
        with casa.opened_table(path) as table:
            if "WEIGHT_SPECTRUM" not in table.colnames():
                lacking.append(path)
    if not lacking or len(lacking) == len(paths):
        return
    casa.post(f"Some MeasurementSets have WEIGHT_SPECTRUM and others don't; adding it to {lacking}", "WARN")
    for path in lacking:
        with casa.tool("calibrater") as calibrater:
            calibrater.open(path, addcorr=False, addmodel=False)
            calibrater.initweights(wtmode="weight", dowtsp=True)


def observatory_position(vis: str) -> dict[str, Any]:
    """Where the data were taken, as a measure: the observatory's place, that of the first antenna if it is unknown."""
    with casa.opened_table(f"{vis}/OBSERVATION") as table:
        telescope = table.getcell("TELESCOPE_NAME", 0)
    with casa.tool("measures") as measures:
        known = measures.observatory(telescope)
        if known.get("type") == "position":
            return dict(known)
        with casa.opened_table(f"{vis}/ANTENNA") as table:
            x, y, z = (f"{value!r}m" for value in map(float, table.getcell("POSITION", 0)))
        return dict(measures.position("ITRF", x, y, z))
