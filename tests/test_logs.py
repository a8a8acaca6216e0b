"""What a run tells: the CASA log has casatasks' frame and nothing spurious, the terminal has the progress and no more.

Each call is made in a process of its own, so that its log and its terminal hold nothing else.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pcleantask import casa, parameters
from tests.agreement.cases import AUTO, CUBE, MFS, MOSAIC

HERE = Path(__file__).parent
LIMIT_S = 120.0
SMALL = {"imsize": 64, "niter": 40, "cycleniter": 20}
SMALL_CUBE = {**CUBE, **SMALL, "nchan": 3, "start": "230.002GHz"}
EMPTY = {**SMALL_CUBE, **AUTO, "sidelobethreshold": 2.0, "noisethreshold": 1000.0}  # no emission is that bright
CALLS: dict[str, dict[str, Any]] = {
    "mfs": {**MFS, **SMALL, "savemodel": "modelcolumn", "pbcor": True},
    "mtmfs": {**MFS, **SMALL, "deconvolver": "mtmfs", "nterms": 2},
    "mosaic": {**MFS, **MOSAIC, "niter": 10, "specmode": "mfs", "psfphasecenter": "J2000 10h00m00.3s -25d00m00.0s"},
    "cube": SMALL_CUBE,
    "cube-automask-nsigma": {**SMALL_CUBE, **AUTO, "nsigma": 3.0},
    "dirty": {**MFS, **SMALL, "niter": 0, "restoration": False},
}
DATA = {"continuum.ms": "continuum", "line.ms": "line", "mosaic.ms": "mosaic"}

CALL = "from pcleantask import pclean; pclean(**{parameters})"
TCLEAN = "from pcleantask import casa; casa.load(); from casatasks import tclean; tclean(**{parameters})"
STEPS = """
from pcleantask import PcleanConfig, SerialImager
with SerialImager(PcleanConfig.from_parameters(**{parameters})) as imager:
    imager.run()
"""
AFTERWARDS = "from pcleantask import casa, pclean; pclean(**{parameters}); casa.post('{text}')"

PROGRESS = re.compile(r"cycle +peak residual .*|( +\d+  .*Jy/beam .* \d+\.\d s)|stopped: [\w -]+ \(stop code \d\)")
CASA_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\t(WARN|SEVERE)\t.*")
# Data tables that are older than a year, as in any installation that isn't kept up to date.
OLD_TABLES = re.compile(r"MeasTable::dUTC|MeasTable::dUT1|MeasIERS")
# What tools say that are closed though they have nothing open.
SPURIOUS = re.compile("no table|not open|no image|no ms ", re.IGNORECASE)


@dataclass(frozen=True)
class Told:
    """What a process has told: lines of the CASA log, without the time, and of its two streams."""

    log: list[str]
    stdout: str
    stderr: list[str]
    status: int

    def warnings(self) -> list[str]:
        """Lines of the log above INFO, those about old tables left out."""
        return [
            line for line in self.log if line.startswith(("WARN", "SEVERE", "ERROR")) and not OLD_TABLES.search(line)
        ]


@pytest.fixture
def tell(tmp_path: Path, dataset: Callable[[str], Path]) -> Callable[..., Told]:
    """tell(script, parameters) runs the script in a process, in an empty folder with the data."""

    def told(script: str, params: dict[str, Any], **more: str) -> Told:
        name = params["vis"]
        if not (tmp_path / name).exists():
            # not a link: savemodel writes into it
            subprocess.run(["cp", "-r", str(dataset(DATA[name])), str(tmp_path / name)], check=True)
        process = subprocess.run(
            [sys.executable, "-c", script.format(parameters=repr({**params, "imagename": "img"}), **more)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        (log,) = tmp_path.glob("casa-*.log")
        lines = [line.split("\t", 1)[1] for line in log.read_text().splitlines()]
        log.unlink()
        return Told(lines, process.stdout, process.stderr.splitlines(), process.returncode)

    return told


def frame(told: Told, task: str) -> list[str]:
    """The lines in which the log says that a task begins and ends, times and parameters' values left out."""
    lines = [line.removeprefix(f"INFO\t{task}::::casa\t").replace(task, "TASK") for line in told.log]
    lines = [line for line in lines if line.startswith(("###", "TASK( ", "Task TASK "))]
    lines = [re.sub(r"\d{4}-\d\d-\d\d [\d:.]+", "TIME", line) for line in lines]
    return [re.sub(r"TASK\( .* \)$", "TASK( ... )", line) for line in lines]


@pytest.mark.parametrize("params", CALLS.values(), ids=CALLS)
def test_log_is_framed_and_free_of_spurious_lines(tell: Callable[..., Told], params: dict[str, Any]) -> None:
    told = tell(CALL, params)
    assert told.status == 0, told.stderr
    begin, end = (f"INFO\tpclean::::casa\t##### {word} Task: pclean" for word in ("Begin", "End"))
    assert sum(line.startswith(begin) for line in told.log) == 1
    assert told.log[-2].startswith(end)
    assert told.log[-1] == "INFO\tpclean::::casa\t" + "#" * 42
    assert [line for line in told.log if SPURIOUS.search(line)] == []
    assert told.warnings() == []
    work = [line for line in told.log if "\tpclean::Synthesis" in line or "\tpclean::SIImageStore" in line]
    assert len(work) > 5


