"""pclean gives tclean's images and return dictionaries to the last bit: every row of the table in cases/."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pcleantask.processes.environment import MALLOC
from tests.agreement import matrix
from tests.agreement.cases import CASES, CUBE, MFS, Case
from tests.agreement.compare import (
    compare_products,
    compare_saved_models,
    differences,
    is_image,
    listing,
    peak,
    products,
)
from tests.agreement.runner import ONE_THREAD, Call, Outcome, TaskProcess

LIMIT_S = 180.0


@pytest.fixture(scope="module")
def oracle(session_dir: Path) -> Iterator[TaskProcess]:
    """A process for tclean alone; glibc's settings, which pclean makes by itself, save it a quarter of its time."""
    with TaskProcess(session_dir, environment={**ONE_THREAD, **MALLOC}) as process:
        yield process


@pytest.fixture(scope="module")
def candidate(session_dir: Path) -> Iterator[TaskProcess]:
    """A process for pclean alone."""
    with TaskProcess(session_dir) as process:
        yield process


@pytest.fixture
def folders(session_dir: Path) -> Iterator[tuple[Path, Path]]:
    """Empty folders for the two sides; they go with the test."""
    both = session_dir / "expected", session_dir / "found"
    for folder in both:
        folder.mkdir()
    yield both
    for folder in both:
        shutil.rmtree(folder)


def prepare(case: Case, folder: Path, dataset: Callable[[str], Path]) -> None:
    """Copy the data of the case into the folder, and write or make what else it needs."""
    for name in case.data:
        shutil.copytree(dataset(name), folder / f"{name}.ms")
    for name, text in case.files.items():
        (folder / name).write_text(text)
    if case.before is not None:
        case.before(folder)


def check_errors(case: Case, task: str, outcomes: list[Outcome]) -> None:
    """All calls ran; or the last one failed as the row says."""
    errors = [outcome.error for outcome in outcomes if outcome.error]
    if case.fails:
        assert len(outcomes) == len(case.calls), f"{task} failed too early: {errors[0]}"
        assert errors, f"{task} did not refuse the last call"
        assert case.fails in errors[0], f"{task} failed for another reason: {errors[0]}"
        assert task == "tclean" or "pcleantask.errors." in errors[0], f"the error has no name of ours: {errors[0]}"
    else:
        assert not errors, f"{task} failed: {errors[0]}"


def check_meaningful(case: Case, folder: Path, outcomes: list[Outcome]) -> None:
    """The oracle ran, stopped for the reason the row is there for, and made images that are not empty."""
    check_errors(case, "tclean", outcomes)
    last = outcomes[-1].value
    for key, value in case.expect.items():
        assert last[key] == value, f"the row wants {key} {value}, tclean gave {last[key]}"
    for call in case.calls[: -1 if case.fails else None]:
        made = products(folder, call["imagename"])
        cleaned = call["niter"] > 0 and call.get("nmajor") != 0 and case.expect.get("stopcode") != 7
        kinds = [".psf", *([".residual"] if call["niter"] >= 0 and call.get("calcres", True) else [])]
        kinds += [".model", ".mask"] if cleaned else []
        kinds = [".psf"] if case.empty else kinds
        for kind in kinds:
            images = [path for suffix, path in made.items() if suffix in (kind, f"{kind}.tt0") and is_image(path)]
            assert images, f"tclean made no {kind}"
            assert peak(images[0]) > 0, f"tclean's {kind} is empty"


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=[pytest.mark.long] if case.long else []) for case in CASES]
)
def test_pclean_equals_tclean_to_the_last_bit(
    case: Case,
    oracle: TaskProcess,
    candidate: TaskProcess,
    folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
    record_property: Callable[[str, object], None],
) -> None:
    here, there = folders
    for folder in folders:
        prepare(case, folder, dataset)
    oracle.send([Call("tclean", call) for call in case.calls], here)
    candidate.send([Call("pclean", {**call, **case.own}) for call in case.calls], there)
    expected, found = oracle.receive(LIMIT_S), candidate.receive(LIMIT_S)
    claim = "refused" if case.refused or case.fails else "same bits"
    matrix.noting(record_property, case.name, "serial", claim, here.parent)(expected, found)

    check_meaningful(case, here, expected)
    if case.refused:
        assert case.refused in found[-1].error
        return
    check_errors(case, "pclean", found)
    if case.fails and len(case.calls) == 1:
        return  # tclean leaves what it had made until then
    check_same(case, here, there, expected, found)


def check_same(case: Case, here: Path, there: Path, expected: Sequence[Outcome], found: Sequence[Outcome]) -> None:
    """All that two sides returned and left in their folders is the same, to the last bit."""
    problems = list(differences([one.value for one in expected], [one.value for one in found], "returned"))
    problems += differences(listing(here), listing(there), "files left")
    for name in images_in(here, case):
        problems += [f"{name}{line}" for line in compare_products(products(here, name), products(there, name))]
    for name in case.data:
        problems += compare_saved_models(here / f"{name}.ms", there / f"{name}.ms")
    assert not problems, f"{len(problems)} differences:\n" + "\n".join(problems)


def images_in(folder: Path, case: Case) -> list[str]:
    """Image names of the case, with those of an outlier file."""
    outliers = {path.name.removesuffix(".psf").removesuffix(".psf.tt0") for path in folder.glob("outlier*.psf*")}
    return [*case.imagenames, *sorted(outliers)]


@pytest.mark.parametrize("base", [pytest.param(MFS, id="mfs", marks=pytest.mark.long), pytest.param(CUBE, id="cube")])
def test_calls_in_one_process_do_not_affect_each_other(
    base: dict, folders: tuple[Path, Path], session_dir: Path, dataset: Callable[[str], Path]
) -> None:
    """Two calls of pclean and one of tclean, in any order: the iteration controller of CASA is one a process."""
    folder = folders[0]
    prepare(Case("order", (base,)), folder, dataset)
    sets = []
    for order in sorted(set(itertools.permutations(["pclean", "pclean", "tclean"]))):
        names = [f"{''.join(task[0] for task in order)}{number}" for number in range(3)]
        calls = [Call(task, {**base, "imagename": name}) for task, name in zip(order, names, strict=True)]
        with TaskProcess(session_dir) as process:
            outcomes = process.run(calls, folder, LIMIT_S)
        assert [outcome.error for outcome in outcomes] == ["", "", ""]
        sets += [(name, outcome.value) for name, outcome in zip(names, outcomes, strict=True)]
    first, *others = sets
    assert peak(folder / f"{first[0]}.model") > 0
    for name, value in others:
        problems = list(differences(first[1], value, f"{name} returned"))
        problems += compare_products(products(folder, first[0]), products(folder, name))
        assert not problems, f"{name} differs from {first[0]}:\n" + "\n".join(problems)
