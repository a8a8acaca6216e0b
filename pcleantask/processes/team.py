"""Teams of workers: the same calls, the same order of results, wherever the workers are."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Protocol

from .. import casa
from ..cores import MEMORY, fair_share
from ..errors import ImagingError, WorkerError
from ..ownprocess import making_temporary_file
from .environment import importable, python_command, worker_environment
from .silence import Pulse, Silence, announce, limit_s, look_s

MODULE = "pcleantask.parallel.worker"  # what a worker runs: the name alone, as a worker images
PATIENCE = 5.0  # seconds that a worker has to end by itself
TAIL = 2000  # characters of a dead worker's last words that go into the error


class Team(Protocol):
    """A number of workers that answer the same calls."""

    @property
    def size(self) -> int:
        """How many workers there are."""

    def call_each(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Call a method of `parallel.worker.Worker` on the first len(arguments) workers, each with its own arguments.

        Returns
        -------
        list
            The results, in the workers' order.

        Raises
        ------
        WorkerError
            A worker failed or died: with its rank, host and traceback. The team is closed by then.
        """

    def close(self) -> None:
        """End the workers."""


class LocalWorker:
    """One child process of this one, and the connection to it.

    Parameters
    ----------
    rank : int
        Its place in the team.
    threads : int
        Cores it may use.
    memory : float
        Which part of the machine's free memory is its own.
    """

    def __init__(self, rank: int, threads: int, memory: float = 1.0) -> None:
        self.rank = rank
        environment = {**worker_environment(os.environ, threads), **casa.data_environment(), MEMORY: str(memory)}
        with contextlib.ExitStack() as parent_ends, contextlib.ExitStack() as child_ends:
            with making_temporary_file():
                self.words = parent_ends.enter_context(tempfile.TemporaryFile(mode="w+b"))
            ours, theirs = socket.socketpair()
            parent_ends.callback(ours.close)
            child_ends.callback(theirs.close)
            watched, self._lifeline = os.pipe()
            parent_ends.callback(os.close, self._lifeline)
            child_ends.callback(os.close, watched)
            self.process = subprocess.Popen(
                python_command(MODULE, str(theirs.fileno()), str(watched)),
                pass_fds=(theirs.fileno(), watched),
                env=importable(environment),
                stdin=subprocess.DEVNULL,
                stdout=self.words,
                stderr=self.words,
            )
            self.connection = Connection(ours.detach())
            self.pulse = Pulse(self.process.pid)
            parent_ends.pop_all()  # `end` closes them

    def last_words(self) -> str:
        """The end of what the process has written to its output."""
        self.words.seek(0, os.SEEK_END)
        self.words.seek(max(0, self.words.tell() - TAIL))
        return self.words.read().decode(errors="replace").strip()

    def end(self, *, patience: float) -> None:
        """Let the process end, and make it end where it doesn't."""
        self.connection.close()
        try:
            self.process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._lifeline)
        self.words.close()

    def kill(self) -> None:
        """End the process at once, whatever it is at."""
        self.process.kill()
        self.end(patience=PATIENCE)


