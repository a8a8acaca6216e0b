"""Parallel runs that fail, are interrupted or killed: one named error, no process left, former products untouched.

As in test_failures.py each failure is made in a process of its own (failing_run.py), which images again afterwards. All
that it starts is of its session, so that a process that outlives it is found.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pcleantask import SerialImager
from pcleantask.parallel.plan import Plan
from pcleantask.parallel.team_runs import make_run
from tests.agreement.compare import compare_products, peak, products
from tests.test_failures import AUTO_CUBE, LIMIT_S, SMALL_CUBE, SMALL_MFS, command, config_of, digests, environment

PARALLEL = {"parallel": True, "nworkers": 2}
MFS = {**SMALL_MFS, **PARALLEL}
CUBE = {**SMALL_CUBE, **PARALLEL, "nchan": 4}
MASKED_CUBE = {**AUTO_CUBE, **PARALLEL, "nchan": 4}
PROMPT_S = 10.0  # the longest time from a failure to its error, and from a lead's death to that of its workers
LONG_MFS = pytest.param(MFS, id="mfs", marks=pytest.mark.long)
LONGER_KINDS = pytest.mark.parametrize("parameters", [LONG_MFS, pytest.param(CUBE, id="cube")])
KINDS = pytest.mark.parametrize("parameters", [pytest.param(MFS, id="mfs"), pytest.param(CUBE, id="cube")])

Former = Callable[[dict[str, Any]], dict[str, str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def former(folder: Path, dataset: Callable[[str], Path]) -> Former:
    """former(parameters) images as img, and returns the digests of its files."""

    def made(parameters: dict[str, Any]) -> dict[str, str]:
        (folder / "data.ms").symlink_to(dataset("line" if "nchan" in parameters else "continuum"))
        image(parameters)
        assert peak(folder / "img.model") > 0.1
        return digests(folder)

    return made


def image(parameters: dict[str, Any]) -> None:
    config = config_of(parameters)
    with SerialImager(config, run=make_run(config, Plan.of(config))) as imager:
        imager.run()


def session(leader: int) -> list[int]:
    """The processes of a session that run or are zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            pid, _, state = path.read_text().partition(" (")
            if int(state.rpartition(") ")[2].split()[3]) == leader:
                found.append(int(pid))
    return found


