"""What is asked of MeasurementSets before imaging: selections, order in time, weight spectra."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa, measurementsets
from pcleantask.errors import MissingInputError, SelectionError
from pcleantask.sections import Selection


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    casa.load()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def columns(path: str) -> list[str]:
    with casa.opened_table(path) as table:
        return table.colnames()


def copied(source: Path, name: str) -> str:
    shutil.copytree(source, name)
    return name


@pytest.mark.parametrize(
    "selection",
    [
        {},
        {"field": "0"},
        {"field": "*"},
        {"spw": "0:2~5"},
        {"spw": "0:230.001~230.004GHz"},
        {"timerange": "2021/01/01~2021/12/31"},
        {"uvrange": ">5m"},
        {"antenna": "!0"},
        {"antenna": "0&1"},
        {"scan": "1"},
        {"observation": "0"},
        {"intent": "*"},
        {"field": "0", "spw": "0", "antenna": "0~5", "uvrange": "0~500klambda"},
    ],
)
def test_selection_that_selects_something_passes(line_ms: Path, selection: dict[str, str]) -> None:
    chosen = Selection(str(line_ms), **selection)
    assert measurementsets.with_rows([chosen]) == ((chosen,), ())


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        ({"field": "M31"}, "No match found for name"),
        ({"spw": "0:1~~2"}, "Parse error"),
        ({"scan": "99"}, "selects nothing"),
        ({"field": "0", "antenna": "0&0"}, "selects nothing"),
    ],
)
def test_selection_that_selects_nothing_is_an_error_with_casas_reason(
    line_ms: Path, selection: dict[str, str], reason: str
) -> None:
    with pytest.raises(SelectionError) as caught:
        measurementsets.with_rows([Selection(str(line_ms), **selection)])
    assert reason in str(caught.value)
    assert str(line_ms) in str(caught.value)


def test_selection_that_empties_some_data_sets_leaves_the_others_and_says_so(
    line_ms: Path, dataset: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(casa, "post", lambda *words: told.append(words))
    names = str(dataset("late")), str(line_ms), str(dataset("wide"))
    first, second, third = (Selection(path, scan=scan) for path, scan in zip(names, ("99", "1", "98"), strict=True))
    assert measurementsets.with_rows([first, second, third]) == ((second,), (first, third))
    assert told == [
        (f"the selection scan={entry.scan!r} selects nothing in {entry.vis!r}: that data set is left out", "WARN")
        for entry in (first, third)
    ]
    with pytest.raises(SelectionError) as caught:
        measurementsets.with_rows([first, third])
    assert all(f"scan={entry.scan!r} selects nothing in {entry.vis!r}" in str(caught.value) for entry in (first, third))


def test_order_in_time_is_that_of_casatasks(dataset: Callable[[str], Path]) -> None:
    from casatasks.private.mslisthelper import sort_mslist

    paths = [str(dataset(name)) for name in ("late", "line", "wide", "flagged")]
    expected, times = sort_mslist(paths)
    assert len(set(times)) > 1
    assert expected != paths
    found = measurementsets.in_time_order([Selection(path) for path in paths])
    assert [selection.vis for selection in found] == expected


def test_one_measurement_set_is_not_even_opened() -> None:
    alone = Selection("absent.ms")
    assert measurementsets.in_time_order([alone]) == (alone,)


def test_measurement_set_without_rows_is_an_error(line_ms: Path) -> None:
    empty = "empty.ms"
    with casa.opened_table(str(line_ms)) as table:
        table.copy(empty, deep=True, norows=True).close()
    with pytest.raises(MissingInputError, match=r"'empty\.ms' has no rows"):
        measurementsets.in_time_order([Selection(str(line_ms)), Selection(empty)])


@pytest.fixture
def mixed(line_ms: Path, dataset: Callable[[str], Path]) -> tuple[str, str]:
    """Two MeasurementSets: one with WEIGHT_SPECTRUM, one without."""
    with_column, without = copied(line_ms, "with.ms"), copied(dataset("late"), "without.ms")
    for path in (with_column, without):
        if "WEIGHT_SPECTRUM" in columns(path):
            with casa.opened_table(path, writable=True) as table:
                table.removecols("WEIGHT_SPECTRUM")
    with casa.tool("calibrater") as calibrater:
        calibrater.open(with_column, addcorr=False, addmodel=False)
        calibrater.initweights(wtmode="weight", dowtsp=True)
    assert "WEIGHT_SPECTRUM" in columns(with_column)
    assert "WEIGHT_SPECTRUM" not in columns(without)
    return with_column, without


def test_missing_weight_spectrum_is_added_from_weight(mixed: tuple[str, str]) -> None:
    measurementsets.add_missing_weight_spectra(mixed)
    with casa.opened_table(mixed[1]) as table:
        spectra, weights = table.getcol("WEIGHT_SPECTRUM"), table.getcol("WEIGHT")
    assert spectra.shape == (2, 12, weights.shape[1])
    assert np.array_equal(spectra, np.broadcast_to(weights[:, np.newaxis], spectra.shape))
    assert set(columns(mixed[1])).isdisjoint({"CORRECTED_DATA", "MODEL_DATA"})


@pytest.mark.parametrize("which", [0, 1])
def test_measurement_sets_alike_are_left_alone(mixed: tuple[str, str], which: int) -> None:
    before = columns(mixed[which])
    twin = copied(Path(mixed[which]), "twin.ms")
    measurementsets.add_missing_weight_spectra([mixed[which]])
    measurementsets.add_missing_weight_spectra([mixed[which], twin])
    assert columns(mixed[which]) == columns(twin) == before


def test_frequency_range_is_that_of_the_selected_windows_of_all_data(continuum_ms: Path, line_ms: Path) -> None:
    """Channels of 1 GHz about 220, ..., 223 and 240, ..., 243 GHz, and of 1 MHz from 230 GHz; LSRK is 3 MHz below."""

    def edges(*selections: Selection) -> list[float]:
        return [round(edge / 1e9, 1) for edge in measurementsets.frequency_range(selections)]

    both, second = Selection(str(continuum_ms)), Selection(str(continuum_ms), spw="1", field="0")
    line = Selection(str(line_ms), spw="0:2~5")
    assert edges(both) == [219.5, 243.5]
    assert edges(second) == [239.5, 243.5]
    assert edges(line) == [230.0, 230.0]
    assert edges(line, second) == [230.0, 243.5]


def test_frequency_range_of_a_field_without_data_is_that_of_the_first_one_with(continuum_ms: Path) -> None:
    vis = copied(continuum_ms, "copy.ms")
    with casa.opened_table(f"{vis}/FIELD", writable=True) as table:
        table.addrows(1)
        table.putcell("NAME", 1, "unobserved")
    expected = measurementsets.frequency_range([Selection(vis)])
    assert measurementsets.frequency_range([Selection(vis, field="unobserved")]) == expected


SAVING = """
import sys
from pcleantask import pclean
from tests.agreement.cases import CUBE
call = {**CUBE, "vis": "line.ms", "imagename": "img", "imsize": 64, "savemodel": "modelcolumn", "engine": sys.argv[1]}
pclean(**{**call, "niter": 40, "cycleniter": 20})
"""


@pytest.mark.long
@pytest.mark.parametrize("engine", ["casa", "ducc"])
def test_header_of_saved_models_is_truncated_once_in_a_run(dataset: Callable[[str], Path], engine: str) -> None:
    """A process that is killed at that moment leaves a set that can't be read."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace, which counts the files that are truncated")
    copied(dataset("line"), "line.ms")
    counts = []
    for _ in ("the column is new", "it is there"):
        words = ["strace", "-f", "-qq", "-e", "trace=openat", "-o", "trace", sys.executable, "-c", SAVING, engine]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        run = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=False)
        if "ptrace" in run.stderr:
            pytest.skip("this user may trace no process")
        assert run.returncode == 0, run.stderr[-2000:]
        with casa.opened_table("line.ms") as table:
            managers = table.getdminfo().values()
        (header,) = (f"table.f{entry['SEQNR']}" for entry in managers if list(entry["COLUMNS"]) == ["MODEL_DATA"])
        opened = Path("trace").read_text(encoding="utf-8").splitlines()
        counts.append(sum(f'line.ms/{header}"' in line and "O_TRUNC" in line for line in opened))
    assert counts == [2, 1]
