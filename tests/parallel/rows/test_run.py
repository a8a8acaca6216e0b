"""A continuum image whose rows a team grids is tclean's within the rounding of sums in another order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agreement import matrix
from tests.agreement.cases import MFS, MOSAIC, Case
from tests.agreement.closeness import TOLERANCE, deviations, model_deviation, other_counts
from tests.agreement.compare import listing, products
from tests.agreement.runner import TaskProcess
from tests.agreement.test_agreement import images_in, prepare
from tests.parallel.both import run_both
from tests.parallel.team_cases import CONTINUUM, GO_ON

LONG = pytest.mark.long


def compare(
    case: Case, workers: list[int], oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path], note: matrix.Note | None = None,
) -> None:  # fmt: skip
    """Run the case with tclean and with as many workers a call as `workers` says, and compare; 0 is one process."""
    here, there = folders
    for folder in folders:
        prepare(case, folder, dataset)
    expected, found = run_both(case, workers, oracle, candidate, folders, note)
    for one, other in zip(expected, found, strict=True):
        assert other_counts(one.value, other.value) == []
    assert listing(here) == listing(there)
    names = images_in(here, case)
    problems = [line for name in names for line in deviations(products(here, name), products(there, name))]
    assert not problems, "\n".join(problems)
    for name in case.data:
        assert model_deviation(here / f"{name}.ms", there / f"{name}.ms") <= TOLERANCE


@pytest.mark.parametrize(
    "case", [pytest.param(row, id=row.name, marks=[LONG] if row.long else []) for row in CONTINUUM]
)
def test_two_workers_agree_with_tclean(
    case: Case, oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path], record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    note = matrix.noting(record_property, case.name, "2 workers", f"within {TOLERANCE:g}", folders[0].parent)
    compare(case, [2] * len(case.calls), oracle, candidate, folders, dataset, note)


@pytest.mark.parametrize(
    ("changes", "workers"),
    [
        pytest.param({}, 1, id="1"),
        pytest.param({"antenna": "0&1", "scan": "1"}, 3, id="few rows"),
        pytest.param(MOSAIC, 5, id="5"),
        # CASA's .pb depends on how many data sets and fields there are, and not all workers have all of them.
        pytest.param({"vis": ["line.ms", "late.ms"], "phasecenter": "J2000 10h00m00.2s -25d00m03.0s"}, 3, id="sets"),
        pytest.param({"vis": "mosaic.ms", "phasecenter": 1}, 3, id="fields"),
    ],
)
def test_any_number_of_workers_agrees_with_tclean(
    changes: dict, workers: int, oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    case = Case("workers", ({**MFS, **changes, "weighting": "briggs"},))
    compare(case, [workers], oracle, candidate, folders, dataset)


@pytest.mark.parametrize("workers", [[0, 2], [2, 0]], ids=["serial first", "parallel first"])
@pytest.mark.parametrize(
    "changes", [{}, pytest.param({"deconvolver": "mtmfs", "nterms": 2}, marks=LONG)], ids=["hogbom", "mtmfs"]
)
def test_a_run_goes_on_with_another_number_of_workers(
    changes: dict, workers: list[int], oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    first = {**MFS, **changes, "weighting": "briggs", "niter": 40}
    case = Case("goes-on", (first, {**first, **GO_ON, "niter": 100}))
    compare(case, workers, oracle, candidate, folders, dataset)
