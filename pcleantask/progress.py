"""What a user sees while imaging: one line for each major cycle, and a bar where the output is a terminal."""

from __future__ import annotations

import math
import sys
import time
from typing import Protocol, TextIO

from tqdm import tqdm

HEADER = f"{'cycle':>5}  {'peak residual':>16}  {'cycle threshold':>16}  {'iterations':>10}  {'elapsed':>8}"


class Progress(Protocol):
    """Told of what a run is at; must not slow it down."""

    def stage(self, name: str) -> None:
        """A stage of the run begins."""

    def cycle(self, *, number: int, peak_residual: float, cycle_threshold: float | None, iterations: int) -> None:
        """A major cycle is over: its number, the peak residual after it [Jy/beam], the threshold of the minor cycle
        before it [Jy/beam] and the iterations so far."""

    def note(self, text: str) -> None:
        """Something that the user should know."""

    def stopped(self, code: int, reason: str) -> None:
        """The clean loop has ended."""

    def finish(self) -> None:
        """The run is over."""


class NullProgress:
    """Shows nothing."""

    def stage(self, name: str) -> None:
        pass

    def cycle(self, *, number: int, peak_residual: float, cycle_threshold: float | None, iterations: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def stopped(self, code: int, reason: str) -> None:
        pass

    def finish(self) -> None:
        pass


class ScreenProgress:
    """Writes lines to a stream, by default standard error, and draws a bar below them where it is a terminal.

    Parameters
    ----------
    niter : int
        Iterations that the run may do.
    threshold : float
        Residual at which it stops [Jy/beam].
    stream : text file, optional
        Where to write.
    """

    def __init__(self, niter: int, threshold: float, stream: TextIO | None = None) -> None:
        self._niter, self._threshold = niter, threshold
        self._stream = stream or sys.stderr
        self._start = time.monotonic()
        self._first_peak = 0.0
        self._has_header = False
        self._bar = tqdm(
            total=100,
            file=self._stream,
            disable=not self._stream.isatty(),
            leave=False,
            bar_format="{desc:<22} {percentage:3.0f}% |{bar}| {elapsed}",
        )

    def stage(self, name: str) -> None:
        self._bar.set_description_str(name)

    def cycle(self, *, number: int, peak_residual: float, cycle_threshold: float | None, iterations: int) -> None:
        if not self._has_header:
            self._has_header = True
            self._first_peak = peak_residual
            self._line(HEADER)
        shown = "-" if cycle_threshold is None else f"{_in_jansky(cycle_threshold)}"
        elapsed = time.monotonic() - self._start
        self._line(f"{number:>5}  {_in_jansky(peak_residual):>16}  {shown:>16}  {iterations:>10}  {elapsed:>6.1f} s")
        self._bar.set_description_str(f"cleaning, cycle {number + 1}")
        self._bar.n = int(100 * self._done(peak_residual, iterations))
        self._bar.refresh()

    def note(self, text: str) -> None:
        self._line(text)

    def stopped(self, code: int, reason: str) -> None:
        self._line(f"stopped: {reason} (stop code {code})")

    def finish(self) -> None:
        self._bar.close()

    def _line(self, text: str) -> None:
        tqdm.write(text, file=self._stream)

    def _done(self, peak: float, iterations: int) -> float:
        """Part of the way, by iterations or by depth, whichever is further."""
        by_iterations = iterations / self._niter if self._niter else 1.0
        if not 0 < self._threshold < self._first_peak or peak <= 0:
            return min(by_iterations, 1.0)
        by_depth = math.log(self._first_peak / peak) / math.log(self._first_peak / self._threshold)
        return min(max(by_iterations, by_depth, 0.0), 1.0)


def _in_jansky(value: float) -> str:
    """A flux density per beam in a unit that keeps the digits in front of the eye."""
    for factor, unit in ((1.0, "Jy/beam"), (1e3, "mJy/beam")):
        if abs(value) * factor >= 1:
            return f"{value * factor:.4g} {unit}"
    return f"{value * 1e6:.4g} uJy/beam"
