"""Room on the disk is held for what later steps make: who fills the disk in mid-run doesn't get it."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pcleantask import PcleanConfig
from pcleantask.errors import ImagingError
from pcleantask.runs.folders import WorkFolders
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
    *_, last = re.split(r"\npcleantask\.errors\.|\npclean: ended ", err)
    assert re.search(r"\d MB are free by now for '.*/disk/|and '.*' has .* free", last), err
    assert "rrno 28" not in last


def test_full_disk_is_named_whoever_tells_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=10**9, free=3 << 20))
    config = PcleanConfig.from_parameters(vis=str(dataset("line")), imagename=str(tmp_path / "img"), cell="1arcsec")
    folders = WorkFolders(config)
    room = f"; 3.0 MB are free by now for {str(folders.path)!r}, beside what this run holds; make room there"
    for error in (
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        ImagingError("CASA failed while making the PSF: FilebufIO: write error for file x: No space left on device"),
        RuntimeError("No work directory with at least 48MB free can be found"),
        ImagingError("FiledesIO::write - write error in TempLattice: No such file or directory"),
    ):
        assert f"{error}".removeprefix(f"[Errno {getattr(error, 'errno', '')}] ") + room in folders.advice(error)
    elsewhere = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "other" / "file"))
    assert f"are free by now for {str(tmp_path / 'other' / 'file')!r}" in folders.advice(elsewhere)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=10**12, free=10**11))
    assert folders.advice(ImagingError("FiledesIO::write - write error in x: File too large")) == ""
    cut_short = ImagingError("FiledesIO::write - write error in TempLattice: No such file or directory")
    assert "are free by now" in folders.advice(cut_short), "CASA has let go of its temporary tables by then"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=0, free=0))
    assert "by now" not in folders.advice(elsewhere), "the disk doesn't know its size"
    assert not any(map(folders.advice, (OSError(errno.EACCES, "Permission denied"), ImagingError("no data"))))