class LocalTeam:
    """Workers that are children of this process.

    Parameters
    ----------
    size : int
        How many. The cores this process may use are shared out among them.
    """

    def __init__(self, size: int) -> None:
        limit_s()  # raises where it is wrong, before any worker is there
        threads, memory = fair_share(size)
        self._workers: list[LocalWorker] = []
        try:
            for rank in range(size):
                self._workers.append(LocalWorker(rank, threads, memory))
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> LocalTeam:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close() if error is None else self.kill()

    @property
    def size(self) -> int:
        return len(self._workers)

    def call_each(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        if len(arguments) > self.size:
            raise ImagingError(f"{len(arguments)} calls of {method} are too many for a team of {self.size}")
        chosen = self._workers[: len(arguments)]
        try:
            for worker, values in zip(chosen, arguments, strict=True):
                with contextlib.suppress(ConnectionError):  # a dead worker is found, with its last words, below
                    worker.connection.send((method, values))
            return self._collect(chosen, call_name(method, arguments))
        except BaseException:
            self.kill()
            raise

    def _collect(self, workers: list[LocalWorker], method: str) -> list[Any]:
        results: dict[int, Any] = {}
        waiting = {worker.connection: worker for worker in workers}
        with _CallWatch(workers, method) as watch:
            while waiting:
                for connection in wait(list(waiting)):
                    worker = waiting.pop(connection)  # type: ignore[call-overload]
                    results[worker.rank] = _received(worker, method, watch)
                    watch.note_answer(worker)
        return [results[worker.rank] for worker in workers]

    def close(self) -> None:
        """End the workers; those that don't within five seconds are killed."""
        self._end(PATIENCE)

    def kill(self) -> None:
        """End the workers at once, whatever they are at."""
        for worker in self._workers:
            worker.process.kill()
        self._end(PATIENCE)

    def _end(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        for worker in self._workers:
            worker.connection.close()  # they end all at once
        while self._workers:
            self._workers.pop().end(patience=max(0.1, deadline - time.monotonic()))


class _CallWatch:
    """Tells, in a thread, which of the workers at a call give no sign of life, and ends those that don't for too long.

    Who waits for an answer is in the midst of receiving it where a worker is stopped as it sends.
    """

    def __init__(self, workers: Sequence[LocalWorker], step: str) -> None:
        host = socket.gethostname()
        self._step = step
        self._waited_for = {
            worker: Silence(f"worker {worker.rank} (process {worker.process.pid} on {host})") for worker in workers
        }
        self._causes: dict[LocalWorker, str] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _CallWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def note_answer(self, worker: LocalWorker) -> None:
        """The worker is waited for no longer."""
        del self._waited_for[worker]

    def cause(self, worker: LocalWorker) -> str:
        """Why the worker was ended; '' where it wasn't."""
        return self._causes.get(worker, "")

    def _watch(self) -> None:
        while not self._end.wait(look_s()):
            for worker, silence in list(self._waited_for.items()):
                tell(silence.look(has_sign=worker.pulse.beats(), step=self._step))
                if silence.is_too_long:
                    self._causes[worker] = silence.cause
                    worker.process.kill()


_ahead: list[LocalTeam] = []


@contextlib.contextmanager
def team_ahead(size: int) -> Iterator[None]:
    """Start the workers of a team of that size, of none if it is 0, for `local_team` in the block to find them ready.

    They load CASA, which takes half a second, while the caller does.
    """
    _ahead.extend([LocalTeam(size)] if size else [])
    try:
        yield
    finally:
        dismiss_team_ahead()


def dismiss_team_ahead() -> None:
    """End the workers that nobody has asked for."""
    while _ahead:
        _ahead.pop().kill()


def local_team(size: int) -> LocalTeam:
    """A team on this machine: the one that `team_ahead` has started, where it has that size, or a new one."""
    if _ahead and _ahead[-1].size == size:
        return _ahead.pop()
    dismiss_team_ahead()
    return LocalTeam(size)


def call_all(team: Team, method: str, *values: Any) -> list[Any]:
    """Call a method on every worker, with the same arguments."""
    return team.call_each(method, [values] * team.size)


def tell(text: str) -> None:
    """Say on the screen and in the log who is silent; '' says nothing."""
    if text:
        announce(text)
        with casa.off_screen():
            casa.post(text, "WARN")


def call_name(method: str, arguments: Sequence[tuple[Any, ...]]) -> str:
    """What a user is told that was called: the step, where the method does a step of a part."""
    return str(arguments[0][0]) if method == "part" and arguments else method


def _received(worker: LocalWorker, method: str, watch: _CallWatch) -> Any:
    """The result that a worker has sent, or the error it reports or is."""
    try:
        kind, value = worker.connection.recv()
    except (EOFError, OSError) as error:  # the worker has ended, maybe in the middle of an answer
        status = worker.process.wait()
        cause = watch.cause(worker) or f"the process died ({how_ended(status)})"
        raise WorkerError(worker.rank, socket.gethostname(), method, cause, worker.last_words()) from error
    if kind == "error":
        name, message, trace = value
        raise WorkerError(worker.rank, socket.gethostname(), method, f"{name}: {message}", trace)
    return value


def how_ended(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    hint = ", sent by somebody else or by the system as memory ran out" if status == -signal.SIGKILL else ""
    return f"signal {-status}, {signal.Signals(-status).name}{hint}"
