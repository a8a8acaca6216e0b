"""Whatever process of a job under mpirun dies, the job ends with its name, leaves no process, and harms no product."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agreement.compare import compare_products
from tests.processes.mpi_jobs import (
    END_S,
    LONG_CUBE,
    MPIS,
    SMALL_CUBE,
    Job,
    Mpi,
    image,
    images_of,
    run,
    script_job,
)

KILLS: dict[str, Callable[[Job], tuple[int, int]]] = {
    "worker": lambda job: (job.worker(1, "pcleantask image"), signal.SIGKILL),
    "rank": lambda job: (job.rank(1, "pcleantask image"), signal.SIGKILL),
    "rank 0": lambda job: (job.rank(0, "pcleantask image"), signal.SIGKILL),
    "lead": lambda job: (next(iter(job.processes("pcleantask.lead"))), signal.SIGKILL),
    "interrupt": lambda job: (job.process.pid, signal.SIGINT),
    "ctrl-c": lambda job: (-job.process.pid, signal.SIGINT),  # as a terminal does it: to all in the foreground
}
WORDS = {
    "worker": r"worker 1 on {host} failed in (?!part:)\w+: the process died \(signal 9",
    "lead": r"the lead, the process on {host} that runs pclean for all ranks, died \(signal 9",
}
USUAL = {("mpich", "worker"), ("mpich", "rank"), ("mpich", "ctrl-c"), ("openmpi", "worker"), ("openmpi", "lead")}


@pytest.mark.parametrize(
    ("mpi", "victim"),
    [
        pytest.param(name, victim, marks=[] if (name, victim) in USUAL else [pytest.mark.long])
        for name in MPIS
        for victim in KILLS
    ],
    indirect=["mpi"],
)
def test_killed_process_ends_the_job_and_harms_no_product(mpi: Mpi, folder: Path, serial: Path, victim: str) -> None:
    for suffix, path in images_of(serial, "cube").items():
        shutil.copytree(path, folder / f"img{suffix}")
    before = digests(folder)
    with Job(image(mpi, 2, {**LONG_CUBE, "restart": False, "imagename": "img"}), folder) as job:
        job.wait_for("    2 ")
        pid, number = KILLS[victim](job)
        os.kill(pid, number)
        start = time.monotonic()
        result = job.result(END_S)
        assert time.monotonic() - start < END_S
    assert result.status != 0, result.text
    assert result.left == {}, result.text
    assert re.search(WORDS.get(victim, "").format(host=os.uname().nodename), result.err), result.text
    assert digests(folder) == before


def digests(folder: Path) -> dict[str, str]:
    """Digests of the files of the products img.*."""
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for product in folder.glob("img.*")
        if product.suffix != ".workdirectory"
        for path in product.rglob("*")
        if path.is_file()
    }
    assert len(found) > 20
    return found


CATCHING = """
import json, os, signal, sys
from pcleantask import pclean, errors
from pcleantask.parallel.cube.run import TeamGridder
cube = json.loads(sys.argv[1])
major_cycle, count = TeamGridder.major_cycle, []
def killing(self, *, last):
    count.append(1)
    if len(count) == 2:
        os.kill(self._run._team.call_each("hello", [(), ()])[1]["pid"], signal.SIGKILL)
    return major_cycle(self, last=last)
TeamGridder.major_cycle = killing
try:
    pclean(**{**cube, "imagename": "first"})
except errors.ImagingError as error:
    print("caught", error)
pclean(**cube)
"""


@pytest.mark.long
def test_script_that_catches_a_dead_worker_goes_on_with_a_new_one(mpi: Mpi, folder: Path, serial: Path) -> None:
    job = script_job(mpi, 2, folder, CATCHING, json.dumps({**SMALL_CUBE, "imagename": "cube"}), once=True)
    result = run(job, folder)
    assert result.status == 0, result.text
    assert "caught worker 1 on" in result.out
    assert result.left == {}
    assert compare_products(images_of(serial, "cube"), images_of(folder, "cube")) == []
