"""A continuum image whose rows a team grids is tclean's within the rounding of sums in another order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from cases import MFS, MOSAIC, Case
from compare import is_image, listing, peak, products, read_image
from rows import CONTINUUM
from runner import Call, TaskProcess
from test_agreement import check_errors, check_meaningful, images_in, prepare

from pcleantask import casa

LIMIT_S = 180.0
TOLERANCE = 1e-5  # of the peak, see `scale`
# Quotients of images down to a tenth of the peak residual, and terms that the data hardly determine.
LOOSER = {".alpha": 1e-4, ".beta": 1e-3, ".image.tt2": 1e-3, ".model.tt2": 1e-3}
LONG = pytest.mark.long


def deviations(expected: dict[str, Path], found: dict[str, Path]) -> Iterator[str]:
    """Which images deviate by more than the tolerance, or have another shape or pixel mask."""
    for suffix, path in expected.items():
        if not is_image(path):
            continue
        one, other = read_image(path), read_image(found[suffix])
        assert np.array_equal(one.good, other.good), f"{suffix}: other pixel mask"
        worst = np.abs(one.pixels - other.pixels)[one.good].max(initial=0.0)
        tolerance = next((value for part, value in LOOSER.items() if part in suffix), TOLERANCE)
        limit = 0.0 if suffix == ".mask" else tolerance * scale(suffix, expected)
        if worst > limit:
            yield f"{suffix}: {worst:.3g} off, {limit:.3g} allowed"


def scale(suffix: str, images: dict[str, Path]) -> float:
    """What rounding is relative to: the image's own peak; a residual may be small beside what was cleaned from it.

    Taylor terms differ by orders of magnitude. Of a narrow band the higher ones are all rounding, and large.
    """
    own = peak(images[suffix])
    bright = images.get(".image.tt0", images.get(".image"))
    if not suffix.startswith(".residual") or bright is None:
        return own
    return max(own, peak(bright) * peak(images[suffix.replace("residual", "psf")]))


def model_deviation(expected: Path, found: Path) -> float:
    """The largest difference between two MODEL_DATA columns, of the peak; 0 where neither has one."""
    columns = []
    for path in (expected, found):
        with casa.opened_table(str(path)) as table:
            columns.append(table.getcol("MODEL_DATA") if "MODEL_DATA" in table.colnames() else np.zeros(1))
    return float(np.abs(columns[0] - columns[1]).max() / (np.abs(columns[0]).max() or 1.0))


def compare(
    case: Case, workers: int, oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    here, there = folders
    for folder in folders:
        prepare(case, folder, dataset)
    expected = oracle.run([Call("tclean", call) for call in case.calls], here, LIMIT_S)
    how = {**case.own, "parallel": True, "nworkers": workers}
    found = candidate.run([Call("pclean", {**call, **how}) for call in case.calls], there, LIMIT_S)
    check_meaningful(case, here, expected)
    check_errors(case, "pclean", found)
    for one, other in zip(expected, found, strict=True):
        for key in ("iterdone", "stopcode", "nmajordone"):
            assert one.value.get(key) == other.value.get(key), key
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
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    compare(case, 2, oracle, candidate, folders, dataset)


@pytest.mark.parametrize(
    ("changes", "workers"), [({}, 1), ({"antenna": "0&1", "scan": "1"}, 3), ({**MOSAIC}, 5)], ids=["1", "few rows", "5"]
)
def test_any_number_of_workers_agrees_with_tclean(
    changes: dict, workers: int, oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    compare(Case("workers", ({**MFS, **changes, "weighting": "briggs"},)), workers, oracle, candidate, folders, dataset)
