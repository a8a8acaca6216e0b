"""A run that fails, is interrupted or killed: a named error, the tools released, the former products untouched.

Each failure is made in a process of its own (failing_run.py), which must be able to image again at once. A disk that is
full is emulated by a limit on the size of files, so that no privileges are needed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcleantask import PcleanConfig, SerialImager, pclean
from pcleantask.errors import OutputError
from tests.agreement.cases import AUTO, CUBE, MFS
from tests.agreement.compare import compare_products, peak, products

HERE = Path(__file__).parent
LIMIT_S = 120.0
SMALL = {"imsize": 160, "niter": 60, "cycleniter": 20, "vis": "data.ms"}
SMALL_MFS = {**MFS, **SMALL}
SMALL_CUBE = {**CUBE, **SMALL, "nchan": 3, "start": "230.002GHz"}
AUTO_CUBE = {**SMALL_CUBE, **AUTO}
DATA = {MFS["vis"]: "continuum", CUBE["vis"]: "line"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def former(folder: Path, dataset: Callable[[str], Path]) -> Callable[[dict[str, Any]], dict[str, str]]:
    """former(parameters) images as img, and returns the digests of its files."""

    def made(parameters: dict[str, Any]) -> dict[str, str]:
        (folder / "data.ms").symlink_to(dataset("line" if "nchan" in parameters else "continuum"))
        with SerialImager(config_of(parameters)) as imager:
            imager.run()
        assert peak(folder / "img.model") > 0.1
        return digests(folder)

    return made


def config_of(parameters: dict[str, Any]) -> PcleanConfig:
    return PcleanConfig.from_parameters(**{**parameters, "imagename": "img"})


def digests(folder: Path) -> dict[str, str]:
    """Digest of every file of the products img.*, not of those in the work folder."""
    found = {}
    for suffix, product in products(folder, "img").items():
        if suffix != ".workdirectory":
            for path in sorted(product.rglob("*")):
                if path.is_file():
                    found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(found) > 20
    return found


def command(how: str, parameters: dict[str, Any]) -> list[str]:
    return [sys.executable, str(HERE / "failing_run.py"), how, json.dumps({**parameters, "imagename": "img"})]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1"}


def fail(how: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Let a process fail in that way; what it tells of the failure and of the run after it."""
    process = subprocess.run(
        command(how, parameters), env=environment(), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return json.loads(process.stdout.splitlines()[-1])


CASA_FAILURES = [
    ("full disk at PSF and primary beam", SMALL_MFS, "making the PSF", "write error in"),
    ("full disk at PSF and primary beam", SMALL_CUBE, "making the PSF", "write error in"),
    ("full disk at first residual", SMALL_MFS, "running a major cycle", "write error in"),
    ("full disk at first residual", AUTO_CUBE, "running a major cycle", "write error in"),
    ("full disk at restoration", SMALL_MFS, "restoring the image", "write error in"),
    ("full disk at restoration", SMALL_CUBE, "restoring the image", "write error in"),
    ("psf spoilt at first residual", SMALL_CUBE, "reading the residual", "img.psf"),
]


@pytest.mark.parametrize(
    ("how", "parameters", "stage", "message"),
    CASA_FAILURES,
    ids=[f"{how}-{parameters['specmode']}" for how, parameters, *_ in CASA_FAILURES],
)
def test_failure_in_mid_run_is_an_imaging_error_and_harms_nothing(
    folder: Path,
    former: Callable[[dict[str, Any]], dict[str, str]],
    how: str,
    parameters: dict[str, Any],
    stage: str,
    message: str,
) -> None:
    before = former(parameters)
    answer = fail(how, parameters)
    assert answer["kinds"][:2] == ["ImagingError", "PcleanError"]
    assert f"CASA failed while {stage}: " in answer["message"]
    assert message in answer["message"]
    assert answer["message"].splitlines()[-1] == "The unfinished images are in 'img.workdirectory'"
    assert (folder / "img.workdirectory").is_dir()
    assert digests(folder) == before
    check_next_run(folder, answer)


def check_next_run(folder: Path, answer: dict[str, Any]) -> None:
    """The run after the failure, in the same process, made what the former one made."""
    assert answer["next"] > 0
    expected = products(folder, "img")
    expected.pop(".workdirectory", None)
    assert compare_products(expected, products(folder, "next")) == []


def test_full_disk_while_former_images_are_copied_is_an_output_error(
    folder: Path, former: Callable[[dict[str, Any]], dict[str, str]]
) -> None:
    """Python fails here, and not CASA; nothing of the new run stays."""
    before = former(SMALL_MFS)
    answer = fail("full disk at start", SMALL_MFS)
    assert answer["kinds"][:3] == ["OutputError", "PcleanError", "OSError"]
    assert "File too large" in answer["message"]
    assert "can't copy 'img.mask' of the run before" in answer["message"]
    assert not (folder / "img.workdirectory").exists()
    assert digests(folder) == before
    check_next_run(folder, answer)


def test_data_that_vanish_are_an_imaging_error_and_next_cube_works(
    folder: Path, former: Callable[[dict[str, Any]], dict[str, str]]
) -> None:
    """CASA crashed in the cube after it had failed to open its data."""
    before = former(SMALL_CUBE)
    answer = fail("data gone at cycle 1", SMALL_CUBE)
    assert answer["kinds"][0] == "ImagingError"
    assert re.match(r"vis '.*data.ms' is no longer there", answer["message"])
    assert digests(folder) == before
    check_next_run(folder, answer)


@pytest.mark.parametrize("how", ["interrupt at cycle 1", "interrupt in casa at first residual"])
@pytest.mark.parametrize("parameters", [SMALL_MFS, AUTO_CUBE], ids=["mfs", "cube"])
def test_interrupt_leaves_session_usable(
    folder: Path, former: Callable[[dict[str, Any]], dict[str, str]], parameters: dict[str, Any], how: str
) -> None:
    before = former(parameters)
    answer = fail(how, parameters)
    assert answer["kinds"][0] == "KeyboardInterrupt"
    assert (folder / "img.workdirectory").is_dir()
    assert digests(folder) == before
    check_next_run(folder, answer)


def check_work_folder_is_replaced(folder: Path, parameters: dict[str, Any], before: dict[str, str]) -> None:
    """After a process has died: its work folder is there, the former products are, and the next run works."""
    work = folder / "img.workdirectory"
    assert (work / "img.psf").is_dir()
    assert digests(folder) == before
    (work / "of the dead run").touch()
    kept = {suffix: path.rename(folder / f"kept{suffix}") for suffix, path in products(folder, "img").items()}
    kept[".workdirectory"].rename(work)
    with SerialImager(config_of({**parameters, "restart": True})) as imager:
        imager.run()
        assert not (work / "of the dead run").exists()
    del kept[".workdirectory"]
    assert not work.exists()
    assert compare_products(kept, products(folder, "img")) == []


@pytest.mark.parametrize("parameters", [SMALL_MFS, AUTO_CUBE], ids=["mfs", "cube"])
def test_kill_leaves_former_products_and_next_run_works(
    folder: Path, former: Callable[[dict[str, Any]], dict[str, str]], parameters: dict[str, Any]
) -> None:
    before = former(parameters)
    process = subprocess.Popen(
        command("announcement at cycle 1", {**parameters, "niter": 100000, "cycleniter": 2, "nmajor": 200}),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "cycle 1\n"
    finally:
        process.kill()
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == -signal.SIGKILL
    check_work_folder_is_replaced(folder, parameters, before)


def test_disk_so_full_that_casa_aborts_leaves_former_products(
    folder: Path, former: Callable[[dict[str, Any]], dict[str, str]]
) -> None:
    """Where not even a table can be written the process is ended; nothing in Python can catch what casacore throws."""
    before = former(SMALL_MFS)
    process = subprocess.run(
        command("utterly full disk at cycle 1", SMALL_MFS),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if process.returncode == 0:  # a casacore that survives it
        assert "PcleanError" in json.loads(process.stdout.splitlines()[-1])["kinds"]
    else:
        assert process.returncode == 1
        assert "write error" in process.stderr
        assert "pclean: ended " in process.stderr, "instead of SIGABRT"
    check_work_folder_is_replaced(folder, SMALL_MFS, before)


def test_disk_without_room_for_the_images_is_refused_before_any_work(
    folder: Path, dataset: Callable[[str], Path]
) -> None:
    """No disk has 500 TB."""
    huge = {**SMALL_CUBE, "vis": str(dataset("line")), "imagename": "made/img", "imsize": 160_000, "nchan": 1_000}
    with pytest.raises(OutputError, match=r"the images need \d+\.\d GB more.*choose another place"):
        pclean(**huge)
    assert [path for path in folder.iterdir() if path.suffix != ".log"] == []
