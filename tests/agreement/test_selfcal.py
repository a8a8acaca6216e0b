"""Two rounds of self-calibration of real data: what pclean on two workers leads to is what tclean leads to.

3C 273 at 8 GHz with the VLA (C array, June 1989), from CASA's data. Each round images, saves the model in MODEL_DATA,
solves for gains and applies them; the next begins with the corrected data.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa
from tests.agreement.closeness import TOLERANCE, deviations, model_deviation, other_counts
from tests.agreement.compare import listing, peak, products, read_image
from tests.agreement.runner import Call, Outcome, TaskProcess

pytestmark = pytest.mark.long
LIMIT_S = 300.0
VIS = "3c273.ms"
TWO_WORKERS = {"parallel": True, "nworkers": 2}
SOLUTIONS = 1e-4  # relative in amplitude, in rad in phase
CORE = "circle[[128pix,128pix],8pix]"
QUIET = (slice(10, 246), slice(10, 60))  # pixels without a source

IMAGE: dict[str, Any] = {
    "vis": VIS,
    "imsize": 256,
    "cell": "0.6arcsec",
    "specmode": "mfs",
    "deconvolver": "mtmfs",
    "nterms": 1,
    "scales": [0, 6, 18],
    "weighting": "briggs",
    "robust": 0.0,
    "gain": 0.1,
}
FIRST = {**IMAGE, "imagename": "first", "niter": 200, "mask": CORE, "datacolumn": "data", "savemodel": "modelcolumn"}
SECOND = {**IMAGE, "imagename": "second", "niter": 500, "nsigma": 5.0, "usemask": "auto-multithresh"}
# The model of the image before goes to MODEL_DATA without another major cycle.
SAVE = {**SECOND, "niter": 0, "calcres": False, "calcpsf": False, "restoration": False, "savemodel": "modelcolumn"}
# Not down to the noise, where rounding decides which of two equal components is cleaned first.
LAST = {**SECOND, "imagename": "last", "niter": 200}
GAINS: dict[str, Any] = {"vis": VIS, "refant": "15", "gaintype": "G", "minsnr": 3.0}
PHASES = {**GAINS, "caltable": "phases.cal", "calmode": "p", "solint": "int"}
AMPLITUDES = {**GAINS, "caltable": "gains.cal", "calmode": "ap", "solint": "inf", "gaintable": ["phases.cal"]}
APPLY: dict[str, Any] = {"vis": VIS, "calwt": False, "applymode": "calonly"}

TABLES = ("phases.cal", "gains.cal")
IMAGES = ("first", "second", "last")


@dataclass(frozen=True)
class Side:
    """What one task has led to: its folder, and the outcomes of its images."""

    folder: Path
    images: list[Outcome]


def self_calibrate(imager: str, own: dict[str, Any], folder: Path, data: Path) -> Side:
    """Both rounds and the last image, in a process of their own."""
    folder.mkdir()
    shutil.copytree(data, folder / VIS)
    calls = [
        Call(imager, {**FIRST, **own}),
        Call("gaincal", PHASES),
        Call("applycal", {**APPLY, "gaintable": ["phases.cal"]}),
        Call(imager, {**SECOND, **own}),
        Call(imager, {**SAVE, **own}),
        Call("gaincal", AMPLITUDES),
        Call("applycal", {**APPLY, "gaintable": ["phases.cal", "gains.cal"]}),
        Call(imager, {**LAST, **own}),
    ]
    with TaskProcess(folder.parent) as process:
        outcomes = process.run(calls, folder, LIMIT_S)
    assert not outcomes[-1].error, f"call {len(outcomes)} with {imager}: {outcomes[-1].error}"
    images = [
        outcome
        for call, outcome in zip(calls, outcomes, strict=True)
        if call.task == imager and call.params["imagename"] in IMAGES
    ]
    return Side(folder, images)


@pytest.fixture(scope="module")
def sides(session_dir: Path) -> Iterator[tuple[Side, Side]]:
    """tclean's and pclean's."""
    place = session_dir / "selfcal"
    place.mkdir()
    fits = casa.load().ctsys.resolve("demo/3C273XC1.fits")
    with TaskProcess(place) as process:
        (outcome,) = process.run([Call("importuvfits", {"fitsfile": fits, "vis": VIS})], place)
    assert not outcome.error
    yield (
        self_calibrate("tclean", {}, place / "tclean", place / VIS),
        self_calibrate("pclean", TWO_WORKERS, place / "pclean", place / VIS),
    )
    shutil.rmtree(place)


def solutions(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Complex gains and flags of a calibration table."""
    with casa.opened_table(str(path)) as table:
        return table.getcol("CPARAM"), table.getcol("FLAG")


def noise(path: Path) -> float:
    """Standard deviation where there is no source [Jy/beam]."""
    return float(read_image(path).pixels[QUIET].std())


def test_loop_calibrates(sides: tuple[Side, Side]) -> None:
    """By tclean, as the measure of the rest: there are gains to find, and what isn't source falls."""
    folder = sides[0].folder
    gains, flags = solutions(folder / "phases.cal")
    assert np.angle(gains[~flags]).std() > 0.01
    gains, flags = solutions(folder / "gains.cal")
    assert np.abs(gains[~flags]).std() > 0.001
    assert all(peak(folder / f"{name}.image.tt0") > 10 for name in IMAGES)
    assert noise(folder / "last.image.tt0") < 0.2 * noise(folder / "first.image.tt0")


@pytest.mark.parametrize("name", TABLES)
def test_solutions_agree(sides: tuple[Side, Side], name: str) -> None:
    (expected, bad), (found, other_bad) = (solutions(side.folder / name) for side in sides)
    assert np.array_equal(bad, other_bad)
    ratio = found[~bad] / expected[~bad]
    assert ratio.size > 100
    assert np.abs(np.abs(ratio) - 1).max() <= SOLUTIONS
    assert np.abs(np.angle(ratio)).max() <= SOLUTIONS


def test_images_and_saved_model_agree(sides: tuple[Side, Side]) -> None:
    one, other = sides
    assert listing(one.folder) == listing(other.folder)
    for expected, found in zip(one.images, other.images, strict=True):
        assert other_counts(expected.value, found.value) == []
    problems = [
        f"{name}{line}"
        for name in IMAGES
        for line in deviations(products(one.folder, name), products(other.folder, name))
    ]
    assert not problems, "\n".join(problems)
    assert model_deviation(one.folder / VIS, other.folder / VIS) <= TOLERANCE
