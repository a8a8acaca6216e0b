"""The room that a run asks for beforehand is what its images take, and steps look again."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pcleantask import PcleanConfig, SerialImager
from pcleantask.errors import OutputError
from pcleantask.images.products import products
from pcleantask.parallel.plan import Plan
from pcleantask.parallel.team_runs import make_run
from pcleantask.runs import space
from tests.agreement.cases import CUBE, MFS, MVC

LARGE = {"imsize": 480, "niter": 5}
KINDS: dict[str, dict[str, Any]] = {
    "mfs": {**MFS, **LARGE},
    "mtmfs": {**MFS, **LARGE, "deconvolver": "mtmfs", "nterms": 2},
    "cube": {**CUBE, **LARGE, "nchan": 3},
    "mvc": {**MVC, **LARGE},
    "dirty": {**MFS, **LARGE, "niter": 0, "restoration": False},
}
SLACK = 1.3  # tables, pixel masks, and the extra images of mtmfs (alpha, pb.tt1), which aren't counted


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path]) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("continuum", "line"):
        (tmp_path / f"{name}.ms").symlink_to(dataset(name))
    return tmp_path


def config_of(parameters: dict[str, Any]) -> PcleanConfig:
    return PcleanConfig.from_parameters(**{**parameters, "imagename": "img"})


def size(path: Path) -> int:
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())


@pytest.mark.parametrize("parameters", KINDS.values(), ids=KINDS)
def test_room_asked_for_is_what_images_take(parameters: dict[str, Any]) -> None:
    config = config_of(parameters)
    asked = space.bytes_to_come(config, config.fields[0], "img")
    with SerialImager(config) as imager:
        imager.run()
    made = {path.name.removeprefix("img"): size(path) for path, _ in products("img")}
    field = config.fields[0]
    assert {*space.planned(config, field), *space.planned_cubes(config, field)} <= made.keys()
    total = sum(made.values())
    assert total > 1_000_000
    assert total / SLACK < asked < total * SLACK or config.fields[0].multiterm
    assert asked < total * SLACK
    assert space.bytes_to_come(config, config.fields[0], "img") == 0


def test_channels_that_only_the_data_tell_are_counted_once_an_image_is_there() -> None:
    config = config_of({**KINDS["cube"], "nchan": -1, "start": "", "width": ""})
    one_channel = space.bytes_to_come(config, config.fields[0], "img.workdirectory/img")
    with SerialImager(config) as imager:
        imager.setup()
        imager.make_psf()
        left = space.bytes_to_come(config, config.fields[0], "img.workdirectory/img")
        imager.failed = True
    planes = 12 * 4 * 480 * 480
    assert one_channel < planes
    assert left > 4 * planes  # residual, mask, model, image


@pytest.mark.parametrize("workers", [{}, {"parallel": True, "nworkers": 2}], ids=["serial", "two workers"])
def test_channels_that_only_the_data_tell_are_counted_before_images_are_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch, workers: dict[str, Any]
) -> None:
    """12 channels of 480 x 480 pixels, six images: 66 MB, and two more that are put together; one channel would fit."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=10**9, free=30 * 10**6))
    config = config_of({**KINDS["cube"], "nchan": -1, "start": "", "width": "", **workers})
    with pytest.raises(OutputError, match=r"the images need [68]\d\.\d MB more"):
        SerialImager(config, run=make_run(config, Plan.of(config))).run()
    assert not list(folder.glob("img.workdirectory/**/*.psf"))


def test_disk_that_others_fill_in_mid_run_is_an_output_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError) as caught, SerialImager(config_of(KINDS["mfs"])) as imager:
        imager.setup()
        imager.make_psf()
        imager.make_pb()
        imager.run_major_cycle(is_first=True)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=10**9, free=10**6))
        imager.has_converged()
    first, second = str(caught.value).splitlines()
    assert first.startswith("imagename 'img': the images need 3.")
    assert re.search(r"has 3\.\d MB free; make room there", first), "1 MB, and what is held for .image"
    assert second == "The unfinished images are in 'img.workdirectory'"
    assert (folder / "img.workdirectory" / "img.residual").is_dir()


def test_disk_that_does_not_know_its_size_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=0, free=0))
    space.check_space(config_of(KINDS["mfs"]), ["img"])
