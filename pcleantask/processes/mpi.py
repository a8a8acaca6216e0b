"""MPI, as the hubs need it: messages between ranks that nobody spins for. The only module that imports mpi4py.

Messages carry a tag of their own, so that a script may use the same communicator beside. There is nothing collective:
a rank that never comes must not keep the others waiting in MPI, where they can't be told.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from ..errors import MpiSetupError
from .environment import launched_ranks

PAUSE = 0.001  # seconds between two looks whether messages have gone
TAG = 27182
WAY_3 = "mpirun -n N python -m pcleantask run script.py"

if "casatools" in sys.modules:
    raise MpiSetupError(
        "casatools was imported before pcleantask, in a process that an MPI launcher started: its MPI and the job's "
        f"are in each other's way. Import pcleantask first, or run the script as: {WAY_3}"
    )
try:
    from mpi4py import MPI
except (ImportError, RuntimeError) as error:
    raise MpiSetupError(
        f"an MPI launcher has started this process, but mpi4py can't load its MPI: {error}. Way out: load the "
        "launcher's MPI module, or install the MPI in this environment (pip install mpich) and use its mpirun"
    ) from error


class World:
    """All ranks of the job, as seen by one of them.

    Raises
    ------
    MpiSetupError
        The launcher has started more ranks than MPI knows of: it belongs to another MPI.
    """

    def __init__(self) -> None:
        self._comm = MPI.COMM_WORLD
        self.rank: int = self._comm.Get_rank()
        self.size: int = self._comm.Get_size()
        self._sending: list[MPI.Request] = []
        launched = launched_ranks(os.environ)
        if self.size < launched and self.size == 1:
            raise MpiSetupError(
                f"the launcher has started {launched} ranks, but each finds itself alone with the MPI that mpi4py "
                f"loads, {MPI.Get_library_version().splitlines()[0]!r}. Way out: use that MPI's own mpirun, or with "
                "srun the plugin it needs (--mpi=pmix or --mpi=pmi2)"
            )

    def send(self, rank: int, message: Any) -> None:
        """Send a message; it goes out while this rank waits for others."""
        self._sending.append(self._comm.isend(message, dest=rank, tag=TAG))

    def arrived(self) -> Iterator[tuple[int, Any]]:
        """The messages that are there, each with the rank that sent it."""
        self._sending = [request for request in self._sending if not request.test()[0]]
        status = MPI.Status()
        while (message := self._comm.improbe(tag=TAG, status=status)) is not None:
            sender = status.Get_source()
            yield sender, message.recv()

    def flush(self) -> None:
        """Wait until all messages sent have gone."""
        while self._sending:
            self._sending = [request for request in self._sending if not request.test()[0]]
            time.sleep(PAUSE)

    def is_over(self) -> bool:
        """Whether MPI has been finalized."""
        return bool(MPI.Is_finalized())

    def abort(self, status: int) -> None:
        """End the job: all its ranks."""
        self._comm.Abort(status)
