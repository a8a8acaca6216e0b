"""What the user's log is told of the workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcleantask import SerialImager
from pcleantask.parallel.plan import Plan
from pcleantask.parallel.team_runs import make_run
from pcleantask.processes.worker_logs import warnings
from tests.agreement.compare import compare_products, peak, products
from tests.test_failures import SMALL_CUBE, SMALL_MFS, config_of

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120.0
CALL = "from pcleantask import pclean; pclean(**{parameters})"
LOG = """2026-11-22 14:38:27\tINFO\tx::y\tall is well
2026-11-22 14:38:27\tWARN\tx::y(int)\tbeam is odd
2026-11-22 14:38:27\tWARN\tx::y(int)+\tand long
2026-11-22 14:38:28\tSEVERE\tz\t{}
2026-11-22 14:38:29\tWARN\tx::y(int)\tbeam is odd
"""
BY_CUBE = {"specmode": "mvc", "deconvolver": "mtmfs"}
PARALLEL = {"parallel": True, "nworkers": 2}
SHARES = {
    "mfs": r"worker 0 on \S+: rows ROWNUMBER\(\) .*worker 1 on \S+: rows ROWNUMBER\(\) ",
    "cube": r"worker 0 on \S+: channels 0~1; worker 1 on \S+: channels 2~3\)",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_warning_is_told_once_with_its_workers(folder: Path) -> None:
    logs = [folder / "part0.log", folder / "part1.log", folder / "missing.log"]
    for log, text in zip(logs, ("disk is slow", "disk is hot"), strict=False):
        log.write_text(LOG.format(text))
    assert warnings(logs) == [
        "worker 0, 1: beam is odd and long (x::y(int))",
        "worker 0: disk is slow (z)",
        "worker 0, 1: beam is odd (x::y(int))",
        "worker 1: disk is hot (z)",
    ]


def log_of_run(folder: Path, dataset: Callable[[str], Path], parameters: dict[str, Any]) -> list[str]:
    """The lines of the CASA log of a parallel run in a process of its own."""
    vis = str(dataset("line" if "nchan" in parameters else "continuum"))
    call = CALL.format(parameters=repr({**parameters, **PARALLEL, "vis": vis, "imagename": "img"}))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    (folder / "run").mkdir()
    process = subprocess.run(
        [sys.executable, "-c", call],
        env=environment,
        cwd=folder / "run",
        timeout=LIMIT_S,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    (log,) = (folder / "run").glob("casa*.log")
    return log.read_text().splitlines()


@pytest.mark.parametrize("parameters", [SMALL_MFS, {**SMALL_CUBE, "nchan": 4}], ids=["mfs", "cube"])
def test_log_says_who_imaged_what(folder: Path, dataset: Callable[[str], Path], parameters: dict[str, Any]) -> None:
    lines = [line for line in log_of_run(folder, dataset, parameters) if "Imaged by 2 workers" in line]
    assert len(lines) == 1
    assert re.search(SHARES[parameters["specmode"]], lines[0])
    assert "part0.log and so on in 'img.workdirectory'" in lines[0]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({**SMALL_MFS, "gridder": "widefield", "facets": 2}, "facets are imaged together"),
        ({**SMALL_MFS, "gridder": "wproject", "wprojplanes": -1}, "the planes depend on all rows"),
        ({**SMALL_MFS, **BY_CUBE}, "needs the whole cube between its cycles"),
        ({**SMALL_CUBE, "nchan": 4, "veltype": "optical"}, "the channels are not regular"),
    ],
)
def test_log_says_why_a_run_is_not_split(
    folder: Path, dataset: Callable[[str], Path], parameters: dict[str, Any], reason: str
) -> None:
    lines = [line for line in log_of_run(folder, dataset, parameters) if "Imaged in one process: " in line]
    assert len(lines) == 1
    assert reason in lines[0]
    assert "WARN" in lines[0]


def descriptors() -> list[str]:
    found = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            found.append(os.readlink(path))
        except FileNotFoundError:
            continue
    return found


@pytest.mark.parametrize("parameters", [SMALL_MFS, {**SMALL_CUBE, "nchan": 4}], ids=["mfs", "cube"])
def test_runs_of_one_session_are_equal_and_leave_no_process_and_no_descriptor(
    folder: Path, dataset: Callable[[str], Path], parameters: dict[str, Any]
) -> None:
    """Parallel, parallel, serial, parallel."""
    (folder / "data.ms").symlink_to(dataset("line" if "nchan" in parameters else "continuum"))
    made, counts = [], []
    for name, more in (("first", PARALLEL), ("second", PARALLEL), ("serial", {}), ("last", PARALLEL)):
        config = config_of({**parameters, **more})
        with SerialImager(config, run=make_run(config, Plan.of(config))) as imager:
            imager.run()
        made.append(
            {suffix: path.rename(folder / f"{name}{suffix}") for suffix, path in products(folder, "img").items()}
        )
        counts.append(len(descriptors()))
        assert not children()
    first, second, serial, last = made
    assert peak(first[".model"]) > 0.1
    assert compare_products(first, second) == []
    assert compare_products(first, last) == []
    if parameters["specmode"] == "cube":
        assert compare_products(serial, first) == []
    assert counts[1] <= counts[0]
    assert counts[3] <= counts[2], descriptors()


def children() -> list[int]:
    """The processes, zombies among them, that this one has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, state = path.read_text().partition(" (")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(state.rpartition(") ")[2].split()[1]) == os.getpid():
            found.append(int(pid))
    return found
