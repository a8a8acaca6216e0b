"""A Slurm of the tests' own: a controller and two nodes on this machine, with all that they keep in one folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.processes.mpi_jobs import processes_with

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "scancel", "scontrol", "sinfo")
NODES = ("n1", "n2")
LIMIT_S = 60.0
CONFIGURATION = """
ClusterName=pclean
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/linear
MpiDefault=none
KillWait=15
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def is_there() -> bool:
    """Whether Slurm is installed, and nodes may be started, which root alone may."""
    return os.geteuid() == 0 and all(map(shutil.which, PROGRAMS))


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for entry in sockets:
            entry.bind(("127.0.0.1", 0))
        return [entry.getsockname()[1] for entry in sockets]


class Slurm:
    """A cluster that runs.

    Attributes
    ----------
    environment : dict
        Variables by which Slurm's commands find it.
    """

    def __init__(self, folder: Path) -> None:
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}

    def tell(self, *words: str) -> str:
        """What a command of Slurm's prints."""
        done = subprocess.run(
            words, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def processes(self, *words: str) -> dict[int, str]:
        """What runs of its jobs with these words in the command line: pid -> command line."""
        return processes_with(f"SLURM_CONF={self.environment['SLURM_CONF']}", *words)

    def state(self, job: str) -> str:
        """Such as 'PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'."""
        told = dict(word.partition("=")[::2] for word in self.tell("scontrol", "show", "job", job).split())
        return told["JobState"]

    def wait(self, job: str, *states: str, limit_s: float = LIMIT_S) -> None:
        """Wait until a job is in one of these states."""
        deadline = time.monotonic() + limit_s
        while (found := self.state(job)) not in states:
            assert time.monotonic() < deadline, f"job {job} is {found}, not one of {states}, after {limit_s} s"
            time.sleep(0.1)


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Slurm]:
    """A cluster in a folder of its own; its daemons go at the end of the block."""
    (folder / "state").mkdir()
    host, (port, *ports) = socket.gethostname().partition(".")[0], _free_ports(1 + len(NODES))
    nodes = (
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={number} CPUs=4 RealMemory=4000"
        for name, number in zip(NODES, ports, strict=True)
    )
    text = CONFIGURATION.format(folder=folder, host=host, port=port, nodes="\n".join(nodes))
    (folder / "slurm.conf").write_text(text, encoding="utf-8")
    slurm = Slurm(folder)
    daemons: list[subprocess.Popen] = []
    try:
        for words in (["slurmctld", "-D", "-c"], *(["slurmd", "-D", "-N", name] for name in NODES)):
            daemons.append(
                subprocess.Popen(
                    words,
                    cwd=folder,
                    env={**os.environ, **slurm.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        _wait_for_nodes(slurm, folder)
        yield slurm
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for pid in slurm.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _wait_for_nodes(slurm: Slurm, folder: Path) -> None:
    deadline = time.monotonic() + LIMIT_S
    found = ""
    while time.monotonic() < deadline:
        with contextlib.suppress(AssertionError):
            found = slurm.tell("sinfo", "--noheader", "--Node", "--format=%T")
            if found.split() == ["idle"] * len(NODES):
                return
        time.sleep(0.2)
    logs = "\n".join(path.read_text(encoding="utf-8", errors="replace")[-2000:] for path in folder.glob("*.log"))
    raise AssertionError(f"Slurm's nodes are not there after {LIMIT_S} s: {found}\n{logs}")
