"""Signs of life: of processes on this host, which compute, read or write, and of others, which send them.

A process that is stopped, or waits for a disk that is gone, keeps all that wait for it waiting. So who waits looks, and
says after a minute who is silent; after a time that the user sets, PCLEANTASK_SILENCE, the run is ended.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

from ..errors import ParameterError

VARIABLE = "PCLEANTASK_SILENCE"
LIMIT_S = 1800.0  # without a sign of life, after which the run is ended, unless the user says otherwise
TOLD_S = 60.0  # after which it is told
LOOK_S = 5.0  # between two looks
GAP = 2.0  # looks: a longer time between two isn't others' silence; who looks was stopped


def limit_s() -> float:
    """Seconds without a sign of life after which a run is ended; infinite where the user says 0.

    Raises
    ------
    ParameterError
        The environment's value is no number of seconds.
    """
    text = os.environ.get(VARIABLE, "").strip()
    with contextlib.suppress(ValueError):
        seconds = float(text or LIMIT_S)
        if seconds >= 0:
            return seconds or float("inf")
    raise ParameterError(f"{VARIABLE}={text!r} in the environment is no number of seconds; 0 stands for no limit")


def told_s() -> float:
    """Seconds without a sign of life after which that is told."""
    return min(TOLD_S, limit_s() / 2)


def look_s() -> float:
    """Seconds between two looks for signs of life."""
    return min(LOOK_S, limit_s() / 10)


class Pulse:
    """Whether a process of this host does anything: its threads compute, or it reads or writes.

    Parameters
    ----------
    pid : int
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._seen: list[object] = []

    def beats(self) -> bool:
        """Whether it has done anything since the last call; False where it can't be looked at."""
        import psutil  # takes 25 ms, and most runs are short or have no team

        try:
            process = psutil.Process(self.pid)
            times = process.cpu_times()
            seen: list[object] = [times.user, times.system]
            with contextlib.suppress(AttributeError, psutil.AccessDenied):  # macOS doesn't tell, nor do some containers
                seen.append(process.io_counters())
        except psutil.Error:
            return False
        former, self._seen = self._seen, seen
        return seen != former

    def is_held(self) -> bool:
        """Whether it is stopped, or waits for a disk, right now."""
        import psutil

        with contextlib.suppress(psutil.Error):
            return psutil.Process(self.pid).status() in (
                psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_DISK_SLEEP
            )  # fmt: skip
        return False


class Silence:
    """How long a process has given no sign of life while it was waited for.

    Parameters
    ----------
    who : str
        The process, in words.
    """

    def __init__(self, who: str) -> None:
        self._who = who
        self._seconds, self._last_look = 0.0, time.monotonic()
        self._is_told = False

    def look(self, *, has_sign: bool, step: str) -> str:
        """Count on, or from the start if there was a sign of life; what is to be told now, '' for nothing.

        Parameters
        ----------
        has_sign : bool
        step : str
            What is waited for.
        """
        now = time.monotonic()
        passed, self._last_look = min(now - self._last_look, GAP * look_s()), now
        self._seconds = 0.0 if has_sign else self._seconds + passed
        if self._is_told and has_sign:
            self._is_told = False
            return f"{self._who} is at {step} again"
        if not self._is_told and self._seconds >= told_s():
            self._is_told = True
            until = f"the run is ended after {limit_s():.0f} s ({VARIABLE})"
            end = until if limit_s() < float("inf") else "waiting on"
            return f"{self._who} has given no sign of life for {self._seconds:.0f} s at {step}; {end}"
        return ""

    @property
    def is_too_long(self) -> bool:
        """Whether the run is to be ended."""
        return self._seconds >= limit_s()

    @property
    def cause(self) -> str:
        """Why the run is ended."""
        return f"no sign of life for {self._seconds:.0f} s ({VARIABLE} sets this time)"


def announce(text: str) -> None:
    """Write a line to standard error, above a bar that may be there."""
    from tqdm import tqdm

    tqdm.write(f"pclean: {text}", file=sys.stderr)
    sys.stderr.flush()
