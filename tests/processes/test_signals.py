"""SIGTERM, which batch systems send first, and Ctrl-C end a run soon; the same command goes on to the same images."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.agreement.compare import compare_products, differences
from tests.processes.mpi_jobs import (
    END_S,
    ENDED,
    GOES_ON,
    MPIS,
    TWELVE_CYCLES,
    Job,
    Mpi,
    Result,
    image,
    images_of,
    options,
    run,
    script_job,
)

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120.0
SCRIPT = """
import json, sys
from pcleantask import pclean
result = pclean(**json.loads(sys.argv[1]))
print(json.dumps(result["stopcode"]))
"""


def command(**more: object) -> list[str]:
    return [sys.executable, "-m", "pcleantask", "image", *options({**TWELVE_CYCLES, **more}), "--json"]


def here() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT)}


def end(job: Job, number: signal.Signals, *, all_of_them: bool = False) -> Result:
    """End a job that is at its third cycle or later."""
    job.wait_for("    2 ")
    start = time.monotonic()
    os.kill(-job.process.pid if all_of_them else job.process.pid, number)
    result = job.result(END_S)
    assert time.monotonic() - start < END_S
    assert result.left == {}, result.text
    return result


def check_rest(words: list[str], folder: Path, whole: tuple[Path, dict[str, Any]], env: dict[str, str]) -> None:
    """The same command goes on, and comes to what a run comes to that wasn't ended."""
    result = run(words, folder, env=env)
    assert result.status == 0, result.text
    found = re.search(GOES_ON, result.err)
    assert found is not None, result.text
    assert int(found[1]) >= 2
    assert compare_products(images_of(whole[0], "img"), images_of(folder, "img")) == []
    if result.out.startswith("{"):
        assert list(differences(whole[1], json.loads(result.out))) == []
    assert list(folder.glob("*.workdirectory*")) == []


@pytest.mark.parametrize("workers", [{}, {"parallel": True, "nworkers": 2}], ids=["serial", "two workers"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_that_is_ended_goes_on(
    folder: Path, whole: tuple[Path, dict[str, Any]], number: signal.Signals, workers: dict[str, object]
) -> None:
    with Job(command(**workers), folder, env=here()) as job:
        result = end(job, number, all_of_them=number == signal.SIGINT)
    assert result.status == 128 + number, result.text
    said = ENDED if number == signal.SIGTERM else "pclean: interrupted; the same command goes on"
    assert re.search(said, result.err), result.text
    check_rest(command(), folder, whole, here())


def test_script_that_is_ended_goes_on(folder: Path, whole: tuple[Path, dict[str, Any]]) -> None:
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    words = [sys.executable, "script.py", json.dumps(TWELVE_CYCLES)]
    with Job(words, folder, env=here()) as job:
        result = end(job, signal.SIGTERM)
    assert result.status == 143, result.text
    assert re.search(ENDED, result.err), result.text
    check_rest(words, folder, whole, here())


@pytest.mark.parametrize(
    ("mpi", "all_of_them"),
    [
        pytest.param(mpi, all_of_them, marks=[] if (mpi, all_of_them) == ("mpich", False) else [pytest.mark.long])
        for mpi in MPIS
        for all_of_them in (False, True)
    ],
    indirect=["mpi"],
)
def test_job_that_is_ended_goes_on(
    mpi: Mpi, folder: Path, whole: tuple[Path, dict[str, Any]], all_of_them: bool
) -> None:
    with Job([*image(mpi, 2, TWELVE_CYCLES), "--json"], folder) as job:
        result = end(job, signal.SIGTERM, all_of_them=all_of_them)
    check_end_of_job(mpi, result)
    check_rest([*image(mpi, 3, TWELVE_CYCLES), "--json"], folder, whole, {})


@pytest.mark.long
@pytest.mark.parametrize("once", [True, False], ids=["pclean run", "on each rank"])
def test_script_of_a_job_that_is_ended_goes_on(
    mpi: Mpi, folder: Path, whole: tuple[Path, dict[str, Any]], once: bool
) -> None:
    words = script_job(mpi, 2, folder, SCRIPT, json.dumps(TWELVE_CYCLES), once=once)
    with Job(words, folder) as job:
        result = end(job, signal.SIGTERM)
    check_end_of_job(mpi, result)
    check_rest(words, folder, whole, {})


def check_end_of_job(mpi: Mpi, result: Result) -> None:
    """Open MPI's mpirun has a status of its own for jobs that it ends, and passes on nothing that they say last."""
    assert result.status == (143 if mpi.name == "mpich" else 1), result.text
    assert mpi.name != "mpich" or re.search(ENDED, result.err), result.text


def test_interrupt_during_the_import_of_casatools_is_not_lost(folder: Path) -> None:
    code = "import signal, os, threading\nfrom pcleantask import casa\n"
    code += "threading.Timer({delay}, os.kill, (os.getpid(), signal.SIGINT)).start()\ncasa.load()\n"
    code += "import time\ntime.sleep(5)\nprint('lost')\n"
    for delay in (0.05, 0.1, 0.2, 0.3, 0.4):
        run = subprocess.run(
            [sys.executable, "-c", code.format(delay=delay)],
            cwd=folder, env={**os.environ, **here()}, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        assert "KeyboardInterrupt" in run.stderr, run.stderr
        assert "lost" not in run.stdout
