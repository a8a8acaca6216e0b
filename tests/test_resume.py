"""A run that was killed and called again comes to the images and the dictionary of one that wasn't, to the last bit."""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import PcleanConfig, casa
from pcleantask.processes.environment import MALLOC
from pcleantask.runs.checkpoint import Checkpoint
from pcleantask.runs.folders import WorkFolders
from pcleantask.traits import GRIDDERS
from tests.agreement.cases import CASES, CUBE, MFS, MOSAIC, Case
from tests.agreement.closeness import TOLERANCE, limit, other_counts
from tests.agreement.compare import (
    compare_products,
    compare_saved_models,
    differences,
    is_image,
    listing,
    products,
    read_image,
)
from tests.agreement.killed import killed
from tests.agreement.runner import ONE_THREAD, Call, TaskProcess
from tests.agreement.test_agreement import check_errors, check_meaningful, check_same, folders, prepare

__all__ = ["folders"]  # a fixture
LIMIT_S = 400.0
SHORT = (  # the others need --all
    "mfs-hogbom",
    "mfs-mtmfs",
    "cube-hogbom",
    "cube-mosaic",
    "auto-cube-slow-noise-numpy",
    "outliers",
    "two-ms-lists",
    "restart-cube-from-dirty",
)
# Parameters whose every value, and others of which it matters that they are given, for cubes, continuum and mvc each.
VALUES = ("deconvolver", "usemask", "automaskengine", "savemodel", "restart", "calcres", "calcpsf")
GIVEN = ("startmodel", "outlierfile", "mask", "nsigma", "psfphasecenter")


def kinds_shown(case: Case) -> set[tuple[Any, ...]]:
    """What of a row matters to a run that goes on; coordinates, weights and selections don't."""
    call = {"specmode": "mfs", **case.calls[-1], **case.own}
    gridder = GRIDDERS[call.get("gridder", "standard")]
    shown = {
        *((name, str(call.get(name, ""))) for name in VALUES),
        *((name, bool(call.get(name))) for name in GIVEN),
        ("gridder", gridder.joins_pointings, gridder.projects_aperture, gridder.keeps_cache),
        ("several", len(case.calls) > 1, isinstance(call["vis"], list), call.get("stokes", "I") == "I"),
        ("another mask than before", len({entry.get("usemask", "user") for entry in case.calls}) > 1),
    }
    specmode = call["specmode"].removesuffix("data").removesuffix("source")
    return {(specmode, *kind) for kind in shown}


def resumable() -> Iterator[Case]:
    """Rows that show a kind which no row before has shown."""
    seen: set[tuple[Any, ...]] = set()
    for case in sorted(CASES, key=lambda case: case.name not in SHORT):
        kinds = kinds_shown(case)
        if not (case.refused or case.fails or case.calls[-1]["niter"] <= 0 or kinds <= seen):
            seen |= kinds
            yield case


RESUMABLE = {case.name: case for case in resumable()}


@pytest.fixture
def oracle(session_dir: Path) -> Iterator[TaskProcess]:
    """A new process for tclean, as runs that are killed have new ones: CASA remembers what it has imaged before."""
    with TaskProcess(session_dir, environment={**ONE_THREAD, **MALLOC}) as process:
        yield process


@pytest.fixture
def candidate(session_dir: Path) -> Iterator[TaskProcess]:
    with TaskProcess(session_dir) as process:
        yield process


@pytest.fixture
def same_as_tclean(
    oracle: TaskProcess,
    candidate: TaskProcess,
    folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
    session_dir: Path,
) -> Callable[[Case, list[str], list[int]], None]:
    """same_as_tclean(case, whens, workers): a case that is killed so, on so many workers, gives tclean's images."""
    here, there = folders

    def check(case: Case, whens: list[str], workers: list[int]) -> None:
        print(f"killed {whens}, on workers {workers}")  # noqa: T201  shown where the test fails
        mark = session_dir / "resumed.txt"
        mark.unlink(missing_ok=True)
        for folder in folders:
            prepare(case, folder, dataset)
        oracle.send([Call("tclean", call) for call in case.calls], here)
        calls = []
        for call in case.calls:
            # tclean loses the pixel mask of a cube of one channel in its second major cycle, whichever that is
            kills = whens if call.get("nchan") != 1 else []
            calls.append({"whens": kills, "parameters": [{**call, **case.own, **how(number)} for number in workers]})
        candidate.send([Call("resumed", call) for call in calls], there)
        expected, found = oracle.receive(LIMIT_S), candidate.receive(LIMIT_S)
        print(mark.read_text(encoding="utf-8") if mark.exists() else "not resumed")  # noqa: T201
        check_meaningful(case, here, expected)
        check_errors(case, "pclean", found)
        check_same(case, here, there, expected, found)

    return check


