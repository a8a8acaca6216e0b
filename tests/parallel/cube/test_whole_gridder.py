"""Cubes that no cut leaves as they are: gridded in one process, cleaned on workers, and tclean's to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agreement.cases import AUTO, CUBE, MOSAIC, STOKES, Case, cube, steps
from tests.agreement.runner import TaskProcess
from tests.parallel.cube.test_run import LONG, compare
from tests.parallel.team_cases import GO_ON, PARTLY, WHOLE

OTHER_FRAME = {**WHOLE, "outframe": "BARY", "interpolation": "linear"}
SHORT = {"frame", "mask-in-some-channels"}
GRIDDED_WHOLE = [
    cube("frame", **OTHER_FRAME, weighting="briggs", restoringbeam="common", pbcor=True),
    cube("mask-in-some-channels", **OTHER_FRAME, mask=PARTLY),
    cube("auto", **{**AUTO, **OTHER_FRAME}, vis="flagged.ms", fullsummary=True),
    cube("nsigma", **OTHER_FRAME, vis="noisy.ms", nsigma=3.0),
    cube("briggsbwtaper", **OTHER_FRAME, weighting="briggsbwtaper"),
    cube("one-density", **OTHER_FRAME, weighting="uniform", perchanweightdensity=False),
    cube("clark", **OTHER_FRAME, deconvolver="clark"),
    cube("no-mask-by-beam", **OTHER_FRAME, pblimit=-0.1, vis="flagged.ms"),
    cube("two-data-sets", **WHOLE, vis=["late.ms", "line.ms"], weighting="briggs"),
    cube("savemodel-column", **OTHER_FRAME, savemodel="modelcolumn"),
    cube("savemodel-column-late", **OTHER_FRAME, savemodel="modelcolumn", nsigma=3.0),
    cube("no-iterations", **{**OTHER_FRAME, "niter": 0}, mask=PARTLY),
    steps("goes-on", {**CUBE, **OTHER_FRAME}, {"mask": PARTLY, "niter": 40}, {**GO_ON, "niter": 100}),
    steps("restart-with-calcpsf", {**CUBE, **OTHER_FRAME}, {"niter": 40}, {"niter": 60}),
    steps("startmodel", {**CUBE, **OTHER_FRAME}, {"imagename": "first"}, {"startmodel": "first.model", "niter": 100}),
]


def times_told(log_dir: Path) -> int:
    """How often the logs say that a cube was gridded in one process."""
    return sum(path.read_text(encoding="utf-8").count("Gridded in one process") for path in log_dir.glob("casa-*.log"))


@pytest.mark.parametrize(
    "case", [pytest.param(row, id=row.name, marks=[] if row.name in SHORT else [LONG]) for row in GRIDDED_WHOLE]
)
def test_a_cube_gridded_in_one_process_and_cleaned_by_two_is_tcleans(
    case: Case, oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    before = times_told(candidate.log_dir)
    compare(case, [2] * len(case.calls), oracle, candidate, folders, dataset)
    assert times_told(candidate.log_dir) > before


CUTS: dict[str, dict[str, Any]] = {
    "gap-of-two": {"spw": "0:0~3;6~11"},
    "gap-of-four": {"spw": "0:0~3;8~11"},
    "falling": {**WHOLE, "width": -1, "start": 10, "nchan": 10},
    "velocities": {"restfreq": "230.004GHz", "start": "4km/s", "width": "-1.5km/s", "nchan": 7},
    "few-hertz-wide": {"start": "229.9991GHz", "width": "1.7MHz", "nchan": 8},
    "between-channels": {"start": "230.0005GHz", "width": "1.02MHz", "nchan": 9},
    "whole-number-of-channels": {"width": 2, "outframe": "TOPO"},
    "cubic-in-another-frame": {**OTHER_FRAME, "interpolation": "cubic"},
    "stokes-in-another-frame": {**STOKES, **OTHER_FRAME, "nchan": 4, "stokes": "IQ"},
    "mosaic-in-another-frame": {**MOSAIC, **OTHER_FRAME, "nchan": 4, "mosweight": False},
}


@pytest.mark.parametrize("workers", [2, pytest.param(3, marks=LONG)])
@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name == "gap-of-four" else [LONG]) for name in CUTS])
def test_where_parts_meet_does_not_show(
    name: str, workers: int, oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    case = cube(name, **{**WHOLE, "interpolation": "linear", "weighting": "briggs", **CUTS[name]})
    compare(case, [workers], oracle, candidate, folders, dataset)


THREADS = [
    pytest.param({"deconvolver": "clark", "imsize": [96, 64]}, id="clark"),
    pytest.param({"deconvolver": "multiscale", "imsize": [90, 64]}, id="multiscale", marks=LONG),
    pytest.param({"deconvolver": "hogbom", "imsize": [144, 120]}, id="hogbom", marks=LONG),
]


@pytest.mark.parametrize("parameters", THREADS)
def test_workers_make_the_bits_of_a_tclean_of_several_threads(
    parameters: dict[str, Any], folders: tuple[Path, Path], dataset: Callable[[str], Path], tmp_path: Path
) -> None:
    case = cube("threads", **{**WHOLE, **parameters, "restoringbeam": "common", "niter": 200})
    sides = []
    for side in ("oracle", "candidate"):
        (tmp_path / side).mkdir()
        sides.append(TaskProcess(tmp_path / side, {"OMP_NUM_THREADS": "3"}))
    with sides[0] as oracle, sides[1] as candidate:
        compare(case, [2], oracle, candidate, folders, dataset)
