"""The lead of an MPI job as a process: a child of rank 0's hub, free of MPI, that runs CASA."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from multiprocessing.connection import Connection

from .environment import lead_environment, python_command

LEAD = "pcleantask.lead"


class Lead:
    """The child process, and the connection to it.

    Parameters
    ----------
    task : str
        'command': it runs `words` as the command line does, and ends. 'call': it answers calls of pclean.
    words : list of str
    size : int
        How many ranks there are.
    cores : set of int
        Those it may use: its job's on this host, not only rank 0's.
    """

    def __init__(self, task: str, words: list[str], size: int, cores: set[int]) -> None:
        ours, theirs = socket.socketpair()
        watched, self._lifeline = os.pipe()
        try:
            self.process = subprocess.Popen(
                python_command(LEAD, str(theirs.fileno()), str(watched), str(size), task, *words),
                pass_fds=(theirs.fileno(), watched),
                env=lead_environment(os.environ, len(cores)),
                stdin=None if task == "command" else subprocess.DEVNULL,
            )
        finally:
            theirs.close()
            os.close(watched)
        self.connection = Connection(ours.detach())
        if hasattr(os, "sched_setaffinity"):
            with contextlib.suppress(OSError):  # not allowed, or ended: then it stays on rank 0's cores
                os.sched_setaffinity(self.process.pid, cores)

    def end(self) -> None:
        """End the process, if it is there."""
        self.connection.close()
        self.process.kill()
        self.process.wait()
        os.close(self._lifeline)
