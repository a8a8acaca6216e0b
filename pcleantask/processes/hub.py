"""Hubs: what each rank's MPI process is. A hub never loads CASA; it passes calls between the lead and the workers.

Every rank's hub has one worker as child. Rank 0's also has the lead, the CASA process that runs the command, the script
or the call; what the lead asks for goes over a pipe to rank 0's hub, by MPI to the others, and over a pipe to their
workers. Who waits sleeps between two looks for messages, as MPI's own waiting spins.

Ranks take part in a job by joining it; one that ends its script instead says that it leaves, and those who wait for it
get an error.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection, wait
from typing import Any

from ..cores import cores_of_this_process
from .mpi import World
from .signals import INTERRUPTED, TERMINATED
from .silence import limit_s, look_s
from .team import PATIENCE, LocalWorker, how_ended

TERMINATION_S = 8.0  # that a job has to end after SIGTERM
SHORTEST_S, LONGEST_S = 0.001, 0.02  # between two looks for messages


class Hub:
    """One rank of the job.

    Parameters
    ----------
    world : World
        The ranks.
    """

    def __init__(self, world: World) -> None:
        limit_s()  # raises where it is wrong, before anybody waits
        self._world, self._host, self._process = world, socket.gethostname(), os.getpid()
        self._worker: LocalWorker | None = None
        self._threads = 1
        self._death: tuple[str, str] | None = None  # of the worker: how it ended, its last words
        self._number: int | None = None  # of the call that the worker is at
        self._outcome: tuple[str, Any] | None = None
        self._last_event = self._last_look = time.monotonic()
        self._terminated_at: float | None = None  # when this rank was told by SIGTERM to end

    def join(self, task: str, said: Mapping[str, str], request: Any) -> tuple[str, Any]:
        """Take part in a job, until it is done.

        Parameters
        ----------
        task : str
            'command' or 'call': what the lead is to do.
        said : mapping
            What this rank asks for, name -> value as text; the ranks must agree.
        request : object
            What this rank asks for, as rank 0's is given to the lead.

        Returns
        -------
        tuple
            ('status', exit status of the lead), ('return', packed value) or ('raise', packed error).
        """
        self._outcome = None
        cores = sorted(cores_of_this_process())
        self._world.send(0, ("join", task, dict(said), request, self._process, self._host, cores))
        try:
            with self._hearing_sigterm():
                while self._outcome is None:
                    self._turn()
                    self._check_end()
                self._world.flush()
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt):
                traceback.print_exc()
            self._world.abort(INTERRUPTED)
            raise
        if self._terminated_at is not None:
            sys.exit(TERMINATED)
        return self._outcome

    @contextlib.contextmanager
    def _hearing_sigterm(self) -> Iterator[None]:
        """A block in which SIGTERM, which launchers send to all ranks, ends the job in order: the lead first."""
        is_ours = threading.current_thread() is threading.main_thread() and (
            signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        )
        if is_ours:
            signal.signal(signal.SIGTERM, lambda *_: self._on_sigterm())
        try:
            yield
        finally:
            if is_ours:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _on_sigterm(self) -> None:
        if self._terminated_at is None:
            self._terminated_at = time.monotonic()

    def _check_end(self) -> None:
        """End the job where it was to end and doesn't."""
        if self._terminated_at is not None and time.monotonic() - self._terminated_at > TERMINATION_S:
            self._world.abort(TERMINATED)

    def leave(self) -> None:
        """Say that this rank joins no more, and end its worker."""
        if os.getpid() == self._process and not self._world.is_over():
            self.end()
            self._world.send(0, ("leave",))
            self._world.flush()

    def end(self) -> None:
        """End this rank's worker."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()

    def _connections(self) -> list[Connection]:
        """What to listen to, besides MPI."""
        return [self._worker.connection] if self._worker is not None and self._death is None else []

    def _turn(self) -> list[Connection]:
        """Wait a moment, and pass on what has come; the connections on which there is something."""
        connections, pause = self._connections(), self._pause()
        if not connections:
            time.sleep(pause)
        ready: list[Any] = wait(connections, pause) if connections else []
        if self._worker is not None and self._worker.connection in ready:
            self._pass_answer(self._worker)
        for sender, (kind, *values) in self._world.arrived():
            self._last_event = time.monotonic()
            getattr(self, f"_on_{kind}")(sender, *values)
        if ready:
            self._last_event = time.monotonic()
        if time.monotonic() - self._last_look >= look_s():
            self._last_look = time.monotonic()
            self._look()
        return ready

    def _look(self) -> None:
        """Tell rank 0 that this rank is there, and whether its worker does what it was called for."""
        if self._worker is not None and self._number is not None:
            pulse = self._worker.pulse
            self._world.send(0, ("sign", self._number, pulse.pid, pulse.beats()))

    def _pause(self) -> float:
        """Seconds until the next look for messages: a twentieth of what has been waited, within bounds."""
        return min(max((time.monotonic() - self._last_event) / 20, SHORTEST_S), LONGEST_S)

    def _pass_answer(self, worker: LocalWorker) -> None:
        """Send what the worker has answered, or that it has died, to rank 0."""
        try:
            answer = worker.connection.recv_bytes()
        except (EOFError, OSError):
            self._death = f"the process died ({how_ended(worker.process.wait())})", worker.last_words()
            if self._number is not None:
                self._answer("dead", self._death)
            return
        self._answer("answer", answer)

    def _answer(self, kind: str, what: Any) -> None:
        self._world.send(0, ("answer", self._number, self._host, kind, what))
        self._number = None

    def _on_start(self, _: int, threads: int) -> None:
        """Start the worker, if it isn't there yet."""
        self._threads = threads
        if self._worker is None:
            self._start_worker()

    def _start_worker(self) -> None:
        self._death = self._number = None
        self._worker = LocalWorker(self._world.rank, self._threads, min(1.0, self._threads / (os.cpu_count() or 1)))

    def _on_call(self, _: int, number: int, call: bytes) -> None:
        """Let the worker answer a call."""
        self._number = number
        if self._worker is None or self._death is not None:
            self._answer("dead", self._death)
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has died: `_pass_answer` finds it
            self._worker.connection.send_bytes(call)

    def _on_renew(self, _: int, number: int, gently: bool) -> None:
        """Put a new worker in the old one's place."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end(patience=PATIENCE) if gently else worker.kill()
        self._world.send(0, ("renewed", number))
        self._start_worker()

    def _on_outcome(self, _: int, outcome: tuple[str, Any]) -> None:
        self._outcome = outcome
