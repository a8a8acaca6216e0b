"""CASA tasks in a process of their own: a server that answers calls, and the handle that a test holds.

tclean is the oracle and must not share a process with pclean: the iteration controller of casatools is one a process.
Importing casatasks takes seconds, so that one process serves many calls. A call that exceeds its time limit is a
failure; its process is killed and the next call gets a new one.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Call:
    """One call of a task, and its parameters.

    It is 'pclean', one of casatasks', 'forget' (data/casacore_memory.py), or 'resumed' (killed.py).
    """

    task: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a call came to: its return value or the traceback of its exception, and its duration [s]."""

    value: Any
    error: str
    seconds: float


class TaskProcess:
    """A process that runs tasks. As a context manager it ends with the block.

    Parameters
    ----------
    log_dir : Path
        Where it runs and writes its log.
    environment : dict
        Variables that it has besides this process's. Two sides of a test run at once, on images too small to share
        out: one thread each.
    """

    def __init__(self, log_dir: Path, environment: dict[str, str] = ONE_THREAD) -> None:
        self.log_dir = log_dir
        self._environment = environment
        self._process: subprocess.Popen | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> TaskProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, calls: Sequence[Call], workdir: Path) -> None:
        """Start `calls`, one after another, in `workdir`; at the first failure the rest is left out."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        assert self._connection is not None
        self._connection.send(([(call.task, call.params) for call in calls], str(workdir)))

    def receive(self, limit_s: float) -> list[Outcome]:
        """The outcomes of what was sent; one short of it, and a hang or a crash is an outcome with an error."""
        assert self._connection is not None
        assert self._process is not None
        start = time.monotonic()
        if not self._connection.poll(limit_s):
            self.close(kill=True)
            return [Outcome(None, f"no answer after {limit_s} s", limit_s)]
        try:
            return [Outcome(*answer) for answer in self._connection.recv()]
        except (EOFError, ConnectionResetError):
            code = self._process.wait()
            self.close()
            return [Outcome(None, f"the process ended with exit code {code}", time.monotonic() - start)]

    def run(self, calls: Sequence[Call], workdir: Path, limit_s: float = 120.0) -> list[Outcome]:
        """Run `calls` in `workdir` and return their outcomes."""
        self.send(calls, workdir)
        return self.receive(limit_s)

    def _start(self) -> None:
        here, there = socket.socketpair()
        log = (self.log_dir / "runner.out").open("ab")
        with there, log:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(there.fileno())],
                cwd=self.log_dir,
                env={**os.environ, **self._environment},
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._connection = Connection(here.detach())

    def close(self, kill: bool = False) -> None:
        """End the process: it leaves when the connection closes."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            if kill:
                self._process.kill()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _task(name: str) -> Any:
    from pcleantask import casa

    casa.load()
    if name == "forget":
        from pcleantask.gridding.data.casacore_memory import forget

        return forget
    if name == "resumed":
        from killed import resumed  # beside this program

        return resumed
    if name == "pclean":
        from pcleantask import pclean

        return pclean
    import casatasks

    return getattr(casatasks, name)


def _answer(task: str, params: dict[str, Any]) -> tuple[Any, str, float]:
    function = _task(task)  # importing takes seconds, which are no part of the call
    start = time.monotonic()
    try:
        value, error = function(**params), ""
    except Exception:  # noqa: BLE001  whatever a task raises is what the caller wants to see
        value, error = None, traceback.format_exc()
    return value, error, time.monotonic() - start


def serve(connection: Connection) -> None:
    """Answer lists of calls until the other side closes. CASA's log is where it is loaded, away from the calls."""
    home = Path.cwd()
    _task("version_string")
    while True:
        try:
            calls, workdir = connection.recv()
        except EOFError:
            return
        os.chdir(workdir)
        answers = []
        for task, params in calls:
            answers.append(_answer(task, params))
            if answers[-1][1]:
                break
        os.chdir(home)
        connection.send(answers)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
