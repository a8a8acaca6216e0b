"""A worker as a process, `python -m MODULE FD LIFELINE`: it answers the calls of its parent.

MODULE calls `main`. A call names a method and carries plain data; it is never a program. The process ends when its
parent does, however that ends.
"""

from __future__ import annotations

import os
import signal
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
    worker = make_worker()
    while True:
        try:
            method, values = connection.recv()
        except EOFError:
            os._exit(0)  # at once: casatools takes seconds to shut down, and nothing of it is in use any more
        connection.send(answer(worker, method, values))


def answer(worker: Any, method: str, values: tuple[Any, ...]) -> tuple[str, Any]:
    """('result', value) or ('error', (class name, message, traceback)) of one call."""
    try:
        if method.startswith("_"):
            raise AttributeError(f"{method!r} is not for callers")
        return "result", getattr(worker, method)(*values)
    except Exception as error:  # noqa: BLE001  the caller raises it again
        return "error", (type(error).__name__, str(error), traceback.format_exc())
