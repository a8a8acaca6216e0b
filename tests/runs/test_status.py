"""A run tells other processes what it is at, and ends after its running cycle where it is asked to."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from pcleantask import cli
from pcleantask.errors import MissingInputError
from pcleantask.images.planes import is_image
from pcleantask.runs.status import ask_to_finish, in_words, status
from tests.agreement.cases import CUBE
from tests.processes.mpi_jobs import Job, options

ROOT = Path(__file__).resolve().parents[2]
END_S = 60.0
LONG_CUBE: dict[str, Any] = {**CUBE, "imagename": "img", "niter": 100_000, "cycleniter": 2, "nmajor": 500}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line_ms: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("line.ms").symlink_to(line_ms)
    return tmp_path


def job(folder: Path, **more: object) -> Job:
    words = [sys.executable, "-m", "pcleantask", "image", *options({**LONG_CUBE, **more}), "--json"]
    return Job(words, folder, env={"PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize("workers", [{}, {"parallel": True, "nworkers": 2}], ids=["serial", "two workers"])
def test_running_cycle_is_the_last_where_that_is_asked_for(folder: Path, workers: dict[str, object]) -> None:
    with job(folder, **workers) as running:
        running.wait_for("    2 ")
        told = status("img")
        assert (told["state"], told["pid"]) == ("running", running.process.pid)
        assert told["stage"] == "cleaning"
        assert told["cycle"] >= 2
        assert 0 < told["peak_residual"] < 1
        assert told["kept_cycle"] >= 2
        assert cli.main(["finish", "img"]) == 0
        result = running.result(END_S)
    assert result.status == 0, result.text
    returned = json.loads(result.out)
    assert returned["stopcode"] == 3
    assert returned["nmajordone"] < 100
    assert is_image("img.image")
    assert status("img") == {"imagename": "img", "state": "none"}


def test_run_that_was_killed_is_told_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with job(folder) as running:
        running.wait_for("    2 ")
        os.kill(running.process.pid, signal.SIGKILL)
        running.result(END_S)
    assert cli.main(["status", "img", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["pid"]) == ("ended", running.process.pid)
    assert told["kept_cycle"] >= 2
    assert cli.main(["status", "img"]) == 0
    shown = capsys.readouterr().out
    assert shown.strip() == in_words(status("img"))
    assert f"kept: minor cycle {told['kept_cycle']}" in shown
    with pytest.raises(MissingInputError, match="no run is going on under that name"):
        ask_to_finish("img")
    assert cli.main(["finish", "img"]) == 2


def test_name_without_a_run_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "nothing/here"]) == 0
    assert capsys.readouterr().out == "nothing/here: no run\n"


def test_status_of_a_folder_that_is_not_ours_is_none() -> None:
    Path("img.workdirectory").mkdir()
    assert status("img")["state"] == "none"
