"""A run that was killed and called again comes to the images and the dictionary of one that wasn't, to the last bit."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pcleantask.processes.environment import MALLOC
from tests.agreement.cases import CASES, Case
from tests.agreement.runner import ONE_THREAD, Call, TaskProcess
from tests.agreement.test_agreement import check_errors, check_meaningful, check_same, folders, prepare

__all__ = ["folders"]  # a fixture
LIMIT_S = 400.0
RESUMABLE = [case for case in CASES if not (case.refused or case.fails) and case.calls[-1]["niter"] > 0]


@pytest.fixture
def oracle(session_dir: Path) -> Iterator[TaskProcess]:
    """A new process for tclean, as runs that are killed have new ones: CASA remembers what it has imaged before."""
    with TaskProcess(session_dir, environment={**ONE_THREAD, **MALLOC}) as process:
        yield process


@pytest.fixture
def candidate(session_dir: Path) -> Iterator[TaskProcess]:
    with TaskProcess(session_dir) as process:
        yield process


def how(workers: int) -> dict[str, object]:
    return {"parallel": True, "nworkers": workers} if workers else {}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=[pytest.mark.long] if case.long else []) for case in RESUMABLE]
)
def test_killed_run_that_is_called_again_gives_the_images_of_tclean(
    case: Case,
    oracle: TaskProcess,
    candidate: TaskProcess,
    folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
    session_dir: Path,
) -> None:
    """Cubes are killed, and imaged to the end, on numbers of workers that are drawn; the seed is the row's name."""
    here, there = folders
    for folder in folders:
        prepare(case, folder, dataset)
    draw = random.Random(case.name)
    is_cube = case.calls[-1].get("specmode") in ("cube", "cubedata", "cubesource")
    workers = [draw.choice((0, 2, 3)) if is_cube else 0 for _ in range(3)]
    whens = [f"{draw.choice(('kept', 'cycle'))} {draw.choice((1, 2))}" for _ in range(2)]
    print(f"killed {whens}, on workers {workers}")  # noqa: T201  shown where the test fails
    mark = session_dir / "resumed.txt"
    mark.unlink(missing_ok=True)
    oracle.send([Call("tclean", call) for call in case.calls], here)
    calls = [
        {"whens": whens, "parameters": [{**call, **case.own, **how(number)} for number in workers]}
        for call in case.calls
    ]
    candidate.send([Call("resumed", call) for call in calls], there)
    expected, found = oracle.receive(LIMIT_S), candidate.receive(LIMIT_S)
    print(mark.read_text(encoding="utf-8") if mark.exists() else "not resumed")  # noqa: T201
    check_meaningful(case, here, expected)
    check_errors(case, "pclean", found)
    check_same(case, here, there, expected, found)


@pytest.mark.parametrize("name", ["cube-hogbom", "outliers", "restart-cube-from-dirty"])
def test_run_killed_as_its_images_take_their_names_returns_what_it_had_to(
    name: str,
    oracle: TaskProcess,
    candidate: TaskProcess,
    folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:
    """Called again it does nothing else; it would clean on from its own images."""
    case = next(case for case in RESUMABLE if case.name == name)
    here, there = folders
    for folder in folders:
        prepare(case, folder, dataset)
    oracle.send([Call("tclean", call) for call in case.calls], here)
    calls = [{"whens": ["move 3"], "parameters": [{**call, **case.own}] * 2} for call in case.calls]
    candidate.send([Call("resumed", call) for call in calls], there)
    expected, found = oracle.receive(LIMIT_S), candidate.receive(LIMIT_S)
    check_errors(case, "pclean", found)
    check_same(case, here, there, expected, found)


BY_DUCC = ("cube-hogbom", "auto-cube-slow-noise-numpy", "mfs-hogbom", "mfs-mtmfs", "cube-nsigma-full", "outliers")


@pytest.mark.parametrize("name", BY_DUCC)
def test_ducc_goes_on_to_its_own_images(
    name: str,
    oracle: TaskProcess,
    candidate: TaskProcess,
    folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
    session_dir: Path,
) -> None:
    case = next(case for case in RESUMABLE if case.name == name)
    here, there = folders
    for folder in folders:
        prepare(case, folder, dataset)
    mark = session_dir / "resumed.txt"
    mark.unlink(missing_ok=True)
    call = {**case.calls[-1], **case.own, "engine": "ducc"}
    expected = oracle.run([Call("pclean", call)], here, LIMIT_S)
    found = candidate.run([Call("resumed", {"whens": ["kept 1", "kept 1"], "parameters": [call] * 3})], there, LIMIT_S)
    check_errors(case, "pclean", [*expected, *found])
    assert mark.read_text(encoding="utf-8") == "2 \n"
    check_same(case, here, there, expected, found)
