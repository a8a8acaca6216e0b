"""CASA's temporary tables stand in the work folder: no run reads another's, and none is left where the user works."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcleantask import PcleanConfig, SerialImager
from tests.agreement.cases import CUBE
from tests.agreement.compare import compare_products, products

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 120.0
WEIGHED: dict[str, Any] = {
    **CUBE,
    "vis": "data.ms",
    "imsize": 64,
    "nchan": 3,
    "start": "230.002GHz",
    "niter": 40,
    "cycleniter": 20,
    "weighting": "briggs",
    "robust": 0.5,
    "perchanweightdensity": True,
}
# Ends as if the system had ended it, where its first minor cycle would begin.
KILLED = """
import json, os, signal, sys
from pcleantask import PcleanConfig, SerialImager
from pcleantask.imaging.deconvolver import Deconvolver
Deconvolver.minor_cycle = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
SerialImager(PcleanConfig.from_parameters(**json.loads(sys.argv[1]))).run()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path]) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("data.ms").symlink_to(dataset("line"))
    return tmp_path


def killed(imagename: str, **changes: object) -> None:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{KILLED}"]
    parameters = json.dumps({**WEIGHED, **changes, "imagename": imagename})
    run = subprocess.run([*command, parameters], capture_output=True, timeout=LIMIT_S, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr.decode()[-2000:]


def image(imagename: str) -> None:
    with SerialImager(PcleanConfig.from_parameters(**{**WEIGHED, "imagename": imagename})) as imager:
        imager.run()


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith((".log", ".last"))}


def test_tables_of_a_killed_run_are_in_its_folder_and_harm_no_other(folder: Path) -> None:
    image("before")
    there = left(folder)
    killed("dead", imsize=80)
    assert left(folder) == there | {"dead.workdirectory"}
    tables = list(Path("dead.workdirectory").rglob("IMAGING_WEIGHT*"))
    assert tables, "CASA makes no table of weights any more"
    image("after")
    assert not compare_products(*(products(folder, name) for name in ("before", "after")))
    image("dead")
    assert not list(folder.glob("*.workdirectory"))


def test_tables_that_stand_where_the_user_works_are_not_read(folder: Path) -> None:
    image("before")
    killed("dead", robust=-2.0)
    for table in Path("dead.workdirectory").rglob("IMAGING_WEIGHT*"):
        table.rename(table.name)
    there = left(folder)
    image("after")
    assert not compare_products(*(products(folder, name) for name in ("before", "after")))
    assert left(folder) - there == {path.name for path in products(folder, "after").values()}


# Images a mosaic so large that CASA's planes are tables, of which it opens some anew where the tools are released.
LARGE = """
import json, sys
from pcleantask import PcleanConfig, SerialImager
parameters = {"vis": "mosaic.ms", "imagename": "large", "imsize": 640, "cell": "0.25arcsec", "gridder": "mosaic"}
with SerialImager(PcleanConfig.from_parameters(engine="casa", **parameters, **json.loads(sys.argv[1]))) as imager:
    imager.run()
"""


@pytest.mark.parametrize(
    "runs", [[{"niter": 20}, {"calcpsf": False, "calcres": False}], pytest.param([{}], marks=pytest.mark.long)]
)
def test_tables_of_a_large_mosaic_are_found_to_the_last(
    folder: Path, dataset: Callable[[str], Path], runs: list[dict[str, object]]
) -> None:
    Path("mosaic.ms").symlink_to(dataset("mosaic"))
    for parameters in runs:
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{LARGE}"]
        run = subprocess.run([*command, json.dumps(parameters)], capture_output=True, timeout=LIMIT_S, check=False)
        assert run.returncode == 0, run.stderr.decode()[-2000:]
    assert Path("large.image").is_dir() and not list(folder.glob("TempLattice*"))
