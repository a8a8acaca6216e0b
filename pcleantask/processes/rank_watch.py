"""What rank 0 knows of another rank that is at a call: whether its hub and its worker give signs of life."""

from __future__ import annotations

from .silence import Silence


class RankWatch:
    """One rank, for the time of one call.

    Parameters
    ----------
    rank : int
    pid : int
        Process number of its hub.
    host : str
    number : int
        Of the call.
    step : str
        What was called, in words.

    Attributes
    ----------
    cause : str
        Why the rank is waited for no longer; '' while it is.
    is_rank_lost : bool
        Whether that is as its hub gives no sign of life, and not its worker alone.
    """

    def __init__(self, rank: int, pid: int, host: str, number: int, step: str) -> None:
        self.number, self.host = number, host
        self.cause, self.is_rank_lost = "", False
        self._rank, self._step = rank, step
        self._hub = Silence(f"rank {rank} (process {pid} on {host})")
        self._worker: Silence | None = None
        self._has_sign = self._works = False

    def note_sign(self, pid: int, *, works: bool) -> None:
        """A message came from the rank, whose worker has that process number, and works or does nothing."""
        if self._worker is None:
            self._worker = Silence(f"worker {self._rank} (process {pid} on {self.host})")
        self._has_sign, self._works = True, self._works or works

    def look(self) -> list[str]:
        """Judge what has come since the last look; what is to be told now."""
        told = [self._hub.look(has_sign=self._has_sign, step=self._step)]
        if self._worker is not None and self._has_sign:
            told.append(self._worker.look(has_sign=self._works, step=self._step))
        self._has_sign = self._works = False
        self.is_rank_lost = self._hub.is_too_long
        for silence in (self._hub, self._worker):
            if silence is not None and silence.is_too_long:
                self.cause = self.cause or silence.cause
        return [text for text in told if text]
