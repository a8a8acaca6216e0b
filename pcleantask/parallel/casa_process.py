"""A CASA process: `python -m pcleantask.parallel.casa_process FD LIFELINE`. It computes what its parent calls for.

A call names a method of `Worker` and carries plain data; it is never a program. The process ends when its parent does,
however that ends: a thread watches the lifeline, a pipe whose other end only the parent holds, and casatools lets
threads run while it computes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any

from .. import casa
from .worker import Worker

ORPHANED = 3  # exit status of a process whose parent is gone


def main(arguments: list[str]) -> int:
    """Answer calls until the parent closes the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    descriptor, lifeline = (int(word) for word in arguments)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    connection = Connection(descriptor)
    casa.use_log(os.devnull)
    worker = Worker()
    while True:
        try:
            method, values = connection.recv()
        except EOFError:
            return 0
        connection.send(answer(worker, method, values))


def answer(worker: Worker, method: str, values: tuple[Any, ...]) -> tuple[str, Any]:
    """('result', value) or ('error', (class name, message, traceback)) of one call."""
    try:
        if method.startswith("_"):
            raise AttributeError(f"{method!r} is not for callers")
        return "result", getattr(worker, method)(*values)
    except Exception as error:  # noqa: BLE001  the caller raises it again
        return "error", (type(error).__name__, str(error), traceback.format_exc())


def _end_with_parent(lifeline: int) -> None:
    """Exit, even in the middle of CASA's work, when the other end of the lifeline is closed."""
    os.read(lifeline, 1)
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