def test_spurious_line_would_be_seen(tell: Callable[..., Told]) -> None:
    told = tell("from pcleantask import casa; casa.load().table().done()", CALLS["dirty"])
    assert any(SPURIOUS.search(line) for line in told.log)


def test_log_has_all_parameters_in_order(tell: Callable[..., Told]) -> None:
    told = tell(CALL, CALLS["dirty"])
    (line,) = [line for line in told.log if "\tpclean( " in line]
    names = re.findall(r"(?:\( |, )(\w+)=", line)
    assert names == list(parameters.definitions())
    assert "imagename='img'" in line
    assert "niter=0" in line
    assert "psfcutoff=0.35" in line


def test_log_frame_is_that_of_tclean(tell: Callable[..., Told]) -> None:
    ours, theirs = tell(CALL, CALLS["dirty"]), tell(TCLEAN, CALLS["dirty"])
    expected = frame(theirs, "tclean")
    assert len(expected) == 6
    assert expected[2] == "TASK( ... )"
    assert frame(ours, "pclean") == expected


@pytest.mark.parametrize("params", CALLS.values(), ids=CALLS)
def test_terminal_shows_progress_only(tell: Callable[..., Told], params: dict[str, Any]) -> None:
    told = tell(CALL, params)
    assert told.stdout == ""
    others = [line for line in told.stderr if not PROGRESS.fullmatch(line)]
    assert [line for line in others if not (CASA_LINE.fullmatch(line) and OLD_TABLES.search(line))] == []
    if params["niter"]:
        assert sum(bool(PROGRESS.fullmatch(line)) for line in told.stderr) >= 3


def test_imager_without_task_writes_to_log_and_not_to_terminal(tell: Callable[..., Told]) -> None:
    """casatools sends its messages to the terminal where no log sink has been made."""
    told = tell(STEPS, CALLS["mfs"])
    assert told.status == 0, told.stderr
    assert told.stdout == ""
    assert [line for line in told.stderr if not (CASA_LINE.fullmatch(line) and OLD_TABLES.search(line))] == []
    assert any("SynthesisImagerVi2::selectData" in line for line in told.log)


def test_failing_call_is_in_log_with_its_error(tell: Callable[..., Told]) -> None:
    told = tell(CALL, {**CALLS["mfs"], "field": "nowhere"})
    assert told.status == 1
    (line,) = [line for line in told.log if "raised an exception" in line]
    assert line.startswith("SEVERE\tpclean::::casa\tTask pclean raised an exception of class SelectionError")
    assert "nowhere" in line
    assert told.log[-2].startswith("INFO\tpclean::::casa\t##### End Task: pclean")


def statistics_only(line: str) -> bool:
    return "No regions found by automasking" in line or "but no emission was found" in line


@pytest.mark.parametrize("nsigma", [0.0, 3.0])
def test_empty_automask_is_told_once_and_with_what_to_lower(tell: Callable[..., Told], nsigma: float) -> None:
    told = tell(CALL, {**EMPTY, "nsigma": nsigma})
    assert told.status == 0, told.stderr
    (warning,) = [line for line in told.warnings() if "mask" in line]
    assert "The automask has found no emission in any channel. 3 of 3 channels used the noise threshold" in warning
    assert warning.endswith("try a lower noisethreshold")
    assert not any(statistics_only(line) for line in [*told.log, *told.stderr])
    assert "stopped: zero mask (stop code 7)" in told.stderr


def test_empty_automask_of_casa_keeps_its_warnings(tell: Callable[..., Told]) -> None:
    """The same call with CASA's automask: the warnings that ours stands for."""
    told = tell(CALL, {**EMPTY, "nsigma": 3.0, "automaskengine": "casa"})
    assert sum(statistics_only(line) for line in told.log) == 2
    assert any("3 of 3 channels used the noise threshold" in line for line in told.log)


def test_message_filter_ends_with_the_mask(tell: Callable[..., Told]) -> None:
    text = "No regions found by automasking"
    told = tell(AFTERWARDS, CALLS["cube-automask-nsigma"], text=text)
    assert [line for line in told.log if text in line] == [f"INFO\tpclean::pclean::casa\t{text}"]


def test_without_messages_keeps_only_those_texts_out(tmp_path: Path) -> None:
    log = Path(casa.log().logfile())
    marks = [f"{tmp_path.name} {number}" for number in range(3)]
    with casa.without_messages(f"{tmp_path.name} 1"):
        for mark in marks:
            casa.post(f"inside {mark}")
    for mark in marks:
        casa.post(f"outside {mark}")
    found = re.findall(rf"(\w+) {re.escape(tmp_path.name)} (\d)", log.read_text())
    assert found == [("inside", "0"), ("inside", "2"), ("outside", "0"), ("outside", "1"), ("outside", "2")]
