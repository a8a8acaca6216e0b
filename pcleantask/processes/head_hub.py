"""The hub of rank 0: it has the lead, knows who has joined, and looks for signs of life of all."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from ..errors import LeadError, RankMismatchError
from .environment import shares
from .hub import Hub
from .lead_process import Lead
from .mpi import World
from .packing import pack_error
from .rank_watch import RankWatch
from .script_run import FAILED
from .silence import Pulse, Silence, announce
from .team import how_ended

KILLED = 128  # plus the signal: the exit status of a process that was killed, as shells give it


class HeadHub(Hub):
    """Rank 0: it has the lead, and knows who has joined."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._lead: Lead | None = None
        self._task = ""
        self._joined: dict[int, tuple[Any, ...]] = {}
        self._left: set[int] = set()
        self._renewed: set[int] = set()
        self._places: dict[int, tuple[int, str]] = {}  # process number and host of each rank's hub
        self._watches: dict[int, RankWatch] = {}  # of the ranks that are at a call
        self._lost: set[int] = set()  # ranks that have given no sign of life for too long
        self._lead_pulse, self._lead_silence = Pulse(0), Silence("")
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
            status = lead.process.returncode
            self._lead_ended(f"died ({how_ended(status)})", status)
        return ready

    def _look(self) -> None:
        super()._look()
        for rank, watch in list(self._watches.items()):
            for text in watch.look():
                self._tell_lead(watch.number, rank, watch.host, "told", text)
            if watch.cause:
                if watch.is_rank_lost:
                    self._lost.add(rank)
                self._on_answer(rank, watch.number, watch.host, "dead", (watch.cause, ""))
        if self._leads_on and self._lead is not None:
            self._look_at_lead(self._lead)

    def _look_at_lead(self, lead: Lead) -> None:
        """A script in it may wait for whatever it likes; that it is stopped, or waits for a disk, is another thing."""
        works = self._lead_pulse.beats() or not self._lead_pulse.is_held()
        text = self._lead_silence.look(has_sign=works, step="leading the job")
        if text:
            announce(text)
        if self._lead_silence.is_too_long:
            lead.end()
            self._lead_ended(f"was ended: {self._lead_silence.cause}", -signal.SIGKILL)

    def _hear(self, lead: Lead) -> None:
        """Do what the lead asks for."""
        try:
            kind, *values = lead.connection.recv()
        except (EOFError, OSError):
            self._listens = False
            return
        if kind == "call":
            number, step, requests = values
            for rank, call in requests:
                self._watches[rank] = RankWatch(rank, *self._places[rank], number, step)
                self._world.send(rank, ("call", number, call))
        elif kind == "renew":
            self._renewed = set()
            self._watches = {}
            for rank in range(self._world.size):
                self._world.send(rank, ("renew", *values))
        else:
            self._finish((kind, *values))

    def _tell_lead(self, *values: Any) -> None:
        if self._lead is not None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended: `_turn` finds it
                self._lead.connection.send(values)

    def _on_sign(self, rank: int, number: int, pid: int, works: bool) -> None:
        watch = self._watches.get(rank)
        if watch is not None and watch.number == number:
            watch.note_sign(pid, works=works)

    def _on_answer(self, rank: int, number: int, host: str, kind: str, what: Any) -> None:
        watch = self._watches.get(rank)
        if watch is not None and watch.number == number:
            del self._watches[rank]
        self._tell_lead(number, rank, host, kind, what)

    def _on_renewed(self, rank: int, number: int) -> None:
        self._renewed.add(rank)
        if len(self._renewed | self._lost) == self._world.size:
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
        self._places = {rank: (pid, host) for rank, (*_, pid, host, _) in self._joined.items()}
        places = {rank: (host, set(cores)) for rank, (*_, host, cores) in self._joined.items()}
        for rank, threads in shares(places).items():
            self._world.send(rank, ("start", threads))
        cores = set().union(*(cores for host, cores in places.values() if host == self._host))
        if self._lead is None or self._lead.process.poll() is not None:
            words = request if self._task == "command" else []
            self._lead, self._listens = Lead(self._task, words, self._world.size, cores), True
        pid = self._lead.process.pid
        self._lead_pulse = Pulse(pid)
        self._lead_silence = Silence(f"the lead (process {pid} on {self._host})")
        self._leads_on = True
        if self._task == "call":
            self._tell_lead(os.getcwd(), request)

    def _lead_ended(self, how: str, status: int) -> None:
        """The lead has ended, as it does after a command, or has died."""
        message = f"the lead, the process on {self._host} that runs pclean for all ranks, {how}"
        if self._task == "call":
            self._finish(("raise", pack_error(LeadError(message))))
            return
        if status < 0:
            sys.stderr.write(f"pclean: {message}\n")
        self._finish(("status", status if status >= 0 else KILLED - status))

    def _finish(self, outcome: tuple[Any, ...]) -> None:
        """Tell all who have joined how the job has ended."""
        self._leads_on = False
        if self._lost:
            announce(f"the job is ended, as {_ranks(dict.fromkeys(self._lost))} can take no part in it any more")
            self._world.abort(FAILED)
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
