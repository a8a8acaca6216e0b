"""What hubs are made of, without MPI: who is a rank, what children see, shares of cores, whether ranks agree."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from pcleantask.errors import ImagingError, ParameterError, PcleanError, RankMismatchError, WorkerError
from pcleantask.parallel.worker import Worker
from pcleantask.processes import environment, mpi_team
from pcleantask.processes.packing import pack_error, unpack_error

LAUNCHERS = [
    ({}, 0),
    ({"OMPI_COMM_WORLD_SIZE": "4"}, 4),
    ({"OMPI_COMM_WORLD_SIZE": "1"}, 1),  # Open MPI's mpirun keeps casatools from being imported, even with one rank
    ({"PMI_SIZE": "8", "PMI_RANK": "0"}, 8),
    ({"PMI_SIZE": "1"}, 0),
    ({"SLURM_STEP_NUM_TASKS": "3", "SLURM_NTASKS": "3"}, 3),
    ({"SLURM_NTASKS": "16", "SLURM_PROCID": "0"}, 0),  # a batch script itself is no rank
    ({"JSM_NAMESPACE_SIZE": "6"}, 6),
    ({"PMI_SIZE": "many"}, 0),
]


@pytest.mark.parametrize(("variables", "ranks"), LAUNCHERS)
def test_a_rank_is_known_by_its_launchers_variables(variables: dict[str, str], ranks: int) -> None:
    assert environment.launched_ranks(variables) == ranks


@pytest.mark.parametrize(
    ("variables", "rank"),
    [
        ({}, 0),
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3"}, 3),
        ({"PMI_SIZE": "8", "PMI_RANK": "0"}, 0),
        ({"PMI_SIZE": "8", "PMI_RANK": "7"}, 7),
        ({"SLURM_STEP_NUM_TASKS": "3", "SLURM_PROCID": "2"}, 2),
        ({"PMI_RANK": "many"}, 0),
    ],
)
def test_which_rank_it_is_is_known_as_well(variables: dict[str, str], rank: int) -> None:
    assert environment.launched_rank(variables) == rank


def test_lead_knows_of_the_batch_job_and_not_of_the_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"SLURM_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3", "PBS_JOBID": "8", "HOME": "/home/me"}
    rank = {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "2", "PMI_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"}
    lead = environment.lead_environment({**job, **rank, "PYTHONPATH": "mine"}, 4)
    assert {name: lead.get(name) for name in job} == job
    assert rank.keys().isdisjoint(lead)
    assert environment.launched_ranks(lead) == 0
    assert lead["OMP_NUM_THREADS"] == "4"
    assert environment.lead_environment({"OMP_NUM_THREADS": "2"}, 4)["OMP_NUM_THREADS"] == "2"
    environment.restore_python_path(lead)
    assert lead["PYTHONPATH"] == "mine"


def test_cores_are_shared_among_the_ranks_that_may_use_them() -> None:
    both, left, right = set(range(8)), {0, 1}, {2, 3}
    assert environment.shares({0: ("a", both), 1: ("a", both)}) == {0: 4, 1: 4}
    assert environment.shares({0: ("a", both), 1: ("b", both)}) == {0: 8, 1: 8}
    assert environment.shares({0: ("a", left), 1: ("a", right)}) == {0: 2, 1: 2}
    assert environment.shares(dict.fromkeys(range(5), ("a", left))) == dict.fromkeys(range(5), 1)
    assert environment.shares(dict.fromkeys(range(3), ("a", both | {8}))) == dict.fromkeys(range(3), 3)


class OddError(Exception):
    """Can't be made from what it says."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} {two}")


@pytest.mark.parametrize(
    "error",
    [ParameterError("nchan must be positive"), ImagingError("x"), RankMismatchError("y"), ValueError("z")],
)
def test_error_is_the_same_in_another_process(error: Exception) -> None:
    again = unpack_error(pack_error(error, "the lines there"))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert "the lines there" in str(again.__cause__)


def test_worker_error_keeps_its_place_in_another_process() -> None:
    again = unpack_error(pack_error(WorkerError(3, "node7", "part", "it died", "last words")))
    assert isinstance(again, WorkerError)
    assert (again.rank, again.host, again.trace) == (3, "node7", "last words")