def how(workers: int) -> dict[str, object]:
    return {"parallel": True, "nworkers": workers} if workers else {}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[] if name in SHORT else [pytest.mark.long])
        for name, case in RESUMABLE.items()
    ],
)
def test_killed_run_that_is_called_again_gives_the_images_of_tclean(
    case: Case, same_as_tclean: Callable[[Case, list[str], list[int]], None]
) -> None:
    """Cubes are killed, and imaged to the end, on numbers of workers that are drawn; the seed is the row's name."""
    draw = random.Random(case.name)
    is_cube = case.calls[-1].get("specmode") in ("cube", "cubedata", "cubesource")
    workers = [draw.choice((0, 2, 3)) if is_cube else 0 for _ in range(3)]
    whens = [f"{draw.choice(('kept', 'cycle'))} {draw.choice((1, 2))}" for _ in range(2)]
    same_as_tclean(case, whens, workers)


@pytest.mark.parametrize("name", ["cube-hogbom", "outliers", "restart-cube-from-dirty"])
def test_run_killed_as_its_images_take_their_names_returns_what_it_had_to(
    name: str, same_as_tclean: Callable[[Case, list[str], list[int]], None]
) -> None:
    """Called again it does nothing else; it would clean on from its own images."""
    same_as_tclean(RESUMABLE[name], ["move 3"], [0, 0])


BY_DUCC = (
    "cube-hogbom",
    "auto-cube-slow-noise-numpy",
    "mfs-hogbom",
    "mfs-mtmfs",
    "cube-nsigma-full",
    "outliers",
    "cube-multiscale-bias",
)


@pytest.mark.parametrize("name", [*BY_DUCC[:2], *(pytest.param(name, marks=pytest.mark.long) for name in BY_DUCC[2:])])
def test_ducc_goes_on_to_its_own_images(
    name: str,
    oracle: TaskProcess,
    candidate: TaskProcess,
    folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
    session_dir: Path,
) -> None:
    case = next(case for case in CASES if case.name == name)
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


SUM_TOLERANCE = 1e-6  # of the peak, as threads add in another order each time; ten times that for spectral indices


@pytest.mark.long
@pytest.mark.parametrize(("deconvolver", "when", "cycle"), [("hogbom", "kept 1", 1), ("mtmfs", "cycle 3", 2)])
def test_sums_of_several_threads_stay_the_same_but_for_rounding(
    deconvolver: str,
    when: str,
    cycle: int,
    folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
    session_dir: Path,
) -> None:
    here, there = folders
    mark = session_dir / "resumed.txt"
    mark.unlink(missing_ok=True)
    for folder in folders:
        (folder / "continuum.ms").symlink_to(dataset("continuum"))
    call = {**MFS, "engine": "ducc", "deconvolver": deconvolver, "cycleniter": 20, "imsize": 256}
    with TaskProcess(session_dir, {"OMP_NUM_THREADS": "4"}) as process:
        expected = process.run([Call("pclean", call)], here, LIMIT_S)[0]
        found = process.run([Call("resumed", {"whens": [when], "parameters": [call] * 2})], there, LIMIT_S)[0]
    assert not expected.error + found.error
    assert mark.read_text(encoding="utf-8") == f"{cycle} \n"
    assert other_counts(expected.value, found.value) == []
    images = products(here, "img")
    for suffix, path in images.items():
        if is_image(path):
            worst = np.abs(read_image(path).pixels - read_image(products(there, "img")[suffix]).pixels).max()
            assert worst <= limit(suffix, images) * SUM_TOLERANCE / TOLERANCE, suffix


