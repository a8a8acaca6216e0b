"""Hubs: what each rank's MPI process is. A hub never loads CASA; it passes calls between the lead and the workers.

Every rank's hub has one worker as child. Rank 0's also has the lead, the CASA process that runs the command, the script
or the call; what the lead asks for goes over a pipe to rank 0's hub, by MPI to the others, and over a pipe to their
workers. Who waits sleeps between two looks for messages, as MPI's own waiting spins.

Ranks take part in a job by joining it; one that ends its script instead says that it leaves, and those who wait for it
get an error.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pickle
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
from ..errors import LeadError, RankMismatchError
from .environment import shares
from .lead_process import Lead
from .mpi import World
from .packing import pack_error, unpack_error
from .signals import INTERRUPTED, TERMINATED
from .team import PATIENCE, LocalWorker, how_ended

KILLED = 128  # plus the signal: the exit status of a process that was killed, as shells give it
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
        self._world, self._host, self._process = world, socket.gethostname(), os.getpid()
        self._worker: LocalWorker | None = None
        self._threads = 1
        self._death: tuple[str, str] | None = None  # of the worker: how it ended, its last words
        self._number: int | None = None  # of the call that the worker is at
        self._outcome: tuple[str, Any] | None = None
        self._last_event = time.monotonic()
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
        self._world.send(0, ("join", task, dict(said), request, self._host, sorted(cores_of_this_process())))
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
        return ready

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


class HeadHub(Hub):
    """Rank 0: it has the lead, and knows who has joined."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._lead: Lead | None = None
        self._task = ""
        self._joined: dict[int, tuple[Any, ...]] = {}
        self._left: set[int] = set()
        self._renewed: set[int] = set()
        self._leads_on = False  # whether a job is going on
        self._listens = True  # whether the lead's connection is open

    def leave(self) -> None:
        super().leave()
        while len(self._left) < self._world.size and not self._world.is_over():
            self._turn()
        self._world.flush()

    def _on_sigterm(self) -> None:
        super()._on_sigterm()
        if self._lead is not None:
            self._lead.process.terminate()

    def end(self) -> None:
        super().end()
        lead, self._lead = self._lead, None
        if lead is not None:
            lead.end()

    def _connections(self) -> list[Connection]:
        mine = [self._lead.connection] if self._lead is not None and self._listens else []
        return super()._connections() + mine

    def _turn(self) -> list[Connection]:
        ready = super()._turn()
        lead = self._lead
        if lead is not None and lead.connection in ready:
            self._hear(lead)
        if lead is not None and self._leads_on and lead.process.poll() is not None:
            self._lead_ended(lead.process.returncode)
        return ready

    def _hear(self, lead: Lead) -> None:
        """Do what the lead asks for."""
        try:
            kind, *values = lead.connection.recv()
        except (EOFError, OSError):
            self._listens = False
            return
        if kind == "call":
            number, requests = values
            for rank, call in requests:
                self._world.send(rank, ("call", number, call))
        elif kind == "renew":
            self._renewed = set()
            for rank in range(self._world.size):
                self._world.send(rank, ("renew", *values))
        else:
            self._finish((kind, *values))

    def _tell_lead(self, *values: Any) -> None:
        if self._lead is not None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended: `_turn` finds it
                self._lead.connection.send(values)

    def _on_answer(self, rank: int, number: int, host: str, kind: str, what: Any) -> None:
        self._tell_lead(number, rank, host, kind, what)

    def _on_renewed(self, rank: int, number: int) -> None:
        self._renewed.add(rank)
        if len(self._renewed) == self._world.size:
            self._tell_lead(number)

    def _on_join(self, rank: int, *wish: Any) -> None:
        self._joined[rank] = wish
        self._judge()

    def _on_leave(self, rank: int) -> None:
        self._left.add(rank)
        self._judge()

    def _judge(self) -> None:
        """Begin the job when all have joined and agree; refuse it to those who have, where that can't be."""
        if self._joined and self._left:
            self._finish(("raise", pack_error(RankMismatchError(
                f"rank {min(self._left)} has ended its script without the call that {_ranks(self._joined)} made; under "
                "mpirun every rank must make it, or the script be run as: mpirun -n N python -m pcleantask run SCRIPT"
            ))))  # fmt: skip
        elif len(self._joined) == self._world.size:
            difference = first_difference({rank: wish[:2] for rank, wish in sorted(self._joined.items())})
            if difference:
                self._finish(("raise", pack_error(RankMismatchError(difference))))
            else:
                self._begin()

    def _begin(self) -> None:
        """Start the workers, and the lead with what rank 0 asks for."""
        self._task, _, request, *_ = self._joined[0]
        places = {rank: (host, set(cores)) for rank, (*_, host, cores) in self._joined.items()}
        for rank, threads in shares(places).items():
            self._world.send(rank, ("start", threads))
        cores = set().union(*(cores for host, cores in places.values() if host == self._host))
        if self._lead is None or self._lead.process.poll() is not None:
            words = request if self._task == "command" else []
            self._lead, self._listens = Lead(self._task, words, self._world.size, cores), True
        self._leads_on = True
        if self._task == "call":
            self._tell_lead(os.getcwd(), request)

    def _lead_ended(self, status: int) -> None:
        """The lead has ended, as it does after a command, or has died."""
        message = f"the lead, the process on {self._host} that runs pclean for all ranks, died ({how_ended(status)})"
        if self._task == "call":
            self._finish(("raise", pack_error(LeadError(message))))
            return
        if status < 0:
            sys.stderr.write(f"pclean: {message}\n")
        self._finish(("status", status if status >= 0 else KILLED - status))

    def _finish(self, outcome: tuple[Any, ...]) -> None:
        """Tell all who have joined how the job has ended."""
        self._leads_on = False
        for rank in self._joined:
            self._world.send(rank, ("outcome", outcome))
        self._joined = {}


