"""The errors that pcleantask raises: each gives the value it met and the way out."""

from __future__ import annotations

from typing import Any


class PcleanError(Exception):
    """Base of every error that pcleantask raises on purpose."""


class ParameterError(PcleanError, ValueError):
    """A parameter has a value, or stands in a combination, that can't be imaged with."""


class ParameterTypeError(ParameterError, TypeError):
    """A parameter has a value of the wrong type."""


class UnknownParameterError(ParameterError, TypeError):
    """The task has no parameter of that name."""


class MissingInputError(ParameterError, FileNotFoundError):
    """A file that a parameter names is not there, or is not of the kind it must be."""


class SelectionError(ParameterError):
    """The data selection can't be parsed, or selects nothing."""


class OutputError(PcleanError, OSError):
    """The products can't be written where `imagename` says."""


class MemoryLimitError(PcleanError, MemoryError):
    """A limit of the system leaves less memory than the run needs."""


class CasaSetupError(PcleanError, ImportError):
    """casatools can't be loaded here: it, a library of it, or its data is missing."""


class ImagingError(PcleanError, RuntimeError):
    """A CASA tool failed in mid-run; the message holds CASA's own."""


class StepError(ImagingError):
    """A step of an imager was called where it can't be taken: nothing was done, and the run can go on."""


class BlankImageError(ImagingError):
    """No visibility has fallen on an image, and CASA can't go on with that; the message says why none has."""


class WorkerError(ImagingError):
    """A worker process failed or died: the message holds its rank, its host and the cause there.

    Attributes
    ----------
    rank : int
        The worker's place in the team.
    host : str
        The machine it ran on.
    trace : str
        The traceback there, or its last output.
    """

    def __init__(self, rank: int, host: str, method: str, cause: str, trace: str) -> None:
        super().__init__(f"worker {rank} on {host} failed in {method}: {cause}\n--- there ---\n{trace}")
        self.rank, self.host, self.trace = rank, host, trace
        self._told = (rank, host, method, cause, trace)

    def __reduce__(self) -> tuple[type[WorkerError], tuple[int, str, str, str, str], dict[str, Any]]:
        return type(self), self._told, {"args": self.args}


class LeadError(ImagingError):
    """The process that leads an MPI job's imaging died; the message holds its host and how it ended."""


class MpiSetupError(PcleanError, ImportError):
    """A rank of an MPI job can't take part in it as it was started; the message names the way that works."""


class RankMismatchError(ParameterError):
    """The ranks of an MPI job did not all call the same task with the same parameters."""