SMALL: dict[str, Any] = {
    **CUBE, "vis": "line.ms", "imagename": "img", "imsize": 64, "nchan": 3, "niter": 30, "cycleniter": 10
}  # fmt: skip
CONTINUUM: dict[str, Any] = {"specmode": "mfs", "start": "", "width": ""}
SAVED = {"savemodel": "modelcolumn"}
WORKERS = {"parallel": True, "nworkers": 2}
MOMENTS = 44
SHORT_MOMENTS = 3
KINDS: dict[str, dict[str, Any]] = {
    "cube": {},
    "cube, two workers": WORKERS,
    "cube, three workers": {"parallel": True, "nworkers": 3},
    "automask": {"usemask": "auto-multithresh", "sidelobethreshold": 0.6, "noisethreshold": 3.5, "nsigma": 2.0},
    "automask of CASA": {"usemask": "auto-multithresh", "automaskengine": "casa", "sidelobethreshold": 0.6},
    "ducc": {"engine": "ducc"},
    "ducc, automask": {"engine": "ducc", "usemask": "auto-multithresh", "sidelobethreshold": 0.6},
    "multiscale": {"deconvolver": "multiscale", "scales": [0, 3]},
    "ducc, multiscale": {"engine": "ducc", "deconvolver": "multiscale", "scales": [0, 3]},
    "mfs": CONTINUUM,
    "mtmfs": {**CONTINUUM, "deconvolver": "mtmfs", "nterms": 2},
    "mfs, two workers": {**CONTINUUM, **WORKERS},
    "mosaic": {**MOSAIC, **CONTINUUM},
    "mosaic, two workers": {**MOSAIC, **CONTINUUM, **WORKERS},
    "ducc, cube mosaic": {**MOSAIC, "nchan": 3, "start": "229.999GHz", "engine": "ducc"},
    "cube mosaic": {**MOSAIC, "nchan": 3, "start": "229.999GHz"},
    "cube mosaic, two workers": {**MOSAIC, "nchan": 3, "start": "229.999GHz", **WORKERS},
    "model saved": SAVED,
    "model saved late": {**SAVED, "nsigma": 2.0},
    "model saved, two workers": {**SAVED, **WORKERS},
    "model saved by ducc": {**SAVED, "engine": "ducc"},
    "mfs, model saved": {**SAVED, **CONTINUUM},
    "start model": {"startmodel": "first.model"},
    "start model, ducc": {"startmodel": "first.model", "engine": "ducc"},
    "start model, two workers": {"startmodel": "first.model", **WORKERS},
}
KIND_NAMES = random.Random(0).sample(sorted(KINDS), len(KINDS))  # so that neighbours, and the short ones, differ
NOT_GONE_ON_WITH: dict[str, tuple[dict[str, Any], Callable[[], object], str]] = {
    "a parameter": ({"gain": 0.15}, lambda: None, r"parameter iteration.gain is 0.15, was 0.2"),
    "resume": ({"resume": False}, lambda: None, r"^$"),
    "data": ({}, lambda: os.utime("line.ms/table.f1"), r"data set .*line.ms"),
    "a mask": (
        {},
        lambda: Path("box.crtf").write_text("#CRTFv0\nbox[[9pix,9pix],[50pix,50pix]]\n"),
        r"input .*box.crtf",
    ),
    "a former image": ({}, lambda: os.utime("img.model/table.f0"), r"former image .*img.model"),
}