@contextlib.contextmanager
def started(how: str, parameters: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """A process that fails in that way, the leader of a session; at the end nothing of the session is left."""
    with subprocess.Popen(
        command(how, parameters),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            for pid in session(process.pid):
                os.kill(pid, signal.SIGKILL)


def fail(how: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Let a process fail in that way; what it tells of the failure and of the run after it."""
    with started(how, parameters) as process:
        stdout, stderr = process.communicate(timeout=LIMIT_S)
        assert session(process.pid) == []
    assert process.returncode == 0, stderr[-2000:]
    return json.loads(stdout.splitlines()[-1])


def check(folder: Path, answer: dict[str, Any], before: dict[str, str], parameters: dict[str, Any]) -> None:
    """The failure came soon and left no worker and no product; runs after it, of other and of that name, work."""
    assert answer["seconds"] < PROMPT_S
    assert answer["workers left"] == []
    assert digests(folder) == before
    assert answer["next"] > 0
    made = products(folder, "img")
    made.pop(".workdirectory")
    assert compare_products(made, products(folder, "next")) == []
    check_next_run(folder, parameters)


def check_next_run(folder: Path, parameters: dict[str, Any]) -> None:
    """A run of the same name, from the start, makes what the former one made, and leaves nothing else."""
    kept = {suffix: path.rename(folder / f"kept{suffix}") for suffix, path in products(folder, "img").items()}
    kept.pop(".workdirectory").rename(folder / "img.workdirectory")
    image(parameters)
    assert compare_products(kept, products(folder, "img")) == []


# What is tried without --all.
USUAL = {
    "worker killed at first residual",
    signal.SIGKILL,
}


def marks(how: object) -> list[pytest.MarkDecorator]:
    """The marks of one way to fail."""
    return [] if how in USUAL else [pytest.mark.long]


# How it fails, what the error says, and in which worker it was, where that is known.
FAILURES = [
    ("worker killed at first residual", r"failed in major_cycle: the process died \(signal 9, SIGKILL", 1),
    ("worker crashed at first residual", r"failed in major_cycle: the process died \(signal 11, SIGSEGV\)", 0),
    ("worker killed at PSF and primary beam", "failed in (make_p|major_cycle)", 1),
    ("full disk everywhere at PSF and primary beam", "failed in make_psf: ImagingError: CASA failed while", None),
    ("data gone at first residual", "failed in major_cycle: ImagingError: vis '.*data.ms' is no longer there", None),
]


@LONGER_KINDS
@pytest.mark.parametrize(
    ("how", "message", "rank"), [pytest.param(*entry, id=entry[0], marks=marks(entry[0])) for entry in FAILURES]
)
def test_failure_of_a_worker_is_one_error_with_rank_host_and_cause(
    folder: Path, former: Former, parameters: dict[str, Any], how: str, message: str, rank: int | None
) -> None:
    before = former(parameters)
    answer = fail(how, parameters)
    assert answer["kinds"][:3] == ["WorkerError", "ImagingError", "PcleanError"]
    assert rank is None or answer["rank"] == rank
    assert answer["host"] == socket.gethostname()
    first, *rest = answer["message"].splitlines()
    advised = "imagename 'img': " if "full disk" in how else ""
    assert re.match(re.escape(f"{advised}worker {answer['rank']} on {answer['host']} ") + message, first)
    assert rest[-1] == "The unfinished images are in 'img.workdirectory'"
    if "Error: " in message:
        assert "Traceback (most recent call last)" in answer["trace"]
    check(folder, answer, before, parameters)


@pytest.mark.long
@KINDS
@pytest.mark.parametrize("point", ["first residual", "restoration"])
def test_disk_that_fills_up_later_is_one_error_of_whoever_wrote(
    folder: Path, former: Former, parameters: dict[str, Any], point: str
) -> None:
    before = former(parameters)
    answer = fail(f"full disk everywhere at {point}", parameters)
    assert "ImagingError" in answer["kinds"]
    assert re.search("CASA failed while", answer["message"])
    assert answer["message"].splitlines()[-1] == "The unfinished images are in 'img.workdirectory'"
    check(folder, answer, before, parameters)


@pytest.mark.long
def test_images_that_vanish_from_a_part_are_an_error_of_its_worker(folder: Path, former: Former) -> None:
    before = former(CUBE)
    answer = fail("part removed at first residual", CUBE)
    assert answer["kinds"][0] == "WorkerError"
    assert "failed in major_cycle: ImagingError: CASA failed while" in answer["message"]
    check(folder, answer, before, CUBE)


@pytest.mark.parametrize("parameters", [pytest.param(MFS, id="mfs"), pytest.param(MASKED_CUBE, id="cube")])
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(how, marks=marks(how))
        for how in (
            "interrupt at cycle 1",
            "interrupt in casa at first residual",
            "interrupt in a long wait at first residual",
            "interrupt of all at cycle 1",
        )
    ],
)
def test_interrupt_of_the_lead_ends_the_workers_and_leaves_the_session_usable(
    folder: Path, former: Former, parameters: dict[str, Any], how: str
) -> None:
    before = former(parameters)
    answer = fail(how, parameters)
    assert answer["kinds"][0] == "KeyboardInterrupt"
    check(folder, answer, before, parameters)


@pytest.mark.parametrize(
    "number", [pytest.param(number, marks=marks(number)) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)]
)
@LONGER_KINDS
def test_death_of_the_lead_ends_the_workers(
    folder: Path, former: Former, parameters: dict[str, Any], number: signal.Signals
) -> None:
    before = former(parameters)
    endless = {**parameters, "niter": 100000, "cycleniter": 2, "nmajor": 200}
    with started("announcement at cycle 1", endless) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "cycle 1\n"
        assert len(session(process.pid)) == 3
        process.send_signal(number)
        process.wait(timeout=PROMPT_S)
        deadline = time.monotonic() + PROMPT_S
        while session(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert session(process.pid) == []
    assert process.returncode == (143 if number == signal.SIGTERM else -number)
    assert digests(folder) == before
    check_next_run(folder, parameters)
