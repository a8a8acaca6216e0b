"""Where no visibility falls on an image pclean makes tclean's blank ones, and says that nothing was gridded and why."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa, cli
from tests.agreement.cases import CUBE, MFS, MOSAIC
from tests.agreement.compare import compare_products, differences, products, read_image
from tests.agreement.oracle import Oracle

Params = dict[str, Any]

WORKERS: Params = {"parallel": True, "nworkers": 2}
RUNS: dict[str, Params] = {"casa": {}, "workers": WORKERS, "ducc": {"engine": "ducc"}}
KINDS: dict[str, Params] = {
    "mfs": {**MFS, "vis": "line.ms", "imsize": 32, "niter": 10},
    "cube": {**CUBE, "imsize": 32, "niter": 10, "nchan": 3},
    "automask": {**CUBE, "imsize": 32, "niter": 10, "nchan": 3, "usemask": "auto-multithresh", "weighting": "briggs"},
    "wproject": {**MFS, "vis": "line.ms", "imsize": 32, "niter": 0, "gridder": "wproject", "wprojplanes": 4},
    "mosaic": {**CUBE, **MOSAIC, "vis": "line.ms", "imsize": 64, "niter": 10, "nchan": 3},
}
# Why nothing falls on the image -> the changes that make it so, and what is said of it. The data are 12 channels from
# 230 GHz, and 132 or 192 m the shortest baselines that they are seen with.
WHYS: dict[str, tuple[Params, str]] = {
    "correlations": ({"stokes": "RR"}, "stokes='RR' can't be made of the data's correlations, XX, YY"),
    "planes of correlations": ({"stokes": "RRLL"}, "stokes='RRLL' can't be made of the data's correlations, XX, YY"),
    "stokes parameter": ({"stokes": "V"}, "stokes='V' can't be made of the data's correlations, XX, YY"),
    "cell": ({"cell": "100arcsec"}, "all visibilities are off the uv grid, which with a cell of 100arcsec ends at"),
    "cells": ({"cell": ["90arcsec", "100arcsec"]}, "with a cell of 90arcsec by 100arcsec ends at 1031 wavelengths"),
    "flags": ({"vis": "flags.ms"}, "all of the 3168 selected visibilities are flagged"),
    "flagged rows": ({"vis": "flagged_rows.ms"}, "all of the 3168 selected visibilities are flagged"),
    "flags of the selection": (
        {"vis": "some_flags.ms", "spw": "0:0~5"}, "all of the 1584 selected visibilities are flagged",
    ),
    "weights": ({"vis": "weights.ms"}, "none of the 3168 visibilities without a flag has a weight above zero"),
    "channels": (
        {"start": "250GHz"}, "no channel of the data, which reach from 229.99",
    ),
}  # fmt: skip
BY_DEFAULT = [
    ("mfs", "correlations"), ("mfs", "cell"), ("mfs", "flags"), ("cube", "planes of correlations"), ("cube", "weights"),
    ("cube", "channels"),
]  # fmt: skip
ALL = [(kind, why) for kind in KINDS for why in WHYS if (kind, why[:4]) != ("mosaic", "cell")]
ROWS = [row for row in ALL if row[1] != "channels" or "start" in KINDS[row[0]]]


def spoilt(whole: Path, path: Path, columns: dict[str, Callable[[Any], Any]]) -> None:
    """A copy of a MeasurementSet with other values in some columns."""
    shutil.copytree(whole, path)
    with casa.opened_table(str(path), writable=True) as table:
        for column, change in columns.items():
            table.putcol(column, change(table.getcol(column)))


def flag_first_half(flags: Any) -> Any:
    flags[:, :6] = True
    return flags


@pytest.fixture(scope="module")
def data(session_dir: Path, dataset: Callable[[str], Path]) -> Path:
    """A folder with data that are flagged or weigh nothing."""
    folder = session_dir / "blank"
    folder.mkdir()
    line = dataset("line")
    (folder / "line.ms").symlink_to(line)
    spoilt(line, folder / "flags.ms", {"FLAG": np.ones_like})
    spoilt(line, folder / "flagged_rows.ms", {"FLAG_ROW": np.ones_like})
    spoilt(line, folder / "some_flags.ms", {"FLAG": flag_first_half})
    spoilt(line, folder / "weights.ms", {"WEIGHT": np.zeros_like})
    return folder


@pytest.fixture(scope="module")
def tasks(session_dir: Path) -> Iterator[dict[str, Oracle]]:
    made = {name: Oracle(session_dir / "blank tasks" / name) for name in ("tclean", "pclean")}
    yield made
    for oracle in made.values():
        oracle.close()


def place(data: Path, folder: Path) -> Path:
    """A folder from which the data are seen."""
    folder.mkdir()
    for path in data.iterdir():
        (folder / path.name).symlink_to(path)
    return folder


@pytest.mark.parametrize(
    ("kind", "why"),
    [pytest.param(*row, marks=[] if row in BY_DEFAULT else [pytest.mark.long]) for row in ROWS],
)
def test_blank_images_are_tcleans_and_the_warning_says_why(
    tasks: dict[str, Oracle], data: Path, tmp_path: Path, kind: str, why: str
) -> None:
    changes, reason = WHYS[why]
    parameters = {**KINDS[kind], **changes}
    expected, failure, _ = tasks["tclean"].call("tclean", place(data, tmp_path / "tclean"), parameters)
    if failure:  # casatools 6.7.6 smooths with the beam that blank images haven't
        assert kind == "automask"
        assert "convolution" in failure
    blank = products(tmp_path / "tclean", "img")
    for name, changes_of_run in RUNS.items():
        if (kind, name) == ("mosaic", "ducc"):
            continue
        found, error, warnings = tasks["pclean"].call(
            "pclean", place(data, tmp_path / name), {**parameters, **changes_of_run}
        )
        assert error == "", name
        told = [line for line in warnings if "Nothing was gridded on 'img'" in line]
        assert len(told) == 1, warnings
        assert reason in told[0]
        assert not [line for line in tasks["pclean"].lines if "stopping criterion: threshold" in line]
        if failure:
            continue
        assert list(differences(expected, {key: found[key] for key in expected})) == []
        made = products(tmp_path / name, "img")
        if name == "casa" or (name == "workers" and "cube" in parameters["specmode"]):
            assert compare_products(blank, made) == []
        assert made.keys() == blank.keys()
        for suffix, path in made.items():
            assert np.array_equal(read_image(path).pixels == 0, read_image(blank[suffix]).pixels == 0), suffix


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("specmode", ["mfs", pytest.param("mvc", marks=pytest.mark.long)])
def test_taylor_terms_of_nothing_are_an_error_where_tclean_crashes(
    tasks: dict[str, Oracle], data: Path, tmp_path: Path, specmode: str, run: str
) -> None:
    parameters = {**KINDS["mfs"], "vis": "flags.ms", "deconvolver": "mtmfs", "specmode": specmode}
    if specmode == "mvc":
        parameters["nchan"] = 3
    if run == "casa":
        assert "the process ended" in tasks["tclean"].call("tclean", place(data, tmp_path / "tclean"), parameters)[1]
    elif specmode == "mvc":
        pytest.skip("is imaged by CASA in one process")
    error = tasks["pclean"].call("pclean", place(data, tmp_path / run), {**parameters, **RUNS[run]})[1]
    assert "BlankImageError: Nothing was gridded on 'img', and its images are blank: all of the 3168" in error


def test_a_blank_outlier_is_warned_of_by_its_name(tasks: dict[str, Oracle], data: Path, tmp_path: Path) -> None:
    folder = place(data, tmp_path / "run")
    (folder / "wide.txt").write_text("imagename=wide\nimsize=16\ncell=100arcsec\n", encoding="utf-8")
    value, error, warnings = tasks["pclean"].call("pclean", folder, {**KINDS["mfs"], "outlierfile": "wide.txt"})
    assert error == ""
    assert value["iterdone"] == 10
    assert len([line for line in warnings if "Nothing was gridded on 'wide'" in line]) == 1
    assert not [line for line in warnings if "'img'" in line]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("", 0),
        ("--vis flags.ms", cli.BLANK),
        ("--vis flags.ms --restart False", cli.BLANK),
        ("--vis flags.ms --deconvolver mtmfs", cli.BLANK),
        ("--stokes RR --engine ducc", cli.BLANK),
        ("--specmode cube --nchan 2 --start 250GHz --width 1MHz --parallel True --nworkers 2", cli.BLANK),
    ],
)
def test_command_line_ends_with_a_status_of_its_own(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: str,
    status: int,
) -> None:
    monkeypatch.chdir(place(data, tmp_path / "run"))
    assert cli.BLANK == 3
    given = ["--vis", "line.ms", "--imagename", "img", "--imsize", "32", "--cell", "0.4arcsec", "--niter", "5"]
    assert cli.main(["image", *given, *words.split()]) == status
    shown = capfd.readouterr().err
    assert shown.count("Nothing was gridded on 'img'") == (status == cli.BLANK)
    assert "stopped: threshold" not in shown
    if status == cli.BLANK and "mtmfs" not in words:
        assert "stopped: nothing was gridded (stop code 2)" in shown


def test_help_and_readme_tell_the_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["image", "--help"])
    assert f"{cli.BLANK} nothing was gridded" in " ".join(capsys.readouterr().out.split())
    text = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    assert f"{cli.BLANK} where nothing was gridded" in " ".join(text.split())