@pytest.mark.parametrize("what", NOT_GONE_ON_WITH)
def test_another_call_starts_anew_and_says_why(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(dataset("line"), "line.ms")
    Path("box.crtf").write_text("#CRTFv0\nbox[[10pix,10pix],[50pix,50pix]]\n", encoding="utf-8")
    call = {**SMALL, "usemask": "user", "mask": "box.crtf"} if what != "a former image" else SMALL
    if what == "a former image":
        with TaskProcess(tmp_path) as process:
            assert not process.run([Call("pclean", {**call, "niter": 10})], tmp_path)[0].error
    assert killed("kept 1", call) is None
    changes, change, said = NOT_GONE_ON_WITH[what]
    change()
    checkpoint = started_with({**call, **changes})
    assert checkpoint.found is None
    assert re.search(said, checkpoint.refusal), checkpoint.refusal


def test_who_computes_makes_no_other_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("line.ms").symlink_to(dataset("line"))
    assert killed("kept 1", SMALL) is None
    checkpoint = started_with({**SMALL, "parallel": True, "nworkers": 3})
    assert (checkpoint.found is not None and checkpoint.found.cycle, checkpoint.refusal) == (1, "")


def started_with(call: dict[str, Any]) -> Checkpoint:
    """The checkpoint with which a call begins."""
    checkpoint = folders_of(call).checkpoint
    assert checkpoint is not None
    return checkpoint


def folders_of(call: dict[str, Any]) -> WorkFolders:
    """The folders of a call as it begins; they are given up."""
    folders = WorkFolders(PcleanConfig.from_parameters(**call))
    folders.create(lambda _: None, is_whole_run=True)
    folders.discard()
    return folders


@pytest.mark.parametrize("name", ["cube", "cube, two workers", "ducc", "mfs", "mtmfs", "mfs, two workers"])
def test_psf_is_not_made_again_wherever_a_cycle_was_cut(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path]
) -> None:
    """CASA writes the sums of weights anew in each major cycle; the run is killed after one that followed a keep."""
    monkeypatch.chdir(tmp_path)
    Path("line.ms").symlink_to(dataset("line"))
    call = {**SMALL, "cycleniter": 3, **KINDS[name]}
    assert killed("cycle 2", call) is None
    folders = folders_of(call)
    assert folders.checkpoint is not None and folders.checkpoint.found is not None
    assert folders.checkpoint.found.cycle == 1
    assert folders.psf is not None


def has_model(vis: Path) -> bool:
    """Whether a MeasurementSet has a model that isn't the one a new column is made with."""
    with casa.opened_table(str(vis)) as table:
        return "MODEL_DATA" in table.colnames() and bool((table.getcol("MODEL_DATA") != 1).any())


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[pytest.mark.long] if seed >= SHORT_MOMENTS else []) for seed in range(MOMENTS)]
)
def test_run_that_is_killed_at_any_moment_goes_on_to_the_same_images(
    seed: int,
    oracle: TaskProcess,
    candidate: TaskProcess,
    folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
    session_dir: Path,
) -> None:
    """One kill or two, at moments up to the end of the run, which the seed draws."""
    here, there = folders
    draw = random.Random(seed)
    name = KIND_NAMES[seed % len(KINDS)]
    call = {**SMALL, "niter": 300, "vis": "noisy.ms", "cycleniter": 30, **KINDS[name]}
    vis = call["vis"]
    for folder in folders:
        shutil.copytree(dataset(vis.removesuffix(".ms")), folder / vis)
    if "startmodel" in call:
        first = {**SMALL, "vis": vis, "imagename": "first", "nchan": call["nchan"]}
        assert not oracle.run([Call("pclean", first)], here, LIMIT_S)[0].error
        for path in here.glob("first.*"):
            shutil.copytree(path, there / path.name)
    mark = session_dir / "resumed.txt"
    mark.unlink(missing_ok=True)
    expected = oracle.run([Call("pclean", call)], here, LIMIT_S)
    assert not expected[0].error, expected[0].error
    assert "savemodel" not in call or has_model(here / vis)
    whens = [f"after {draw.uniform(0.05, 1.1 * expected[0].seconds + 0.5):.2f}" for _ in range(draw.choice((1, 2)))]
    print(f"seed {seed}: {name}, killed {whens}")  # noqa: T201  shown where the test fails
    found = candidate.run([Call("resumed", {"whens": whens, "parameters": [call] * 3})], there, LIMIT_S)
    print(mark.read_text(encoding="utf-8") if mark.exists() else "it was at its end")  # noqa: T201
    assert not found[0].error, found[0].error
    problems = list(differences([expected[0].value], [found[0].value], "returned"))
    problems += differences(listing(here), listing(there), "files left")
    problems += compare_products(products(here, "img"), products(there, "img"))
    problems += compare_saved_models(here / vis, there / vis)
    assert not problems, "\n".join(problems)
