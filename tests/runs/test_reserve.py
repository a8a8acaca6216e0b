"""Room on the disk is held for what later steps make: who fills the disk in mid-run doesn't get it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pcleantask.runs.reserve import Reserve
from tests.agreement.cases import CUBE

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120.0
MB = 1 << 20
RUN = """
import json, sys
from pcleantask import pclean
pclean(**json.loads(sys.argv[1]))
print("imaged")
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 700 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=700m", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("this user may mount no disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def fill(folder: Path) -> None:
    """Take all room that there is."""
    try:
        with (folder / "filler").open("wb") as file:
            while True:
                file.write(bytes(MB))
                file.flush()
    except OSError:
        pass


def test_room_that_is_held_is_nobody_elses(disk: Path) -> None:
    before = free(disk)
    reserve = Reserve(disk)
    reserve.hold(200 * MB)
    assert reserve.size == 200 * MB
    assert before - free(disk) == 200 * MB
    fill(disk)
    assert free(disk) < MB
    reserve.hold(150 * MB)
    assert 50 * MB <= free(disk) < 51 * MB
    with pytest.raises(OSError, match="No space left"):
        reserve.hold(300 * MB)
    reserve.close()
    assert 200 * MB <= free(disk) < 201 * MB
    assert [entry.name for entry in disk.iterdir()] == ["filler"], "it has no name"


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[] if seed < 2 else [pytest.mark.long]) for seed in range(30)]
)
def test_disk_that_is_filled_in_mid_run_is_an_error_with_a_name(
    disk: Path, dataset: Callable[[str], Path], seed: int
) -> None:
    draw = random.Random(seed)
    engine, delay = draw.choice(["casa", "ducc"]), draw.uniform(0.5, 8.0)
    parameters = {**CUBE, "vis": str(dataset("line")), "imagename": "img", "imsize": 1024, "engine": engine}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", RUN, json.dumps({**parameters, "niter": 60, "cycleniter": 20})],
        cwd=disk, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        time.sleep(delay)
        fill(disk)
        out, err = process.communicate(timeout=LIMIT_S)
    if process.returncode == 0:
        assert "imaged" in out
        return
    assert process.returncode == 1, err
    assert "pcleantask.errors." in err or "pclean: ended " in err, err
