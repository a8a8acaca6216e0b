"""Steps of SerialImager give what its `run` gives, in whatever order they are called; what can't be called is refused.

That `run` gives tclean's images is the claim of tests/agreement; here the run is the reference.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import PcleanConfig, SerialImager, casa
from pcleantask.errors import ImagingError, StepError
from pcleantask.parallel.plan import Plan
from pcleantask.parallel.team_runs import make_run
from tests.agreement.cases import AUTO, CUBE, MFS, OUTLIERS, WIDE
from tests.agreement.compare import compare_products, compare_saved_models, is_image, peak, products, read_image

Parameters = dict[str, Any]

SMALL = {"imsize": 64, "niter": 40, "cycleniter": 20, "pbcor": True}
SMALL_MFS = {**MFS, **SMALL}
SMALL_CUBE = {**CUBE, **SMALL, "nchan": 3, "start": "230.002GHz"}
DUCC = {"engine": "ducc"}
WORKERS = {"parallel": True, "nworkers": 2}
IDLE = {"minpsffraction": 2.0, "maxpsffraction": 2.0}  # the cycle threshold lies above the peak
NSIGMA = {"nsigma": 3.0}
BY_CASA = {"automaskengine": "casa"}
SLOW = {"fastnoise": False}
CLOSE = 0.03  # of the peak: what CASA's gridding makes of few visibilities, cleaned
# Name -> parameters, and the stop code of the run
KINDS: dict[str, tuple[Parameters, int]] = {
    "mfs-nmajor": ({**SMALL_MFS, "nmajor": 1}, 9),
    "mtmfs-masked": (
        {**SMALL_MFS, "deconvolver": "mtmfs", "nterms": 2, "mask": "circle[[32pix,32pix],8pix]"},
        1,
    ),
    "cube-automask-nsigma": ({**SMALL_CUBE, **AUTO, **NSIGMA}, 1),
    "ducc-cube-automask": ({**SMALL_CUBE, **AUTO, **DUCC}, 1),
    "cube-automask-workers": ({**SMALL_CUBE, **AUTO, **WORKERS}, 1),
    "automask-of-idle-minor-cycle": ({**SMALL_MFS, **AUTO, **IDLE}, 0),
    "diverging": ({**SMALL_MFS, "gain": 2.3, "niter": 200}, 5),
    "automask-empty": ({**SMALL_CUBE, **AUTO, "noisethreshold": 1e4}, 7),
}
LONG_KINDS: dict[str, tuple[Parameters, int]] = {
    "mfs": (SMALL_MFS, 1),
    "cube": (SMALL_CUBE, 1),
    "threshold": ({**SMALL_MFS, "threshold": "0.2Jy"}, 2),
    "mfs-automask": ({**SMALL_MFS, **AUTO}, 1),
    "mfs-automask-by-casa": ({**SMALL_MFS, **AUTO, **BY_CASA}, 1),
    "mfs-automask-nsigma": ({**SMALL_MFS, **AUTO, **NSIGMA}, 1),
    "mfs-automask-nsigma-by-casa": ({**SMALL_MFS, **AUTO, **NSIGMA, **BY_CASA}, 1),
    "cube-automask-by-casa": ({**SMALL_CUBE, **AUTO, **BY_CASA}, 1),
    "cube-automask-nsigma-by-casa": ({**SMALL_CUBE, **AUTO, **NSIGMA, **BY_CASA}, 1),
    "cube-automask-nsigma-slow-noise": ({**SMALL_CUBE, **AUTO, **NSIGMA, **SLOW}, 1),
    "cube-nsigma-slow-noise": ({**SMALL_CUBE, **NSIGMA, **SLOW}, 7),
    "pb-mask": ({**SMALL_MFS, "usemask": "pb", "pbmask": 0.7}, 1),
    "outlier-field": ({**MFS, **WIDE, **SMALL, "imsize": 72, "outlierfile": "outliers.txt"}, 1),
    "mvc": ({**SMALL_MFS, "specmode": "mvc", "deconvolver": "mtmfs", "nterms": 2, "nchan": 3}, 1),
    "ducc-mfs": ({**SMALL_MFS, **DUCC}, 1),
    "ducc-multiscale": ({**SMALL_MFS, "deconvolver": "multiscale", "scales": [0, 4], **DUCC}, 1),
    "ducc-nsigma": ({**SMALL_CUBE, **NSIGMA, **DUCC}, 1),
    "ducc-nsigma-slow-noise": ({**SMALL_CUBE, **NSIGMA, **SLOW, **DUCC}, 7),
    "ducc-idle": ({**SMALL_CUBE, **IDLE, **DUCC}, 0),
    "ducc-outlier-field": ({**MFS, **WIDE, **SMALL, "imsize": 72, "outlierfile": "outliers.txt", **DUCC}, 1),
    "cube-nsigma-workers": ({**SMALL_CUBE, **NSIGMA, **WORKERS}, 1),
    "automask-empty-workers": ({**SMALL_CUBE, **AUTO, "noisethreshold": 1e4, **WORKERS}, 7),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path]) -> Path:
    """The working folder, with the data as continuum.ms, line.ms and wide.ms."""
    monkeypatch.chdir(tmp_path)
    for name in ("continuum", "line", "wide"):
        (tmp_path / f"{name}.ms").symlink_to(dataset(name))
    (tmp_path / "outliers.txt").write_text(OUTLIERS)
    return tmp_path


def imager_of(folder: str, base: Parameters, **changes: Any) -> SerialImager:
    """An imager of `<folder>/img`."""
    outliers = Path("outliers.txt").read_text().replace("imagename=outlier", f"imagename={folder}/outlier")
    if "outlierfile" in base:
        changes["outlierfile"] = f"{folder}.txt"
        Path(f"{folder}.txt").write_text(outliers)
    config = PcleanConfig.from_parameters(**{**base, "imagename": f"{folder}/img", **changes})
    return SerialImager(config, run=make_run(config, Plan.of(config)))


def begin(imager: SerialImager) -> None:
    imager.setup()
    imager.make_psf()
    imager.make_pb()
    imager.run_major_cycle(is_first=True)


def clean_as_short_as_can_be(imager: SerialImager, cycles: int = 0) -> None:
    while not imager.has_converged():
        imager.run_minor_cycle()
        imager.run_major_cycle()


def clean_with_masks_updated_by_script(imager: SerialImager, cycles: int) -> None:
    """All that may be called between the cycles, and each question asked twice."""
    imager.update_masks()
    imager.update_masks()
    while not imager.has_converged():
        assert not imager.has_converged()
        imager.update_masks()
        if imager.run_minor_cycle():
            imager.run_major_cycle()
        imager.update_masks()
    assert imager.has_converged()


def clean_without_asking(imager: SerialImager, cycles: int) -> None:
    """As many cycles as `run` has done, and the question once, at the end."""
    for _ in range(cycles):
        imager.run_minor_cycle()
        imager.run_major_cycle()
    imager.has_converged()


ORDERS = [clean_as_short_as_can_be, clean_with_masks_updated_by_script, clean_without_asking]


@pytest.mark.parametrize(
    ("base", "stop_code"),
    [*KINDS.values(), *(pytest.param(*kind, marks=pytest.mark.long) for kind in LONG_KINDS.values())],
    ids=[*KINDS, *LONG_KINDS],
)
def test_steps_equal_run_to_last_bit_in_whatever_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch, base: Parameters, stop_code: int
) -> None:
    if "engine" in base:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")  # several threads of ducc0 sum up a continuum image as they come
    with imager_of("run", base) as imager:
        result = imager.run()
    assert result["stopcode"] == imager.stop_code == stop_code
    assert (result["iterdone"] > 0) == (stop_code not in (0, 7))
    for order in ORDERS:
        name = order.__name__
        imager = imager_of(name, base)
        begin(imager)
        order(imager, result["nmajordone"] - 1)
        imager.restore()
        imager.pbcor()
        imager.teardown()
        assert imager.stop_code == stop_code, name
        for field in ("img", "outlier") if "outlierfile" in base else ("img",):
            found = products(folder / name, field)
            assert {".psf", ".residual", ".model", ".image", ".mask"} <= {
                suffix.removesuffix(".tt0") for suffix in found
            }
            assert compare_products(products(folder / "run", field), found) == []


STEPS: list[Callable[[SerialImager], Any]] = [
    lambda imager: imager.setup(),
    lambda imager: imager.make_psf(),
    lambda imager: imager.make_pb(),
    lambda imager: imager.run_major_cycle(is_first=True),
    lambda imager: imager.has_converged(),
    lambda imager: imager.run_minor_cycle(),
    lambda imager: imager.run_major_cycle(),
    lambda imager: imager.restore(),
    lambda imager: imager.pbcor(),
]
MINOR_CYCLE = 5


def on_disk_after_each_step(engine: str, base: Parameters) -> list[dict[str, np.ndarray]]:
    """What a run that is driven by hand has on the disk: for each step, suffix -> pixels, 0 for NaN."""
    imager, found = imager_of(engine, {**base, "engine": engine}), []
    for step in STEPS:
        step(imager)
        there = products(Path(engine, "img.workdirectory"), "img")
        images = {suffix: path for suffix, path in there.items() if is_image(path)}
        found.append({suffix: np.nan_to_num(read_image(path).pixels) for suffix, path in images.items()})
    imager.teardown()
    return found


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("base", [SMALL_CUBE, SMALL_MFS], ids=["cube", "mfs"])
def test_after_each_step_the_disk_has_what_it_made(base: Parameters) -> None:
    """With engine='ducc', whose images are in memory as long as they may be, as with CASA's.

    But .residual after a minor cycle, which in memory leaves it as it was.
    """
    casas, duccs = (on_disk_after_each_step(engine, base) for engine in ("casa", "ducc"))
    for number, (theirs, ours) in enumerate(zip(casas, duccs, strict=True)):
        assert ours.keys() - theirs.keys() <= {".pb"}, number  # ducc makes it with the PSF
        for suffix in theirs.keys() - ({".residual"} if number == MINOR_CYCLE else set()):
            off = abs(theirs[suffix] - ours[suffix]).max()
            assert off <= CLOSE * abs(theirs[suffix]).max(), (suffix, number)
    assert {".psf", ".pb", ".residual", ".model", ".image", ".image.pbcor"} <= {
        suffix for suffix, pixels in casas[-1].items() if pixels.any()
    }


REFUSED: dict[str, Callable[[SerialImager], Any]] = {
    "second setup": lambda imager: imager.setup(),
    "minor cycle without controls": lambda imager: imager.run_minor_cycle({}),
    "wrong argument": lambda imager: imager.run_major_cycle(first=True),  # type: ignore[call-arg]
    "pbcor before restore": lambda imager: imager.pbcor(),
}
REFUSED_WITHOUT_RESIDUAL: dict[str, Callable[[SerialImager], Any]] = {
    "primary beam before PSF": lambda imager: imager.make_pb(),
    "residual before PSF": lambda imager: imager.run_major_cycle(is_first=True),
    "convergence": lambda imager: imager.has_converged(),
    "masks": lambda imager: imager.update_masks(),
    "records": lambda imager: imager.init_records(),
    "minor cycle": lambda imager: imager.run_minor_cycle(),
    "restoration": lambda imager: imager.restore(),
}


def test_refused_calls_are_no_failures_and_leave_no_trace(folder: Path) -> None:
    base = {**SMALL_CUBE, **AUTO, **DUCC}
    with imager_of("run", base) as imager:
        assert imager.run()["iterdone"] > 0
    imager = imager_of("refused", base)
    imager.setup()
    for call in (*REFUSED.values(), *REFUSED_WITHOUT_RESIDUAL.values()):
        with pytest.raises((StepError, TypeError)):
            call(imager)
    imager.make_psf()
    imager.make_pb()
    with pytest.raises(StepError, match="has_converged can't run before run_major_cycle"):
        imager.has_converged()
    imager.run_major_cycle(is_first=True)
    while not imager.has_converged():
        for call in REFUSED.values():
            with pytest.raises((StepError, TypeError)):
                call(imager)
        imager.run_minor_cycle()
        for early in (imager.run_minor_cycle, imager.has_converged, imager.init_records):
            with pytest.raises(StepError, match="model isn't subtracted from the data yet: call run_major_cycle"):
                early()
        imager.run_major_cycle()
    imager.restore()
    imager.pbcor()
    assert not imager.failed
    imager.teardown()
    assert compare_products(products(folder / "run", "img"), products(folder / "refused", "img")) == []


@pytest.mark.parametrize("is_restored", [True, False])
def test_model_of_last_minor_cycle_is_subtracted_where_the_engine_leaves_that_to_the_major_cycle(
    folder: Path, is_restored: bool
) -> None:
    """Found as a bug: the residual was published as zeros."""
    for name in ("left out", "done"):
        imager = imager_of(name, {**SMALL_CUBE, **DUCC})
        begin(imager)
        assert imager.run_minor_cycle()
        if name == "done":
            imager.run_major_cycle()
        if is_restored:
            imager.restore()
        imager.teardown()
    assert peak(folder / "done/img.residual") > 0.1
    assert compare_products(products(folder / "done", "img"), products(folder / "left out", "img")) == []


def test_minor_cycle_that_does_nothing_leaves_residual_and_image_as_they_were(folder: Path) -> None:
    """Found as a bug: with engine='ducc' those of a cube were published as zeros, and the stop code was 2."""
    results = []
    for name, engine in (("casa", {}), ("ducc", DUCC)):
        with imager_of(name, {**SMALL_CUBE, **IDLE, **engine}) as imager:
            results.append(imager.run())
        assert (results[-1]["stopcode"], results[-1]["iterdone"], results[-1]["nmajordone"]) == (0, 0, 1)
    for kind in ("residual", "image"):
        levels = [peak(folder / f"{name}/img.{kind}") for name in ("casa", "ducc")]
        assert levels[0] > 0.5
        assert levels[1] == pytest.approx(levels[0], rel=1e-3)


def test_question_without_iteration_control_is_refused_and_dirty_image_published(folder: Path) -> None:
    imager = imager_of("dirty", {**SMALL_MFS, "niter": 0})
    begin(imager)
    with pytest.raises(StepError, match="no iteration control: niter is 0"):
        imager.has_converged()
    with pytest.raises(StepError, match="no iteration control: niter is 0"):
        imager.run_minor_cycle()
    imager.restore()
    imager.teardown()
    assert {".psf", ".residual", ".image"} < products(folder / "dirty", "img").keys()


def test_restoration_is_refused_where_there_is_no_deconvolver(folder: Path) -> None:
    imager = imager_of("dirty", {**SMALL_MFS, "niter": 0, "restoration": False, "pbcor": False})
    begin(imager)
    with pytest.raises(StepError, match="no deconvolvers, as niter is 0 and restoration False"):
        imager.restore()
    imager.teardown()
    assert ".residual" in products(folder / "dirty", "img")


def test_failing_step_is_a_failure_still(folder: Path) -> None:
    imager = imager_of("broken", SMALL_MFS)
    begin(imager)
    imager.has_converged()
    with pytest.raises(ImagingError, match="running a minor cycle"):
        imager.run_minor_cycle(
            {"cycleniter": "many", "cyclethreshold": 0.0, "loopgain": 0.1, "nsigma": 0.0, "thresholdreached": False}
        )
    assert imager.failed
    imager.teardown()
    assert products(folder / "broken", "img").keys() == {".workdirectory"}


def test_question_answered_by_another_limit_of_major_cycles_goes_on_as_run_does(folder: Path) -> None:
    """A stop that is not the last one puts no mask back: the next minor cycle wants the newer one."""
    base = {**SMALL_CUBE, **AUTO}
    with imager_of("run", base) as imager:
        assert imager.run()["nmajordone"] > 2
    imager = imager_of("limited", base)
    begin(imager)
    for limit in (0, 1, -1):
        while not imager.has_converged(limit):
            imager.run_minor_cycle()
            imager.run_major_cycle()
        assert imager.stop_code == (1 if limit < 0 else 9)
    imager.restore()
    imager.pbcor()
    imager.teardown()
    assert compare_products(products(folder / "run", "img"), products(folder / "limited", "img")) == []


@pytest.mark.parametrize("is_step_left_out", [False, True])
def test_final_model_is_saved_by_steps_as_by_run(
    folder: Path, dataset: Callable[[str], Path], is_step_left_out: bool
) -> None:
    base = {**SMALL_CUBE, **AUTO, "savemodel": "modelcolumn"}
    for name in ("run", "steps"):
        shutil.copytree(dataset("line"), f"{name}.ms")
    with imager_of("run", base, vis="run.ms") as imager:
        assert imager.run()["iterdone"] > 0
    imager = imager_of("steps", base, vis="steps.ms")
    begin(imager)
    clean_as_short_as_can_be(imager)
    if not is_step_left_out:
        imager.predict_model()
        with pytest.raises(StepError, match="can't run after predict_model"):
            imager.run_major_cycle()
    imager.restore()
    imager.pbcor()
    imager.teardown()
    assert compare_saved_models(folder / "run.ms", folder / "steps.ms") == []
    assert compare_products(products(folder / "run", "img"), products(folder / "steps", "img")) == []


@pytest.mark.parametrize("kind", [{}, pytest.param(WORKERS, marks=pytest.mark.long)], ids=["serial", "workers"])
def test_final_model_is_saved_where_the_end_was_not_foreseen(
    folder: Path, dataset: Callable[[str], Path], kind: Parameters
) -> None:
    """tclean leaves the model that it began with; here it is what a call of its own saves from the final one."""
    limited = {**SMALL_CUBE, **kind, "nmajor": 1}
    for name in ("run", "after"):
        shutil.copytree(dataset("line"), f"{name}.ms")
    with imager_of("run", limited, vis="run.ms", savemodel="modelcolumn") as imager:
        assert imager.run()["stopcode"] == 9
    for changes in ({}, {"niter": 0, "calcres": False, "calcpsf": False, "savemodel": "modelcolumn"}):
        with imager_of("after", {**limited, **changes}, vis="after.ms") as imager:
            imager.run()
    models = []
    for name in ("run.ms", "after.ms"):
        with casa.opened_table(name) as table:
            models.append(table.getcol("MODEL_DATA"))
    near = models[0] != 1  # major cycles leave what a new column is made with in channels beyond the cube's
    assert near.any()
    assert np.abs(models[0][near]).max() > 0.1
    assert (models[0][near] == models[1][near]).all()
