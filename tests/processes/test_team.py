"""A team of CASA processes on this machine: what goes over the connection, and what the processes are made of."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pcleantask.cores import usable_cores
from pcleantask.errors import ImagingError, WorkerError
from pcleantask.parallel.worker import Worker
from pcleantask.processes.team import LocalTeam, call_all, local_team, team_ahead
from pcleantask.processes.worker_process import answer
from tests.agreement.cases import CUBE

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 60.0
PROMPT_S = 10.0  # the longest time that a worker may outlive its parent
LAUNCHER = {
    "OMPI_COMM_WORLD_RANK": "1",
    "OPAL_PREFIX": "/nowhere",
    "PMIX_RANK": "1",
    "PMI_RANK": "1",
    "PMI_FD": "7",
    "MPI_LOCALRANKID": "1",
    "HYDRA_ARGS": "x",
    "SLURM_PROCID": "1",
}


@pytest.fixture
def team() -> Iterator[LocalTeam]:
    with LocalTeam(2) as made:
        yield made


def pids(team: LocalTeam) -> list[int]:
    return [answer["pid"] for answer in call_all(team, "hello")]


def environment_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def processor_time(pid: int) -> float:
    """What the process has used [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_running(pid: int) -> bool:
    """Whether the process is there, and no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False


def inet_sockets(pid: int) -> set[str]:
    """The process's sockets that the network can reach, as the kernel lists them."""
    links = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(os.readlink(path))
    own = {link.removeprefix("socket:[").rstrip("]") for link in links if link.startswith("socket:[")}
    assert own, "its connection to the parent is a socket"
    listed = set()
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        table = Path(f"/proc/{pid}/net/{kind}")
        if table.exists():
            listed |= {line.split()[9] for line in table.read_text().splitlines()[1:]}
    return own & listed


# --- calls ---


def test_results_are_in_the_order_of_the_workers(team: LocalTeam, tmp_path: Path) -> None:
    """The first worker is the last to answer, as it is stopped for a while."""
    first, second = pids(team)
    assert len({first, second, os.getpid()}) == 3
    os.kill(first, signal.SIGSTOP)
    waker = subprocess.Popen([sys.executable, "-c", f"import os, time; time.sleep(0.5); os.kill({first}, 18)"])
    assert pids(team) == [first, second]
    assert waker.wait(timeout=LIMIT_S) == 0


def test_first_workers_are_called_where_there_are_fewer_arguments(team: LocalTeam) -> None:
    assert len(team.call_each("hello", [()])) == 1
    assert team.call_each("hello", []) == []


def test_call_of_too_many_is_an_error(team: LocalTeam) -> None:
    with pytest.raises(ImagingError, match="3 calls of hello are too many for a team of 2"):
        team.call_each("hello", [()] * 3)
    team.close()
    with pytest.raises(ImagingError, match="too many for a team of 0"):
        team.call_each("hello", [()])


def test_error_of_a_worker_has_rank_host_and_its_traceback(team: LocalTeam) -> None:
    running = pids(team)
    with pytest.raises(WorkerError) as caught:
        team.call_each("assemble", [("nowhere",), ("nowhere",)])
    error = caught.value
    assert error.host == socket.gethostname()
    assert f"worker {error.rank} on {error.host} failed in assemble: " in str(error)
    assert "Traceback (most recent call last)" in error.trace
    assert "in assemble" in error.trace
    assert error.trace in str(error)
    assert not any(map(is_running, running))


def test_step_of_a_part_is_named_in_the_error(team: LocalTeam) -> None:
    with pytest.raises(WorkerError, match=r"worker \d on .* failed in make_psf: ImagingError: no part is open"):
        call_all(team, "part", "make_psf")


def test_error_goes_through_pickle_as_it_is() -> None:
    """As it has to where the caller is itself a worker, say of concurrent.futures."""
    error = WorkerError(3, "host", "make_psf", "ValueError: x", "the trace")
    error.args = (f"{error}\nmore",)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.rank, copy.host, copy.trace) == (str(error), 3, "host", "the trace")
    assert str(copy).endswith("the trace\nmore")


@pytest.mark.parametrize("status", [signal.SIGKILL, signal.SIGSEGV])
def test_death_of_an_idle_worker_is_told_at_the_next_call(team: LocalTeam, status: signal.Signals) -> None:
    first, second = pids(team)
    os.kill(second, status)
    with pytest.raises(WorkerError, match=rf"worker 1 on .* failed in hello: the process died \(.*{status.name}"):
        call_all(team, "hello")
    assert not is_running(first)


