"""ALMA's pipeline gets from pclean what it gets from tclean, in both of its steps: images, masks and what it reads."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.agreement.almapipeline import TARGETS, Target, attach_ephemeris, copy_products, dress, image
from tests.agreement.closeness import deviations, minor_cycle_deviations, other_counts
from tests.agreement.compare import compare_products, differences, listing, peak, products, read_image
from tests.agreement.runner import Call, Outcome, TaskProcess

LIMIT_S = 180.0
SUMWT = 1e-5
# Of engine='ducc' from tclean, of the peak where the primary beam is above 0.5: dirty images, cleaned ones; and how
# much of the masks both have. In mosaics it is tclean that is off (tests/gridding/ducc/mosaic): the beam's flux.
NEAR = {
    "single": {"dirty": 2e-3, "cleaned": 2e-3, "masks": 1.0},
    "mosaic": {"dirty": 2e-2, "cleaned": 4e-2, "masks": 0.7},
}
ONE_PROCESS: dict[str, Any] = {}
TWO_WORKERS = {"parallel": True, "nworkers": 2}


@dataclass(frozen=True)
class Imaged:
    """A target as tclean images it: the folder has its images and data, `returned` what each step gave."""

    target: Target
    folder: Path
    returned: list[dict[str, Any]]


def image_target(target: Target, task: str, own: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Do all steps with a task, in a process of its own; what it returned."""
    returned: list[dict[str, Any]] = []
    with TaskProcess(folder.parent) as process:
        for number, step in enumerate(target.steps()):
            if number:
                copy_products(folder, number - 1)
            outcome: Outcome = process.run([Call(task, {**step, **own})], folder, LIMIT_S)[0]
            assert not outcome.error, f"{task} failed in step {number}: {outcome.error}"
            returned.append(outcome.value)
    return returned


@pytest.fixture(scope="module")
def pipeline_data(session_dir: Path, dataset: Callable[[str], Path]) -> Iterator[Callable[[Target], list[Path]]]:
    """pipeline_data(target) are its data, as ALMA would write them: intents, and the path of what moves."""
    folder = session_dir / "pipeline_data"

    def made(target: Target) -> list[Path]:
        paths = [folder / f"{name}.ms" for name in target.data]
        for path in paths:
            if not path.exists():
                shutil.copytree(dataset(path.stem), path)
                dress(path)
                if path.stem == "planet":
                    attach_ephemeris(path)
        return paths

    yield made
    shutil.rmtree(folder)


