"""The lead of an MPI job: `python -m pcleantask.lead FD LIFELINE SIZE TASK WORDS`, started by the hub of rank 0.

It is the CASA process that runs the clean loop, free of MPI; its teams are made of the ranks' workers. TASK 'command'
runs WORDS as the command line does; TASK 'call' answers the calls that all ranks of a script make together.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any

from . import cli
from .pclean import pclean
from .processes import lifeline, mpi_team
from .processes.environment import restore_python_path
from .processes.packing import pack_error


def main(arguments: list[str]) -> int:
    """Do the task; the exit status."""
    descriptor, watched, size = (int(word) for word in arguments[:3])
    task, *words = arguments[3:]
    for number in (descriptor, watched):
        os.set_inheritable(number, False)
    restore_python_path(os.environ)
    lifeline.watch(watched)
    link = mpi_team.be_lead(Connection(descriptor), size)
    if task == "command":
        return cli.main(words)
    return answer_calls(link.connection)


def answer_calls(connection: Connection) -> int:
    """Call pclean as often as the hub asks for it, until the connection is closed."""
    while True:
        try:
            folder, parameters = connection.recv()
        except EOFError:
            return 0
        os.chdir(folder)
        connection.send(_answer(parameters))


def _answer(parameters: dict[str, Any]) -> tuple[str, bytes]:
    """('return', value) or ('raise', error) of one call, the second packed."""
    try:
        return "return", pickle.dumps(pclean(**parameters))
    except Exception as error:  # noqa: BLE001  every rank raises it again
        return "raise", pack_error(error, traceback.format_exc())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
