"""Errors as bytes, to be raised again in another process."""

from __future__ import annotations

import pickle

from ..errors import PcleanError


class RemoteTraceback(Exception):  # noqa: N818  it is shown as the cause of an error, and never caught
    """The traceback of an error in another process, as text."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def pack_error(error: Exception, trace: str = "") -> bytes:
    """An error with its traceback; a class that can't be packed becomes a PcleanError in the same words."""
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:  # noqa: BLE001  classes may raise whatever they like when they are packed
        data = pickle.dumps(PcleanError(f"{type(error).__name__}: {error}"))
    return pickle.dumps((data, trace))


def unpack_error(packed: bytes) -> Exception:
    """The error that `pack_error` packed; its cause is the traceback there."""
    data, trace = pickle.loads(packed)
    error: Exception = pickle.loads(data)
    if trace:
        error.__cause__ = RemoteTraceback(trace)
    return error