@pytest.mark.parametrize("status", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_last_words_of_a_worker_are_its_own(team: LocalTeam, status: signal.Signals) -> None:
    """The library by which casatools offers its services complained there of the port that we had closed."""
    first, _ = pids(team)
    os.kill(first, status)
    with pytest.raises(WorkerError) as caught:
        call_all(team, "hello")
    assert caught.value.trace == ""


def test_last_words_of_a_worker_that_cannot_start_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "casatools.py").write_text("raise RuntimeError('no such luck')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with LocalTeam(1) as team, pytest.raises(WorkerError, match=r"the process died .exit status 1.(.|\n)*no such luck"):
        call_all(team, "hello")


# --- a call names a method and is never code ---


@pytest.mark.parametrize("method", ["__init__", "_part", "__class__", "__getattribute__"])
def test_private_names_are_refused(method: str) -> None:
    kind, (name, message, _) = answer(Worker(), method, ())
    assert (kind, name, message) == ("error", "AttributeError", f"{method!r} is not for callers")


@pytest.mark.parametrize("method", ["print('x')", "os.getpid", "import os", "hello()", "hello.__func__", ""])
def test_code_is_no_method(method: str) -> None:
    kind, (name, _, _) = answer(Worker(), method, ())
    assert (kind, name) == ("error", "AttributeError")


def test_private_steps_are_refused() -> None:
    worker = Worker()
    worker._part = object()  # type: ignore[assignment]
    for step in ("__class__", "__init__", "_imager"):
        kind, (name, message, _) = answer(worker, "part", (step,))
        assert (kind, name, message) == ("error", "AttributeError", f"{step!r} is not a step")


# --- what the processes are made of ---


def test_environment_of_workers_is_free_of_the_launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mpi, other = tmp_path / "mpi", tmp_path / "other"
    for library in (mpi / "libmpi.so.40", other / "libmpfr.so.6"):
        library.parent.mkdir()
        library.touch()
    for name, value in LAUNCHER.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{mpi}:{other}")
    monkeypatch.setenv("SOMETHING_ELSE", "stays")
    with LocalTeam(2) as team:
        for pid in pids(team):
            found = environment_of(pid)
            assert not LAUNCHER.keys() & found.keys()
            assert found["LD_LIBRARY_PATH"] == str(other)
            assert found["SOMETHING_ELSE"] == "stays"
            libraries = Path(f"/proc/{pid}/maps").read_text()
            assert "casatools" in libraries
            assert str(mpi) not in libraries


def test_library_path_of_nothing_but_mpi_is_taken_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libmpi.so.40").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    with LocalTeam(1) as team:
        assert "LD_LIBRARY_PATH" not in environment_of(pids(team)[0])


@pytest.mark.parametrize("size", [1, 3])
def test_cores_are_shared_out(size: int) -> None:
    with LocalTeam(size) as team:
        shares = {environment_of(worker.process.pid).get("OMP_NUM_THREADS") for worker in team._workers if pids(team)}
    assert shares == {str(max(1, usable_cores() // size))}


def test_workers_listen_to_no_network(team: LocalTeam) -> None:
    """casatools opens a port at its import, as a process without our care shows."""
    assert [inet_sockets(pid) for pid in pids(team)] == [set(), set()]
    loading = "from pcleantask import casa; casa.set_up(); import casatools, sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", loading], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=python_environment()
    ) as plain:
        assert plain.stdout is not None
        assert plain.stdout.readline()
        assert inet_sockets(plain.pid)
        plain.communicate(timeout=LIMIT_S)


def python_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_start_and_waiting_cost_little(record_property: Callable[[str, object], None]) -> None:
    """The figures are reported, not asserted, but for a wait that would spin."""
    start = time.monotonic()
    with LocalTeam(2) as team:
        running = [*pids(team), os.getpid()]
        record_property("start of a team of two [s]", round(time.monotonic() - start, 2))
        before = [processor_time(pid) for pid in running[:2]]
        os.kill(running[0], signal.SIGSTOP)
        waker = subprocess.Popen([sys.executable, "-c", f"import os, time; time.sleep(2); os.kill({running[0]}, 18)"])
        lead = time.process_time()
        begin = time.monotonic()
        call_all(team, "hello")
        waited = time.monotonic() - begin
        shares = [(processor_time(pid) - used) / waited for pid, used in zip(running[:2], before, strict=True)]
        shares.append((time.process_time() - lead) / waited)
        waker.wait(timeout=LIMIT_S)
    assert waited > 1.5
    record_property("cores used by waiting workers and lead", [round(share, 3) for share in shares])
    sys.stderr.write(f"waited {waited:.1f} s, cores used by workers and lead: {shares}\n")
    assert max(shares) < 0.5


# --- the end ---


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_close_and_kill_leave_neither_process_nor_descriptor() -> None:
    LocalTeam(1).close()
    before = descriptors()
    for end in (LocalTeam.close, LocalTeam.kill, LocalTeam.close):
        made = LocalTeam(2)
        running = [worker.process.pid for worker in made._workers]
        end(made)
        end(made)
        assert not any(Path(f"/proc/{pid}").exists() for pid in running)
    assert descriptors() == before


def test_team_started_ahead_is_the_one_that_is_asked_for() -> None:
    before = children(os.getpid())
    with team_ahead(2):
        ahead = [pid for pid in children(os.getpid()) if pid not in before]
        assert len(ahead) == 2
        with local_team(2) as team:
            assert sorted(pids(team)) == sorted(ahead)
    assert not any(Path(f"/proc/{pid}").exists() for pid in ahead)


@pytest.mark.parametrize("asked", [0, 1], ids=["nobody asks", "of another size"])
def test_team_started_ahead_in_vain_is_ended(asked: int) -> None:
    before = children(os.getpid())
    with team_ahead(2):
        ahead = [pid for pid in children(os.getpid()) if pid not in before]
        for team in [local_team(asked)] if asked else []:
            assert not set(pids(team)) & set(ahead)
            team.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in ahead)


def test_worker_that_does_not_start_leaves_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(FileNotFoundError):
        LocalTeam(2)
    assert descriptors() == before


LEAD = """
import sys
from pcleantask.processes.team import LocalTeam, call_all
team = LocalTeam(1)
print(call_all(team, "hello")[0]["pid"], flush=True)
sys.stdin.read()
"""
IMAGING_LEAD = "from pcleantask import pclean; pclean(**{parameters})"


def children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, _, state = path.read_text().partition(" (")
            if int(state.rpartition(") ")[2].split()[1]) == parent:
                found.append(int(pid))
    return found


def wait_until(is_so: Callable[[], bool], limit_s: float) -> float:
    """Wait for it; how long that took [s]."""
    begin = time.monotonic()
    while not is_so():
        assert time.monotonic() - begin < limit_s
        time.sleep(0.02)
    return time.monotonic() - begin


def test_idle_worker_ends_when_its_parent_is_killed() -> None:
    lead = subprocess.Popen(
        [sys.executable, "-c", LEAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=python_environment()
    )
    assert lead.stdout is not None
    worker = int(lead.stdout.readline())
    assert is_running(worker)
    lead.kill()
    lead.communicate(timeout=LIMIT_S)
    wait_until(lambda: not is_running(worker), PROMPT_S)


@pytest.mark.parametrize("nchan", [0, 6], ids=["mfs", "cube"])
def test_worker_amid_the_work_of_casa_ends_when_its_parent_is_killed(
    dataset: Callable[[str], Path], tmp_path: Path, nchan: int
) -> None:
    """The images are so large that the PSF alone takes CASA many seconds."""
    parameters: dict[str, Any] = {**CUBE, "vis": str(dataset("line")), "imagename": "img", "imsize": 2500, "niter": 0}
    parameters |= {"parallel": True, "nworkers": 2}
    parameters |= {"nchan": nchan} if nchan else {"specmode": "mfs", "nchan": -1, "start": "", "width": ""}
    lead = subprocess.Popen(
        [sys.executable, "-c", IMAGING_LEAD.format(parameters=repr(parameters))],
        env=python_environment(),
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    try:
        psf = "img.workdirectory/part1/0-img.psf"
        wait_until(lambda: (tmp_path / psf).exists() or lead.poll() is not None, LIMIT_S)
        workers = children(lead.pid)
        assert len(workers) == 2
        before = [processor_time(pid) for pid in workers]
        wait_until(lambda: any(processor_time(p) > t + 0.1 for p, t in zip(workers, before, strict=True)), LIMIT_S)
    finally:
        lead.kill()
        lead.wait(timeout=LIMIT_S)
    took = wait_until(lambda: not any(map(is_running, workers)), PROMPT_S)
    sys.stderr.write(f"workers ended {took:.2f} s after their parent\n")
