"""What a process that has loaded CASA shows to the outside, and takes from beside the data."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pcleantask import casa, ownprocess
from pcleantask.processes.environment import python_command
from pcleantask.processes.team import LocalTeam, call_all

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 120
LISTENING = """
import os, pathlib
def ports():
    inodes = {os.stat(f"/dev/fd/{name}").st_ino for name in os.listdir("/dev/fd") if os.path.exists(f"/dev/fd/{name}")}
    tables = [pathlib.Path(f"/proc/net/{kind}") for kind in ("tcp", "tcp6")]
    lines = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return [words[1] for words in lines if words[3] == "0A" and int(words[9]) in inodes]
"""
SHADOWED = ("numpy", "socket", "casasiteconfig", "argparse", "scipy", "json", "random")


def output(code: str, folder: Path) -> str:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def test_process_that_calls_pclean_listens_at_no_port_and_ends_as_ever(tmp_path: Path) -> None:
    code = "from pcleantask import pclean\ntry:\n    pclean(vis='gone.ms', imagename='x')\nexcept FileNotFoundError:\n"
    asked = f"{LISTENING}{code}    assert 'casatools' in sys.modules\nprint(ports())"
    assert output(asked, tmp_path) == "[]\n"
    by_casatools = f"{LISTENING}from pcleantask import casa\ncasa.set_up()\nimport casatools\nprint(len(ports()))"
    assert output(by_casatools, tmp_path) == "1\n", "casatools opens none by itself any more"


def test_malloc_is_tuned_where_the_c_library_can() -> None:
    assert ownprocess.tune_malloc() == (sys.platform == "linux")


def test_ports_that_were_there_before_stay() -> None:
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", 0))
        mine.listen()
        with ownprocess.without_new_ports():
            other = socket.socket()
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
        socket.create_connection(mine.getsockname(), timeout=LIMIT_S).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
        other.close()


def test_as_many_files_may_be_open_as_the_system_allows(tmp_path: Path) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most < 8:
        pytest.skip("this system has no limit to raise")
    code = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, {most}))\nfrom pcleantask import casa\n"
    shown = "casa.load()\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))"
    assert output(code.format(most=most) + shown, tmp_path) == f"({most}, {most})\n"


@pytest.fixture
def beside_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which programs lie that bear the names of modules and leave a mark when they are run."""
    for name in SHADOWED:
        text = (
            f"open({str(tmp_path / ('ran-' + name))!r}, 'w').close()\nraise SystemExit('{name} of the data was run')\n"
        )
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_workers_run_nothing_that_lies_beside_the_data(beside_the_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    casa.load()
    monkeypatch.setattr(sys, "path", ["", str(beside_the_data), *sys.path])
    with LocalTeam(2) as team:
        assert len(call_all(team, "hello")) == 2
    assert not list(beside_the_data.glob("ran-*"))


@pytest.mark.parametrize("command", [["-m", "pcleantask"], ["-mpcleantask"], ["-m", "pcleantask.cli"]])
def test_command_runs_nothing_that_lies_beside_the_data(beside_the_data: Path, command: list[str]) -> None:
    words = [sys.executable, *command, "image", "--vis", "gone.ms", "--imagename", "x"]
    run = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (run.returncode, "gone.ms" in run.stderr) == (2, True), run.stderr
    assert not list(beside_the_data.glob("ran-*"))


def test_module_of_ours_is_run_without_what_lies_beside_the_data(beside_the_data: Path) -> None:
    run = subprocess.run(
        python_command("pcleantask", "--version"), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert run.stdout.startswith("pcleantask "), run.stderr
    assert not list(beside_the_data.glob("ran-*"))
