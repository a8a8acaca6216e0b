"""MPI jobs of which a process is killed at any moment, and that are sent again, come to the images of a whole one."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agreement.cases import CUBE, MFS, MOSAIC
from tests.agreement.compare import compare_products, compare_saved_models
from tests.processes.mpi_jobs import Job, Mpi, image, images_of, run

SEEDS = 8
LATEST = 1.05  # times the time of a whole job
KINDS: dict[str, dict[str, Any]] = {
    "cube": {**CUBE, "niter": 300, "cycleniter": 20},
    "cube by ducc": {**CUBE, "niter": 300, "cycleniter": 20, "engine": "ducc"},
    "continuum": {**MFS, "niter": 300, "cycleniter": 20},
    "mosaic": {**MFS, **MOSAIC, "cycleniter": 20},
    "model saved": {**CUBE, "niter": 300, "cycleniter": 20, "savemodel": "modelcolumn"},
}
VICTIMS = ("mpiexec", "a rank", "the lead", "a worker", "all")


def victims(job: Job, which: str, draw: random.Random) -> list[int]:
    """Processes of a job that are to be killed; none where they aren't there yet, or any more."""
    everybody = job.processes()
    workers, leads = job.processes("parallel.worker"), job.processes("pcleantask.lead")
    ranks = {pid for pid in job.processes("-m pcleantask image") if pid != job.process.pid}
    found = {
        "mpiexec": [job.process.pid],
        "a rank": sorted(ranks),
        "the lead": sorted(leads),
        "a worker": sorted(workers),
        "all": sorted(everybody),
    }[which]
    return found if which == "all" or not found else [draw.choice(found)]


def is_over_when_killed(words: list[str], folder: Path, delay_s: float, which: str, draw: random.Random) -> bool:
    """Begin a job, kill a process of it, and wait till all are gone; whether its images had their names by then.

    The same call would clean on from there, as one after a job that was left alone.
    """
    with Job(words, folder) as job:
        time.sleep(delay_s)
        for pid in victims(job, which, draw):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        result = job.result()
        assert result.left == {}, result.text
    return (folder / "img.image").exists() and not (folder / "img.workdirectory").exists()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SEEDS))
def test_job_that_is_killed_at_any_moment_goes_on_to_the_same_images(
    mpi: Mpi, tmp_path: Path, dataset: Callable[[str], Path], seed: int
) -> None:
    """One kill or two; a cube goes on on another number of ranks, continuum on the same, as its sums depend on that."""
    draw = random.Random(f"{mpi.name} {seed}")
    name = draw.choice(sorted(KINDS))
    call = {**KINDS[name], "imagename": "img"}
    number = draw.choice((2, 3))
    numbers = [draw.choice((2, 3)) if call["specmode"] == "cube" else number for _ in range(3)]
    here, there = (tmp_path / side for side in ("whole", "killed"))
    for folder in (here, there):
        shutil.copytree(dataset(call["vis"].removesuffix(".ms")), folder / call["vis"])
    start = time.monotonic()
    whole = run(image(mpi, number, call), here)
    took = time.monotonic() - start
    assert whole.status == 0, whole.text
    for rank_count in numbers[: draw.choice((1, 2))]:
        which, delay_s = draw.choice(VICTIMS), draw.uniform(0.1, LATEST * took)
        print(f"{mpi.name} {seed}: {name} on {rank_count} of {numbers}, {which} killed after {delay_s:.2f} s")  # noqa: T201
        if is_over_when_killed(image(mpi, rank_count, call), there, delay_s, which, draw):
            print("it was at its end")  # noqa: T201
            break
    else:
        result = run(image(mpi, numbers[-1], call), there)
        assert result.status == 0, result.text
        print(re.findall(r"Going on with.*|.*anew.*|.*they have them now.*", result.err))  # noqa: T201
        assert list(there.glob("*.workdirectory*")) == []
    assert compare_products(images_of(here, "img"), images_of(there, "img")) == []
    assert compare_saved_models(here / call["vis"], there / call["vis"]) == []