def furnished(folder: Path, data: list[Path]) -> Path:
    """The folder, made, with links to the data."""
    folder.mkdir(parents=True)
    for path in data:
        (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(
    scope="module",
    params=[pytest.param(target, id=target.name, marks=[pytest.mark.long] * target.long) for target in TARGETS],
)
def by_tclean(
    request: pytest.FixtureRequest, session_dir: Path, pipeline_data: Callable[[Target], list[Path]]
) -> Iterator[Imaged]:
    """A target, imaged by tclean; the images go when its tests are done."""
    target: Target = request.param
    folder = furnished(session_dir / "pipeline" / "tclean", pipeline_data(target))
    yield Imaged(target, folder, image_target(target, "tclean", {}, folder))
    shutil.rmtree(folder.parent)


def check_meaningful(expected: Imaged) -> None:
    """The dirty image has a source; the clean stopped as it should, with a mask and a model unless that is the case."""
    folder, target = expected.folder, expected.target
    term = ".tt0" if target.changes.get("deconvolver") == "mtmfs" else ""
    assert expected.returned[1]["stopcode"] == target.stopcode
    assert peak(folder / f"{image(0)}.residual{term}") > 0.1
    assert not (folder / f"{image(0)}.image{term}").exists()
    cleaned = target.stopcode != 7
    assert (expected.returned[1]["iterdone"] > 0) == cleaned
    assert (peak(folder / f"{image(1)}.mask") > 0) == cleaned
    assert (peak(folder / f"{image(1)}.model{term}") > 0) == cleaned
    assert peak(folder / f"{image(1)}.image{term}.pbcor") > 0.1


@pytest.mark.parametrize("own", [ONE_PROCESS, TWO_WORKERS], ids=["one process", "two workers"])
def test_pipeline_gets_what_tclean_gives(by_tclean: Imaged, own: dict[str, Any]) -> None:
    check_meaningful(by_tclean)
    target, here = by_tclean.target, by_tclean.folder
    data = [path.resolve() for path in here.glob("*.ms")]
    there = furnished(here.parent / f"pclean {len(own)}", data)
    returned = image_target(target, "pclean", own, there)
    problems = list(differences(listing(here), listing(there), "files left"))
    exact = target.is_cube or not own
    for number, (one, other) in enumerate(zip(by_tclean.returned, returned, strict=True)):
        name = image(number)
        expected, found = products(here, name), products(there, name)
        if exact:
            lines = [*differences(one, other, "returned"), *compare_products(expected, found)]
        else:
            lines = [*other_counts(one, other), *deviations(expected, found)]
            lines += minor_cycle_deviations(one["summaryminor"], other["summaryminor"], "summaryminor")
        problems += [f"step {number}: {line}" for line in lines]
    assert not problems, f"{len(problems)} differences:\n" + "\n".join(problems)


def far(expected: dict[str, Path], found: dict[str, Path], suffix: str, where: np.ndarray) -> float:
    """The largest difference of two images there, of the peak."""
    difference = abs(read_image(expected[suffix]).pixels - read_image(found[suffix]).pixels)
    return float(difference[where].max(initial=0.0)) / (peak(expected[suffix]) or 1.0)


def overlap(expected: Path, found: Path) -> float:
    """How much of two masks both have; 1 where they are the same."""
    masks = [read_image(path).pixels > 0 for path in (expected, found)]
    either = (masks[0] | masks[1]).sum()
    return float((masks[0] & masks[1]).sum() / either) if either else 1.0


@pytest.mark.long
def test_pipeline_gets_as_much_from_another_engine(by_tclean: Imaged) -> None:
    """Where ducc images, dirty images are near tclean's, and cleaned ones come to its end; else all is the same."""
    target, here = by_tclean.target, by_tclean.folder
    there = furnished(here.parent / "auto", [path.resolve() for path in here.glob("*.ms")])
    returned = image_target(target, "pclean", {"engine": "auto"}, there)
    assert {entry.get("engine", "casa") for entry in returned} == {"casa" if "moving" in target.name else "ducc"}
    is_mosaic = target.changes.get("gridder") == "mosaic"
    allowed = NEAR["mosaic" if is_mosaic else "single"]
    term = ".tt0" if target.changes.get("deconvolver") == "mtmfs" else ""
    for number, (one, other) in enumerate(zip(by_tclean.returned, returned, strict=True)):
        expected, found = products(here, image(number)), products(there, image(number))
        assert expected.keys() == found.keys()
        if other.get("engine", "casa") == "casa":
            assert compare_products(expected, found) == []
            continue
        assert one.get("stopcode") == other.get("stopcode")
        assert is_mosaic or other_counts(one, other) == []
        within = read_image(expected[f".pb{term}"]).pixels > 0.5
        dirty, cleaned = (f".psf{term}", f".pb{term}", f".residual{term}"), (f".image{term}", f".image{term}.pbcor")
        distances = {suffix: far(expected, found, suffix, within) for suffix in (cleaned if number else dirty)}
        assert max(distances.values()) < allowed["cleaned" if number else "dirty"], distances
        sums = [read_image(images[f".sumwt{term}"]).pixels for images in (expected, found)]
        np.testing.assert_allclose(sums[1], sums[0], rtol=SUMWT)
        if number:
            assert overlap(expected[".mask"], found[".mask"]) >= allowed["masks"]
