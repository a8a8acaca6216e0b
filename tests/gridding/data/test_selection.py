"""Rows and channels that a run reads, against the tables themselves."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.errors import SelectionError
from pcleantask.gridding.data.selection import find_data
from pcleantask.recordvalues import DataSelection
from pcleantask.sections import Selection


def selection(vis: Path, datacolumn: str = "data", **parts: str) -> DataSelection:
    return DataSelection(Selection(str(vis), **parts), datacolumn)


def test_without_a_selection_all_rows_are_read_window_by_window(continuum_ms: Path) -> None:
    found = find_data([selection(continuum_ms)])
    with casa.opened_table(str(continuum_ms)) as table:
        descriptions = table.getcol("DATA_DESC_ID")
    assert [data.description for data in found] == [0, 1]
    for data in found:
        assert (data.rows == np.flatnonzero(descriptions == data.description)).all()
        assert data.channels.tolist() == [0, 1, 2, 3]
    assert [data.frequency[0] for data in found] == [220e9, 240e9]
    assert {data.frame for data in found} == {"TOPO"}
    assert {data.correlations for data in found} == {("XX", "YY")}


def test_channels_are_those_selected_of_each_window(continuum_ms: Path) -> None:
    found = find_data([selection(continuum_ms, spw="0:0;2~3,1:1")])
    assert [data.channels.tolist() for data in found] == [[0, 2, 3], [1]]
    assert found[0].frequency.tolist() == [220e9, 222e9, 223e9]


def test_antennas_and_baseline_lengths_are_those_selected(line_ms: Path) -> None:
    (data,) = find_data([selection(line_ms, antenna="0~5&", uvrange=">60klambda")])
    with casa.opened_table(str(line_ms)) as table:
        ends = [table.getcol(name)[data.rows] for name in ("ANTENNA1", "ANTENNA2")]
        length = np.hypot(*table.getcol("UVW")[:2])
    assert len(data.rows) > 0
    assert max(end.max() for end in ends) == 5
    assert length[data.rows].min() > 60e3 * 299792458.0 / 230.012e9


def test_row_numbers_in_taql_count_the_rows_that_are_selected(line_ms: Path) -> None:
    selected = selection(line_ms, antenna="0~5&")
    (whole,) = find_data([selected])
    bounds = [0, 20, 45, len(whole.rows)]
    parts = [
        find_data([replace(selected, taql=f"ROWNUMBER() > {first} && ROWNUMBER() <= {last}")])[0].rows
        for first, last in itertools.pairwise(bounds)
    ]
    assert [len(part) for part in parts] == np.diff(bounds).tolist()
    assert (np.concatenate(parts) == whole.rows).all()


def test_corrected_data_are_read_where_there_are_any(dataset, line_ms: Path) -> None:
    corrected = dataset("corrected")
    assert find_data([selection(corrected, datacolumn="corrected")])[0].column == "CORRECTED_DATA"
    assert find_data([selection(corrected)])[0].column == "DATA"
    assert find_data([selection(line_ms, datacolumn="corrected")])[0].column == "DATA"


def test_nothing_selected_is_an_error(line_ms: Path) -> None:
    with pytest.raises(SelectionError, match="select no rows"):
        find_data([selection(line_ms, uvrange=">9000km")])
