"""A worker as a process, `python -m MODULE FD LIFELINE`: it answers the calls of its parent.

MODULE calls `main`. A call names a method and carries plain data; it is never a program. The process ends when its
parent does, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from .. import casa
from .lifeline import watch


def main(arguments: list[str], make_worker: Callable[[], Any]) -> NoReturn:
    """Answer calls until the parent closes the connection, and end the process.

    Parameters
    ----------
    arguments : list of str
        Descriptors of the connection and of the lifeline.
    make_worker : callable
        Makes the object whose public methods are called.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    descriptor, lifeline = (int(word) for word in arguments)
    watch(lifeline)
    connection = Connection(descriptor)
    casa.use_log(os.devnull)
    close_ports()
    worker = make_worker()
    while True:
        try:
            method, values = connection.recv()
        except EOFError:
            os._exit(0)  # at once: casatools takes seconds to shut down, and nothing of it is in use any more
        connection.send(answer(worker, method, values))


def close_ports() -> None:
    """Stop listening to the network: casatools opens a port at its import, its registry of services, without asking.

    A pipe on which nothing ever comes is put in the port's place: gRPC, which waits for callers there, complains of a
    socket that is shut down under it, and would do so in the last words of a worker that dies.
    """
    silent, _ = os.pipe()
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):  # listdir's own descriptor is closed by now
            if _listens(int(name)):
                os.dup2(silent, int(name), inheritable=False)
    os.close(silent)


def _listens(descriptor: int) -> bool:
    """Whether it is a port of the network that is open to all."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with socket.socket(fileno=os.dup(descriptor)) as entry:
        is_inet = entry.family in (socket.AF_INET, socket.AF_INET6)
        return is_inet and bool(entry.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def answer(worker: Any, method: str, values: tuple[Any, ...]) -> tuple[str, Any]:
    """('result', value) or ('error', (class name, message, traceback)) of one call."""
    try:
        if method.startswith("_"):
            raise AttributeError(f"{method!r} is not for callers")
        return "result", getattr(worker, method)(*values)
    except Exception as error:  # noqa: BLE001  the caller raises it again
        return "error", (type(error).__name__, str(error), traceback.format_exc())
