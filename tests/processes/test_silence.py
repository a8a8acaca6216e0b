"""Processes that are stopped: who waits for them says so, and ends the run after a time that the user sets."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcleantask.errors import ParameterError, WorkerError
from pcleantask.processes.silence import VARIABLE, Pulse, Silence, limit_s
from pcleantask.processes.team import LocalTeam, call_all
from tests.agreement.cases import CUBE
from tests.processes.mpi_jobs import END_S, MPIS, Job, Mpi, Result, image, options

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 12.0  # of silence: longer than a process waits for others on a busy machine
LONG_CUBE: dict[str, Any] = {**CUBE, "imagename": "img", "niter": 100_000, "cycleniter": 2, "nmajor": 500}
TOLD = r"pclean: {} has given no sign of life for \d+ s at [a-z_ ]+; the run is ended after 12 s"
CAUSE = r"no sign of life for \d+ s \(PCLEANTASK_SILENCE sets this time\)"


def of_limit(seconds: float) -> dict[str, str]:
    return {VARIABLE: str(seconds), "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize(("text", "seconds"), [("", 1800.0), ("90", 90.0), ("0", float("inf")), (" 1e3 ", 1000.0)])
def test_limit_is_what_the_user_says(monkeypatch: pytest.MonkeyPatch, text: str, seconds: float) -> None:
    monkeypatch.setenv(VARIABLE, text)
    assert limit_s() == seconds


@pytest.mark.parametrize("text", ["long", "-1", "nan", "5 s"])
def test_limit_that_is_no_time_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ParameterError, match=VARIABLE):
        LocalTeam(1)


def test_time_in_which_nobody_has_looked_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("pcleantask.processes.silence.time.monotonic", lambda: now[0])
    silence = Silence("worker 0")
    now[0] = 100_000.0  # the whole job was stopped by Ctrl-Z
    assert silence.look(has_sign=False, step="hello") == ""
    assert not silence.is_too_long


def test_pulse_tells_work_from_waiting() -> None:
    pulse = Pulse(os.getpid())
    assert pulse.beats()
    deadline = time.process_time() + 0.05
    while time.process_time() < deadline:
        pass
    assert pulse.beats()
    assert not Pulse(2**22 + 1).beats(), "there is no such process"


def test_stopped_worker_is_told_of_and_ended(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "4")
    team = LocalTeam(2)
    with team:
        pid = call_all(team, "hello")[1]["pid"]
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(WorkerError, match=rf"worker 1 on .* failed in hello: {CAUSE}"):
            call_all(team, "hello")
    assert re.search(rf"worker 1 \(process {pid} on .*\) has given no sign of life for \d s", capfd.readouterr().err)
    assert team.size == 0


def test_stopped_worker_that_goes_on_is_forgiven(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "8")
    with LocalTeam(2) as team:
        pid = call_all(team, "hello")[1]["pid"]
        os.kill(pid, signal.SIGSTOP)
        reader = os.fork()
        if reader == 0:
            time.sleep(6)
            os.kill(pid, signal.SIGCONT)
            os._exit(0)
        assert call_all(team, "hello")[1]["pid"] == pid
        os.waitpid(reader, 0)
    assert "has given no sign of life" in capfd.readouterr().err


def stop_in_midst(job: Job, pid: Callable[[], int]) -> tuple[int, Result]:
    """Stop a process of a job that cleans, and wait for the job's end."""
    job.wait_for("    2 ")
    stopped = pid()
    os.kill(stopped, signal.SIGSTOP)
    result = job.result(4 * LIMIT_S + END_S)
    assert result.left == {}, result.text
    return stopped, result


def test_run_whose_worker_is_stopped_ends_with_a_named_error(folder: Path) -> None:
    words = [sys.executable, "-m", "pcleantask", "image", *options(LONG_CUBE), "--parallel", "True", "--nworkers", "2"]
    with Job(words, folder, env=of_limit(LIMIT_S)) as job:
        stopped, result = stop_in_midst(job, lambda: max(job.processes("parallel.worker")))
    assert result.status == 1
    assert re.search(TOLD.format(rf"worker \d \(process {stopped} on .*\)"), result.err), result.text
    assert re.search(rf"failed in .*: {CAUSE}", result.err), result.text


@pytest.mark.parametrize(
    ("mpi", "who"),
    [
        pytest.param(mpi, who, marks=[] if (mpi, who) == ("mpich", "rank 1") else [pytest.mark.long])
        for mpi in MPIS
        for who in ("rank 0", "rank 1", "worker 1", "the lead")
    ],
    indirect=["mpi"],
)
def test_job_of_which_a_process_is_stopped_ends(mpi: Mpi, folder: Path, who: str) -> None:
    find: dict[str, Callable[[], int]] = {
        "rank 0": lambda: job.rank(0, "pcleantask image"),
        "rank 1": lambda: job.rank(1, "pcleantask image"),
        "worker 1": lambda: job.worker(1, "pcleantask image"),
        "the lead": lambda: next(iter(job.processes("pcleantask.lead"))),
    }
    with Job(image(mpi, 2, LONG_CUBE), folder, env=of_limit(LIMIT_S)) as job:
        stopped, result = stop_in_midst(job, find[who])
    assert result.status != 0
    assert re.search(TOLD.format(rf"{who} \(process {stopped} on .*\)"), result.err), result.text
