"""Deconvolver alone, on images on disk, does what casatasks' deconvolve does, to the last bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pcleantask import Deconvolver, PcleanConfig, SerialImager
from pcleantask.errors import ImagingError, MissingInputError, ParameterError
from pcleantask.toolrecords import Record, to_casa_decpars, to_casa_iterpars
from tests.agreement.cases import AUTO, CRTF, CUBE, MFS
from tests.agreement.compare import compare_products, differences, peak, products
from tests.agreement.runner import Call, TaskProcess

Parameters = dict[str, Any]

LIMIT_S = 120.0
SMALL_CUBE = {**CUBE, "nchan": 3, "start": "230.002GHz"}
DIRTY = {"niter": 0, "restoration": False, "pbcor": False}
ASKED = {"niter": 80, "gain": 0.2}  # of both sides
# Name -> parameters of the dirty images, of the deconvolution, and what of the result the row is there for
CASES: dict[str, tuple[Parameters, Parameters, Parameters]] = {
    "hogbom": (MFS, {}, {"stopcode": 1}),
    "threshold": (MFS, {"threshold": 0.2}, {"stopcode": 2}),
    "threshold-quantity-fullsummary": (MFS, {"threshold": "200mJy", "fullsummary": True}, {"stopcode": 2}),
    "multiscale": (MFS, {"deconvolver": "multiscale", "scales": [0, 4, 10], "smallscalebias": 0.2}, {"iterdone": 80}),
    "mtmfs": ({**MFS, "deconvolver": "mtmfs", "nterms": 2}, {"deconvolver": "mtmfs", "nterms": 2}, {"iterdone": 80}),
    "cube": (SMALL_CUBE, {}, {"stopcode": 1}),
    "cube-mask": (SMALL_CUBE, {"mask": "ours/region.crtf", "threshold": 0.1, "niter": 500}, {"stopcode": 2}),
    "mask-string": (MFS, {"mask": "circle[[50pix,50pix],6pix]"}, {"stopcode": 1}),
    "pbmask": (MFS, {"usemask": "pb", "pbmask": 0.7}, {"stopcode": 1}),
    "automask": (SMALL_CUBE, {**AUTO, "nsigma": 3.0}, {"stopcode": 0}),
    "nothing-to-do": (MFS, {"threshold": 5.0}, {"stopcode": 3, "iterdone": 0}),
    "no-iterations": (MFS, {"niter": 0}, {"stopcode": 3, "iterdone": 0}),
}


@pytest.fixture(scope="module")
def oracle(session_dir: Path) -> Iterator[TaskProcess]:
    with TaskProcess(session_dir) as process:
        yield process


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path]) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("continuum", "line"):
        (tmp_path / f"{name}.ms").symlink_to(dataset(name))
    return tmp_path


def make_dirty(base: Parameters, folders: list[Path]) -> None:
    """Dirty images named img in each of the folders, the same in all."""
    with SerialImager(PcleanConfig.from_parameters(**{**base, **DIRTY, "imagename": "img"})) as imager:
        imager.run()
    for folder in folders:
        folder.mkdir()
        (folder / "region.crtf").write_text(CRTF)
        for path in products(Path(), "img").values():
            shutil.copytree(path, folder / path.name)


def records(base: Parameters, asked: Parameters) -> tuple[Record, Record]:
    """decpars and iterpars for images that are to be found as ours/img."""
    asked = {**ASKED, "minpsffraction": 0.1, **asked}  # deconvolve has no such parameter, and reports this value
    config = PcleanConfig.from_parameters(**{**base, "cycleniter": -1, **asked, "imagename": "img"})
    decpars = to_casa_decpars(config, config.fields[0], "elsewhere", 0)
    return decpars, to_casa_iterpars(config, ("ours/img",))


@pytest.mark.parametrize(("base", "asked", "expected"), CASES.values(), ids=CASES)
def test_clean_and_restore_equal_deconvolve(
    folder: Path, oracle: TaskProcess, base: Parameters, asked: Parameters, expected: Parameters
) -> None:
    make_dirty(base, [folder / "theirs", folder / "ours"])
    (folder / "theirs/ours").symlink_to(folder / "ours")
    oracle.send([Call("deconvolve", {**ASKED, **asked, "imagename": "img"})], folder / "theirs")
    deconvolver = Deconvolver("ours/img", *records(base, asked))
    found = deconvolver.clean()
    deconvolver.restore()
    deconvolver.close()
    outcome = oracle.receive(LIMIT_S)[0]

    assert outcome.error == ""
    assert {key: found[key] for key in expected} == expected
    assert list(differences({"stopDescription": found["stopDescription"], **outcome.value}, found)) == []
    assert (found["iterdone"] > 0) == (expected.get("iterdone") != 0)
    if found["iterdone"]:
        term = ".tt0" if (folder / "ours/img.model.tt0").is_dir() else ""
        assert peak(folder / f"ours/img.model{term}") > 0.1
        assert peak(folder / f"ours/img.residual{term}") < 0.9 * peak(folder / f"img.residual{term}")
    made = products(folder / "ours", "img")
    assert {".mask", ".image", ".image.tt0"} & made.keys()
    theirs = products(folder / "theirs", "img")
    theirs.pop(".prev.mask", None)  # a copy of the automask, which deconvolve leaves behind
    assert compare_products(theirs, made) == []


def test_second_clean_goes_on_from_first_as_deconvolve_does(folder: Path, oracle: TaskProcess) -> None:
    make_dirty(SMALL_CUBE, [folder / "theirs", folder / "ours"])
    oracle.send([Call("deconvolve", {**ASKED, "imagename": "img"})] * 2, folder / "theirs")
    levels = []
    for _ in range(2):
        deconvolver = Deconvolver("ours/img", *records(SMALL_CUBE, {}))
        deconvolver.clean()
        deconvolver.restore()
        deconvolver.close()
        levels.append(peak(folder / "ours/img.residual"))
    assert [outcome.error for outcome in oracle.receive(LIMIT_S)] == ["", ""]
    assert levels[1] != levels[0]
    assert compare_products(products(folder / "theirs", "img"), products(folder / "ours", "img")) == []


def test_clean_without_iterpars_raises_parameter_error(folder: Path) -> None:
    make_dirty(MFS, [folder / "ours"])
    decpars, _ = records(MFS, {})
    deconvolver = Deconvolver("ours/img", {**decpars, "noRequireSumwt": True})
    with pytest.raises(ParameterError, match="needs iterpars, got None; give them to the constructor"):
        deconvolver.clean()
    deconvolver.close()


def test_missing_images_are_named_and_not_made(folder: Path) -> None:
    deconvolver = Deconvolver("nothing/here", *records(MFS, {}))
    with pytest.raises(MissingInputError, match=r"needs nothing/here\.psf, nothing/here\.residual, of which"):
        deconvolver.clean()
    deconvolver.close()
    assert not (folder / "nothing").exists()


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, "psf"),
        ({"nsigma": 3.0}, "pb"),
        ({"usemask": "pb", "pbmask": 0.5}, "pb"),
        ({"deconvolver": "mtmfs", "nterms": 2}, "psf.tt2"),
        ({"deconvolver": "mtmfs", "nterms": 2}, "residual.tt1"),
    ],
)
def test_any_missing_image_is_named(folder: Path, changes: Parameters, missing: str) -> None:
    make_dirty({**MFS, **changes, "nsigma": 0.0}, [folder / "ours"])
    shutil.rmtree(folder / f"ours/img.{missing}")
    before = products(folder / "ours", "img").keys()
    deconvolver = Deconvolver("ours/img", *records(MFS, changes))
    with pytest.raises(MissingInputError, match=rf"of which ours/img\.{missing} can't be found"):
        deconvolver.clean()
    deconvolver.close()
    assert products(folder / "ours", "img").keys() == before


def test_pbcor_before_restore_is_an_error_rather_than_nothing(folder: Path) -> None:
    make_dirty(MFS, [folder / "ours"])
    deconvolver = Deconvolver("ours/img", *records(MFS, {}))
    with pytest.raises(MissingInputError, match=r"needs ours/img\.image, .*call restore first"):
        deconvolver.pbcor()
    deconvolver.restore()
    deconvolver.pbcor()
    deconvolver.close()
    assert ".image.pbcor" in products(folder / "ours", "img")


def test_records_left_out_or_mixed_up_are_named() -> None:
    decpars, iterpars = records(MFS, {})
    for wrong in ({}, iterpars, None, "hogbom"):
        with pytest.raises(ParameterError, match=r"decpars must be a record of toolrecords\.to_casa_decpars, got"):
            Deconvolver("img", wrong, iterpars)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"decpars must be .*got None"):
        Deconvolver("img", iterpars=iterpars)
    with pytest.raises(ParameterError, match=r"iterpars must be .*got a record without 'niter'"):
        Deconvolver("img", decpars, decpars)


def test_wrong_record_raises_imaging_error_with_casa_message() -> None:
    decpars, iterpars = records(MFS, {})
    with pytest.raises(ImagingError, match=r"setting up the deconvolver: .*scrub"):
        Deconvolver("img", {**decpars, "deconvolver": "scrub"}, iterpars)