def _ranks(ranks: Mapping[int, Any]) -> str:
    return f"rank{'s' * (len(ranks) > 1)} {', '.join(map(str, sorted(ranks)))}"


def first_difference(wishes: Mapping[int, tuple[str, Mapping[str, str]]]) -> str:
    """Where what a rank asks for differs from what rank 0 does, in words; '' where all agree."""
    task, said = wishes[0]
    for rank, (other_task, other) in wishes.items():
        if other_task != task:
            return f"rank 0 makes a {task} of pclean, rank {rank} a {other_task}"
        for name in [*said, *other]:
            if said.get(name) != other.get(name):
                return (
                    f"the ranks call pclean with different parameters: {name} is {said.get(name, 'not given')} on rank "
                    f"0 and {other.get(name, 'not given')} on rank {rank}; under mpirun all make one call"
                )
    return ""


@functools.cache
def this_rank() -> Hub:
    """The hub that this process is. It leaves the job when the process ends."""
    world = World()
    hub = HeadHub(world) if world.rank == 0 else Hub(world)
    atexit.register(hub.leave)
    return hub


def run_command(words: list[str]) -> int:
    """Have the lead run a command line, given to each rank, on all ranks; its exit status.

    Raises
    ------
    RankMismatchError
        The ranks were given different command lines.
    """
    hub = this_rank()
    kind, value = hub.join("command", {"command line": repr(words)}, words)
    hub.end()
    if kind == "raise":
        raise unpack_error(value)
    return int(value)


def call_together(parameters: Mapping[str, Any]) -> Any:
    """Have the lead call pclean on all ranks, each of which must call this with the same parameters.

    Returns
    -------
    object
        What pclean returns: the same on every rank.

    Raises
    ------
    RankMismatchError
        A rank has other parameters, or has ended without the call.
    PcleanError
        What pclean raises: the same on every rank.
    """
    said = {name: repr(_plain(value)) for name, value in parameters.items()}
    kind, value = this_rank().join("call", said, dict(parameters))
    if kind == "raise":
        raise unpack_error(value)
    return pickle.loads(value)


def _plain(value: Any) -> Any:
    """numpy's arrays and numbers as Python's, so that their text is whole."""
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value
