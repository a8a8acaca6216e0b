"""scripts/compare_with_tclean says what agrees and what doesn't, by its table and by its exit status."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from comparison import allowed, compare_folders, compare_image, compare_returned, largest_difference

from pcleantask import casa
from pcleantask.lastfile import write_last
from tests.agreement.cases import CASES, MFS
from tests.agreement.closeness import description_differences

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "compare_with_tclean"
LIMIT_S = 240.0
SMALL = {**MFS, "niter": 20, "cycleniter": 20, "imagename": "mine"}


def compare(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "temporary").mkdir()
    command = [sys.executable, str(SCRIPT), *words, "--folder", str(folder / "temporary")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.mark.parametrize("kind", ["last", pytest.param("json", marks=pytest.mark.long)])
def test_parameters_of_a_users_file_are_compared_on_the_users_data(
    kind: str, tmp_path: Path, dataset: Callable[[str], Path]
) -> None:
    """The data lie elsewhere, the file names them relative to where the user is; nothing is left."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / SMALL["vis"]).symlink_to(dataset("continuum"))
    parameters = {**SMALL, "vis": f"raw/{SMALL['vis']}", "parallel": True, "nworkers": 7}
    file = tmp_path / f"parameters.{kind}"
    if kind == "json":
        file.write_text(json.dumps(parameters), encoding="utf-8")
    else:
        write_last(file, "pclean", parameters)
    run = compare(tmp_path, file.name, "--niter", "10")
    assert run.returncode == 0, run.stdout + run.stderr
    titles = ["tclean: ", "pclean in one process: ", "pclean on 2 workers: "]
    assert [title for line in run.stdout.splitlines() for title in titles if line.startswith(title)] == titles
    assert run.stdout.count("mine.residual") == 2
    assert run.stdout.count("\nagrees\n") == 2
    assert "DIFFERS" not in run.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name, "raw", "temporary"]
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("row", ["cube-hogbom", "restart-from-dirty", "restart-changed-mask", "mask-region-file"])
def test_rows_agree_on_their_simulated_data(tmp_path: Path, row: str) -> None:
    run = compare(tmp_path, row)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("\nagrees\n") == 2
    assert ("refuse" in run.stdout) == (row == "restart-changed-mask")


@pytest.mark.long
def test_saved_models_are_written_to_copies(tmp_path: Path, dataset: Callable[[str], Path]) -> None:
    shutil.copytree(dataset("line"), tmp_path / "my.ms")
    run = compare(tmp_path, "savemodel-column", "--vis", "my.ms", "--niter", "10", "--keep")
    assert run.returncode == 0, run.stdout + run.stderr
    with casa.opened_table(str(tmp_path / "my.ms")) as table:
        assert "MODEL_DATA" not in table.colnames()
    (kept,) = (tmp_path / "temporary").iterdir()
    for name in ("tclean", "pclean0", "pclean1"):
        with casa.opened_table(str(kept / name / "my.ms")) as table:
            assert np.abs(table.getcol("MODEL_DATA")).max() > 0


def test_refusal_is_told_and_the_status_says_so(tmp_path: Path, dataset: Callable[[str], Path]) -> None:
    run = compare(tmp_path, "niter-minus-one", "--vis", str(dataset("continuum")))
    assert run.returncode == 1
    assert run.stdout.count("pclean failed: pcleantask.errors.ParameterError: niter must not be negative, got -1") == 2


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["no-such-row"], 2, "'no-such-row' is no row of the table"),
        ([], 2, "give the name of a row or a file of parameters"),
        (["mfs-hogbom", "--nitter", "5"], 2, "did you mean 'niter'?"),
        (["mfs-hogbom", "--vis", "absent.ms"], 2, "absent.ms"),
    ],
)
def test_wrong_use_is_told(tmp_path: Path, words: list[str], status: int, message: str) -> None:
    run = compare(tmp_path, *words)
    assert run.returncode == status
    assert message in run.stderr
    assert list((tmp_path / "temporary").iterdir()) == []


def test_rows_are_listed(tmp_path: Path) -> None:
    assert compare(tmp_path, "--list").stdout.split() == [case.name for case in CASES]


def make_image(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with casa.tool("image") as image:
        image.fromarray(str(path), pixels)
    return path


def test_one_changed_pixel_in_the_last_channel_is_found(session_dir: Path) -> None:
    pixels = np.ones((4, 4, 1, 3), dtype=np.float32)
    changed = pixels.copy()
    changed[1, 2, 0, 2] = 1.25
    folder = session_dir / "comparison"
    one = make_image(folder / "one" / "x.image", pixels)
    other = make_image(folder / "other" / "x.image", changed)
    make_image(folder / "other" / "x.mask", pixels)
    difference = compare_image(one, other, 0.2, split=False)
    assert (difference.peak, difference.largest, difference.agrees) == (1.0, 0.25, False)
    assert compare_image(one, other, 0.3, split=True).agrees
    assert compare_image(one, one, 0.0, split=False).agrees
    found = list(compare_folders(one.parent, other.parent, [], split=False))
    assert [(image.name, image.agrees) for image in found] == [("x.image", False), ("x.mask", False)]
    assert found[1].notes == ("tclean has none",)
    assert allowed("x.image", {"x.image": one}) == pytest.approx(1e-5)
    assert allowed("x.strange", {"x.strange": one}) == 0.0
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ([1, 2], [1, 2.5], 0.5),
        ([np.nan, 1], [np.nan, 1], 0),
        ([np.nan], [1], np.inf),
        ([np.inf], [np.inf], 0),
        ([], [], 0),
    ],
)
def test_largest_difference_counts_nan_as_its_own_equal(one: list, other: list, difference: float) -> None:
    assert largest_difference(np.array(one, dtype=float), np.array(other, dtype=float)) == difference


def test_description_of_a_split_run_may_differ_by_rounding_only() -> None:
    expected = {"beam": {"major": 1.5, "unit": "arcsec"}, "value": np.array([0.5, 0.25]), "n": 3}
    rounded = {"beam": {"major": 1.5 + 1e-7, "unit": "arcsec"}, "value": np.array([0.5, 0.25 + 1e-9]), "n": 3}
    assert description_differences(expected, rounded) == []
    for key, value in {"beam": {"major": 1.6, "unit": "arcsec"}, "value": np.array([0.5, 0.26]), "n": 4}.items():
        assert description_differences(expected, {**rounded, key: value}), key
    assert description_differences(expected, {**rounded, "more": 1})


def test_returned_counts_of_a_split_run_must_agree() -> None:
    expected = {"iterdone": 5, "stopcode": 1, "nmajordone": 2, "summaryminor": {0: {0: {0: {"peakRes": [1.0]}}}}}
    rounded = {**expected, "summaryminor": {0: {0: {0: {"peakRes": [1.0 + 1e-7]}}}}}
    assert compare_returned(expected, rounded, split=True) == []
    assert len(compare_returned(expected, rounded, split=False)) == 1
    assert compare_returned(expected, {**expected, "iterdone": 6}, split=True) == ["iterdone: 5 expected, 6 found"]
