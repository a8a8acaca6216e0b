"""A rank's part in an MPI job: what it asks for, which its hub has the lead do."""

from __future__ import annotations

import atexit
import functools
import pickle
from collections.abc import Mapping
from typing import Any

from .head_hub import HeadHub
from .hub import Hub
from .mpi import World
from .packing import unpack_error


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
