"""Batch jobs under Slurm that are ended go on to the images of a whole run; see scripts/slurm.sh."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agreement.compare import compare_products
from tests.processes import slurm
from tests.processes.mpi_jobs import AS_ROOT, END_S, ENDED, GOES_ON, TWELVE_CYCLES, Mpi, images_of, options

LIMIT_S = 120.0
# MPICH's long UCX addresses are too much for the pmi2 of Slurm 22.05, in some environments.
SHORT_ADDRESSES = {"MPIR_CVAR_CH4_NETMOD": "ofi"}
# As scripts/slurm.sh has it.
BATCH = """#!/usr/bin/env bash
status=0
srun --mpi=pmi2 {command} || status=$?
echo "status $status"
if [ "$status" -eq 143 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
"""

pytestmark = [
    pytest.mark.skipif(not slurm.is_there(), reason="Slurm isn't installed, or this isn't root"),
    pytest.mark.parametrize("mpi", ["mpich"], indirect=True),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm.Slurm]:
    with slurm.cluster(tmp_path_factory.mktemp("slurm")) as found:
        yield found


def submit(cluster: slurm.Slurm, mpi: Mpi, folder: Path) -> str:
    """Submit a job of two ranks, one a node; its number. What it says is in the folder's file 'said'."""
    words = [mpi.python, "-m", "pcleantask", "image", *options(TWELVE_CYCLES)]
    (folder / "batch.sh").write_text(BATCH.format(command=shlex.join(words)), encoding="utf-8")
    variables = {**os.environ, **AS_ROOT, **SHORT_ADDRESSES, **cluster.environment, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        [
            "sbatch", "--parsable", "--nodes=2", "--ntasks=2", "--requeue", "--open-mode=append", "--output=said",
            "batch.sh",
        ],
        cwd=folder, env=variables, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def submit_and_wait(cluster: slurm.Slurm, mpi: Mpi, folder: Path) -> str:
    """Submit the job; its number, when its third cycle begins."""
    job = submit(cluster, mpi, folder)
    wait_for(folder, "^    2 ")
    return job


def complete(cluster: slurm.Slurm, job: str) -> None:
    """Let a job that was requeued run to its end."""
    cluster.wait(job, "PENDING")
    cluster.tell("scontrol", "update", f"JobId={job}", "StartTime=now")  # Slurm waits for minutes otherwise
    cluster.wait(job, "COMPLETED", limit_s=LIMIT_S)


def said(folder: Path) -> str:
    path = folder / "said"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def wait_for(folder: Path, pattern: str, limit_s: float = LIMIT_S) -> re.Match[str]:
    """Wait until the job has written what fits the pattern."""
    deadline = time.monotonic() + limit_s
    while (found := re.search(pattern, said(folder), re.MULTILINE)) is None:
        assert time.monotonic() < deadline, f"{pattern!r} did not come within {limit_s} s:\n{said(folder)}"
        time.sleep(0.05)
    return found


def check_whole(folder: Path, whole: tuple[Path, dict[str, Any]]) -> None:
    """Compare with the images of a run that nobody has ended."""
    found = re.search(GOES_ON, said(folder))
    assert found is not None, said(folder)
    assert int(found[1]) >= 2
    assert list(folder.glob("*.workdirectory*")) == []
    assert compare_products(images_of(whole[0], "img"), images_of(folder, "img")) == []


def test_job_whose_time_is_up_has_itself_sent_again_and_goes_on(
    cluster: slurm.Slurm, mpi: Mpi, folder: Path, whole: tuple[Path, dict[str, Any]]
) -> None:
    job = submit_and_wait(cluster, mpi, folder)
    cluster.tell("scancel", "--signal=TERM", job)  # as --signal=TERM@60 does near the end of a job's time
    wait_for(folder, "^status 143$", END_S)
    assert re.search(ENDED, said(folder)), said(folder)
    complete(cluster, job)
    check_whole(folder, whole)


@pytest.mark.long
def test_job_that_is_cancelled_goes_on_when_it_is_submitted_again(
    cluster: slurm.Slurm, mpi: Mpi, folder: Path, whole: tuple[Path, dict[str, Any]]
) -> None:
    first = submit_and_wait(cluster, mpi, folder)
    start = time.monotonic()
    cluster.tell("scancel", first)
    while found := cluster.processes("pcleantask"):
        assert time.monotonic() - start < END_S, found
        time.sleep(0.05)
    cluster.wait(first, "CANCELLED")
    cluster.wait(submit(cluster, mpi, folder), "COMPLETED", limit_s=LIMIT_S)
    check_whole(folder, whole)


@pytest.mark.long
def test_job_whose_node_is_lost_goes_on_by_itself(
    cluster: slurm.Slurm, mpi: Mpi, folder: Path, whole: tuple[Path, dict[str, Any]]
) -> None:
    job = submit_and_wait(cluster, mpi, folder)
    cluster.tell("scontrol", "requeue", job)  # what Slurm does then: the job's processes are killed
    complete(cluster, job)
    check_whole(folder, whole)