def test_error_that_cannot_be_packed_keeps_its_words() -> None:
    again = unpack_error(pack_error(OddError(1, 2)))
    assert type(again) is PcleanError
    assert str(again) == "OddError: 1 2"


# --- the team of the lead, with a hub that the test plays ---


@pytest.fixture
def hub() -> tuple[mpi_team.HubLink, Connection]:
    ours, theirs = multiprocessing.Pipe()
    return mpi_team.HubLink(ours, 2), theirs


def play(connection: Connection, *answers: list[tuple[Any, ...]]) -> list[Any]:
    """Answer requests, each with what `answers` has for it, in a thread; what was asked."""
    asked: list[Any] = []

    def answering() -> None:
        for answer in answers:
            asked.append(connection.recv())
            for values in answer:
                connection.send((asked[-1][1], *values))

    threading.Thread(target=answering, daemon=True).start()
    return asked


def packed(value: Any) -> bytes:
    return pickle.dumps(("result", value))


ENTERED = [(0, "a", "answer", packed(None)), (1, "b", "answer", packed(None))]


def test_team_gives_results_in_the_order_of_ranks(hub: tuple[mpi_team.HubLink, Connection]) -> None:
    link, theirs = hub
    late_first = [(1, "b", "answer", packed("one")), (0, "a", "answer", packed("zero"))]
    asked = play(theirs, ENTERED, late_first, [()])
    team = mpi_team.MpiTeam(link, 5)
    assert team.size == 2
    assert team.call_each("part", [("x",), ("y",)]) == ["zero", "one"]
    team.close()
    assert team.size == 0
    assert [request[0] for request in asked] == ["call", "call", "renew"]


def test_failure_names_rank_host_and_step_and_workers_are_renewed(hub: tuple[mpi_team.HubLink, Connection]) -> None:
    """The other worker's answer comes after that, and must not be taken for one to the next call."""
    link, theirs = hub
    died = [(1, "node7", "dead", ("the process died (signal 9)", "last words"))]
    asked = play(theirs, ENTERED, died, [()], ENTERED, [(0, "a", "answer", packed("new"))])
    team = mpi_team.MpiTeam(link, 2)
    with pytest.raises(WorkerError, match=r"worker 1 on node7 failed in make_psf: the process died \(signal 9\)"):
        team.call_each("part", [("make_psf",), ("make_psf",)])
    assert asked[2][0] == "renew"
    assert not asked[2][2], "at once"
    theirs.send((2, 0, "a", "answer", packed("stale")))
    assert mpi_team.MpiTeam(link, 2).call_each("part", [("x",)]) == ["new"]


def test_folder_that_a_rank_does_not_see_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImagingError, match=r"can't work in '.*absent'.*all workers must see the disk"):
        Worker().enter(str(tmp_path / "absent"))


# --- ranks that differ: in a process of its own, as the hub's module loads mpi4py ---

DIFFERENCES = """
import numpy as np
from pcleantask.processes.head_hub import first_difference
from pcleantask.processes.job import _plain
texts = lambda **values: {name: repr(_plain(value)) for name, value in values.items()}
one, two = texts(imsize=np.array([512] * 2000), niter=np.int64(5)), texts(imsize=[512] * 2000, niter=5)
same = {0: ("call", one), 1: ("call", two)}
assert first_difference(same) == "", first_difference(same)
print(first_difference({**same, 2: ("call", texts(imsize=[512] * 2000, niter=6))}))
print(first_difference({0: ("call", {}), 1: ("command", {})}))
"""


def test_ranks_are_told_where_they_differ(tmp_path: Path) -> None:
    pytest.importorskip("mpi4py")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    stub = "import sys, types; sys.modules['mpi4py'] = types.SimpleNamespace(MPI=types.SimpleNamespace())\n"
    run = subprocess.run(
        [sys.executable, "-c", stub + DIFFERENCES],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    first, second = run.stdout.splitlines()
    assert "niter is 5 on rank 0 and 6 on rank 2" in first
    assert second == "rank 0 makes a call of pclean, rank 1 a command"
