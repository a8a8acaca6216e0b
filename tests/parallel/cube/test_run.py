"""A cube on a team is tclean's to the last bit, with its return dictionary, on any number of workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agreement import matrix
from tests.agreement.cases import CUBE, Case
from tests.agreement.runner import TaskProcess
from tests.agreement.test_agreement import check_same, prepare
from tests.parallel.both import run_both
from tests.parallel.team_cases import CUBES, GO_ON, PARTLY, WHOLE

LONG = pytest.mark.long
imaged_last: list[str] = []  # the data of the case before


def compare(
    case: Case, workers: list[int], oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path], note: matrix.Note | None = None,
) -> None:  # fmt: skip
    """Run the case with tclean and with as many workers a call as `workers` says, and compare; 0 is one process."""
    here, there = folders
    for folder in folders:
        prepare(case, folder, dataset)
    if case.data != imaged_last:  # other data's times and places change the last bits of frequencies in a process
        oracle.close()
        candidate.close()
        imaged_last[:] = case.data
    expected, found = run_both(case, workers, oracle, candidate, folders, note)
    check_same(case, here, there, expected, found)


@pytest.mark.parametrize("case", [pytest.param(row, id=row.name, marks=[LONG] if row.long else []) for row in CUBES])
def test_two_workers_give_tcleans_cube(
    case: Case, oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path], record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    note = matrix.noting(record_property, case.name, "2 workers", "same bits", folders[0].parent)
    compare(case, [2] * len(case.calls), oracle, candidate, folders, dataset, note)


@pytest.mark.parametrize("workers", [5, *(pytest.param(number, marks=LONG) for number in (1, 3, 8))])
@pytest.mark.parametrize(
    "mask", [pytest.param("", id="no mask"), pytest.param(PARTLY, id="mask in some channels", marks=LONG)]
)
def test_any_number_of_workers_gives_tcleans_cube(
    mask: str, workers: int, oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    case = Case("workers", ({**CUBE, **WHOLE, "mask": mask, "weighting": "briggs"},))
    compare(case, [workers], oracle, candidate, folders, dataset)


BY_NAME = {row.name: row for row in CUBES}
WHOLE_CUBES = [  # what must be known of the whole cube shows in these
    "auto-cube-numpy",
    "auto-cube-slow-noise-numpy",
    "auto-all-channels",
    "flagged-common-beam",
    "cube-nsigma-full",
    "cube-briggsbwtaper-all-channels",
    "mosaic-auto",
    "fewer-channels-than-workers",
]


@pytest.mark.long
@pytest.mark.parametrize("workers", [3, 5])
@pytest.mark.parametrize("name", WHOLE_CUBES)
def test_more_workers_give_tcleans_cube(
    name: str, workers: int, oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    case = BY_NAME[name]
    compare(case, [workers] * len(case.calls), oracle, candidate, folders, dataset)


@pytest.mark.parametrize("workers", [[0, 2], pytest.param([2, 0], marks=LONG), pytest.param([3, 2], marks=LONG)])
@pytest.mark.parametrize("mask", ["", pytest.param(PARTLY, marks=LONG)], ids=["no mask", "mask in some channels"])
def test_a_run_goes_on_with_another_number_of_workers(
    mask: str, workers: list[int], oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    first = {**CUBE, **WHOLE, "mask": mask, "niter": 40}
    case = Case("goes-on", (first, {**first, **GO_ON, "mask": "", "niter": 100}))
    compare(case, workers, oracle, candidate, folders, dataset)
