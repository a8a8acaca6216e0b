"""The lead's side of an MPI job: the connection to the hub of rank 0, and the team of all ranks' workers behind it.

The lead is a CASA process, and never sees MPI; the hubs, which speak it, carry calls and answers unopened.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from ..errors import WorkerError
from .silence import Pulse, Silence, announce, look_s
from .team import call_name, tell


class HubLink:
    """The connection of the lead to rank 0's hub.

    Parameters
    ----------
    connection : Connection
        To the hub; nobody else has it.
    size : int
        How many ranks there are.
    """

    def __init__(self, connection: Connection, size: int) -> None:
        self.connection, self.size = connection, size
        self._number = 0
        self._hub = os.getppid()

    def exchange(self, step: str, requests: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, str, str, Any]]:
        """Send requests, a (rank, packed call) each, and yield the answers as they come: (rank, host, kind, what).

        `step` says in words what is called.

        What comes of kind 'answer' is what the worker has packed; of kind 'dead', how it ended and its last words.
        """
        self._number += 1
        self.connection.send(("call", self._number, step, list(requests)))
        for _ in requests:
            yield self._answer()

    def _answer(self) -> tuple[int, str, str, Any]:
        """The next answer; those to calls that were given up are left out."""
        pulse = Pulse(self._hub)
        silence = Silence(f"rank 0 (process {self._hub} on {socket.gethostname()})")
        while True:
            while not self.connection.poll(look_s()):
                tell(silence.look(has_sign=pulse.beats(), step="passing on calls"))
                if silence.is_too_long:
                    announce(f"the job is ended, as rank 0 can take no part in it any more: {silence.cause}")
                    os.kill(self._hub, signal.SIGKILL)  # this process ends with it, and the launcher ends the others
            number, *answer = self.connection.recv()
            if answer[2:3] == ["told"]:
                tell(answer[3])
            elif number == self._number:
                return tuple(answer)

    def renew(self, *, gently: bool) -> None:
        """Have all workers replaced by new ones, and wait until the old ones have ended."""
        self._number += 1
        self.connection.send(("renew", self._number, gently))
        self._answer()


class MpiTeam:
    """One worker on each rank of an MPI job.

    Parameters
    ----------
    link : HubLink
        The way to them.
    size : int
        How many to use; the first ranks' are.
    """

    def __init__(self, link: HubLink, size: int) -> None:
        self._link, self._size = link, min(size, link.size)
        self.call_each("enter", [(os.getcwd(),)] * self._size)

    @property
    def size(self) -> int:
        return self._size

    def call_each(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        chosen = range(self._size)[: len(arguments)]
        requests = [(rank, pickle.dumps((method, values))) for rank, values in zip(chosen, arguments, strict=True)]
        results, called = {}, call_name(method, arguments)
        try:
            for rank, host, kind, what in self._link.exchange(called, requests):
                results[rank] = _result(rank, host, called, kind, what)
        except BaseException:
            self.kill()
            raise
        return [results[rank] for rank in chosen]

    def close(self) -> None:
        """End the workers, and have new ones in their place for the next team."""
        self._end(gently=True)

    def kill(self) -> None:
        """End the workers at once, whatever they are at."""
        self._end(gently=False)

    def _end(self, *, gently: bool) -> None:
        if self._size:
            self._size = 0
            self._link.renew(gently=gently)


def _result(rank: int, host: str, method: str, kind: str, what: Any) -> Any:
    """The result that a worker has sent, or the error it reports or is."""
    if kind == "dead":
        cause, last_words = what
        raise WorkerError(rank, host, method, cause, last_words)
    outcome, value = pickle.loads(what)
    if outcome == "error":
        name, message, trace = value
        raise WorkerError(rank, host, method, f"{name}: {message}", trace)
    return value


_links: list[HubLink] = []


def link() -> HubLink | None:
    """The connection to the hub, where this process is the lead of an MPI job."""
    return _links[0] if _links else None


def be_lead(connection: Connection, size: int) -> HubLink:
    """Make this process the lead of an MPI job of `size` ranks."""
    _links[:] = [HubLink(connection, size)]
    return _links[0]
