"""IterationControl: when to stop, and how deep to clean before the next major cycle; on CASA's iterbotsink."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from .. import casa
from ..errors import ImagingError
from ..minorrecords import ExecRecord, InitRecord, MinorControls
from ..progress import Progress
from ..recordvalues import Record

BY_COMPARISON = (4, 5)  # stop codes that say how the residual differs from the one before


class IterationControl:
    """The iteration controller of one run.

    casatools keeps its state once per process, and ignores a new set-up until the old one is `done`: whoever makes an
    IterationControl ends the one before it, and only the newest works: the others raise ImagingError when used.

    Attributes
    ----------
    iterations : int
        Minor-cycle iterations so far, over all planes.
    major_cycles : int
        Major cycles of the clean loop so far; the first residual is not one of them.
    controls : dict
        Of the last minor cycle: cyclethreshold [Jy/beam], cycleniter, thresholdreached, ..., and summaryrows, the rows
        that the controller wants in `summaryminor`; empty before the first.
    peak_residual : float
        The largest absolute residual within the mask that the last `converged` was told of [Jy/beam].
    knows_residual : bool
        Whether `converged` was told of the residual that the next minor cycle will clean.
    """

    _newest: ClassVar[int] = 0

    def __init__(self, iterpars: Record) -> None:
        IterationControl._newest += 1
        self._number = IterationControl._newest
        self._sink: Any = casa.load().iterbotsink()
        self._sink.done()
        with casa.working_on("setting up the iteration control"):
            self._sink.setupiteration(iterpars=dict(iterpars))
            self._sink.resetminorcycleinfo()  # `done` keeps the count of a minor cycle that no major cycle followed
        self._summary_rows = len(self._sink.getiterationsummary()["summaryminor"])
        self._counts_fields = casa.takes(self._sink.mergeinitrecord, "immod")  # since casatools 6.7
        self.iterations = 0
        self.major_cycles = 0
        self.controls: MinorControls = {}
        self.peak_residual = 0.0
        self.knows_residual = False
        self._told: list[tuple[float, float]] = []
        self._stop_code = 0
        self._events: list[list[Any]] = []

    def converged(self, init_records: Sequence[InitRecord], nmajor_limit: int = -1) -> int:
        """The stop code after these records of all fields' `Deconvolver.init_record`; 0 means go on.

        CASA compares a residual with the one that it was told of before, were it the same: that answer is kept.
        """
        self._note("converged", [dict(record) for record in init_records], nmajor_limit)
        told = [(float(record["peakresidual"]), float(record["peakresidualnomask"])) for record in init_records]
        if self.knows_residual and self._stop_code in BY_COMPARISON and told == self._told:
            return self._stop_code
        self.knows_residual, self._told = True, told
        self._tool.resetminorcycleinfo()
        for number, record in enumerate(init_records):
            whole = {"summaryminor": np.zeros((self._summary_rows, 0)), **record}
            self._tool.mergeinitrecord(whole, *([number] if self._counts_fields else []))
        self.peak_residual = max(float(record["peakresidual"]) for record in init_records)
        reached = nmajor_limit >= 0 and self.major_cycles >= nmajor_limit
        self._stop_code = int(self._tool.cleanComplete(reachedMajorLimit=reached))
        return self._stop_code

    def start_minor_cycle(self) -> MinorControls:
        """The controls for the next minor cycle: the same for every field and part."""
        self._note("start_minor_cycle")
        controls: MinorControls = self._tool.getminorcyclecontrols()
        controls["summaryrows"] = self._summary_rows
        self.controls = controls
        self.knows_residual = False
        self._tool.resetminorcycleinfo()
        return self.controls

    def end_minor_cycle(self, exec_records: Sequence[ExecRecord]) -> bool:
        """Take the records of all fields' minor cycles; True if any iteration was done."""
        self._note("end_minor_cycle", [dict(record) for record in exec_records])
        for number, record in enumerate(exec_records):
            self._tool.mergeexecrecord(record, number)
        done = sum(int(record["iterdone"]) for record in exec_records)
        self.iterations += done
        return done > 0

    def is_last_major_cycle(self) -> bool:
        """Whether the coming major cycle is foreseen to be the last."""
        self._note("is_last_major_cycle")
        return int(self._tool.cleanComplete(lastcyclecheck=True)) > 0

    def end_major_cycle(self, is_first: bool) -> None:
        """Count a major cycle; the first residual counts for the summary, not for nmajor."""
        self._note("end_major_cycle", is_first)
        self.knows_residual = False
        if not is_first:
            self.major_cycles += 1
        self._tool.endmajorcycle()

    def _note(self, method: str, *values: Any) -> None:
        self._events.append([method, *values])

    def take_events(self) -> list[Any]:
        """What it was told since the last time that somebody asked for it, for `replay`."""
        events, self._events = self._events, []
        return events

    def replay(self, events: Sequence[Any]) -> None:
        """Come to where another one has come that was told these events, and nothing else.

        casatools' tool can't be loaded with a state; told the same it comes to the same.
        """
        for method, *values in events:
            getattr(self, method)(*values)
        self._events = []

    def report_cycle(self, progress: Progress) -> None:
        """Show how far the run has come."""
        progress.cycle(
            number=self.major_cycles,
            peak_residual=self.peak_residual,
            cycle_threshold=self.controls.get("cyclethreshold"),
            iterations=self.iterations,
        )

    def summary(self) -> Record:
        """The controller's own summary; `report.clean_summary` makes the task's return dictionary of it."""
        return self._tool.getiterationsummary()

    def stop(self) -> None:
        """Let the next `converged` end the run, as if its user had (stop code 3)."""
        self._tool.changestopflag(True)

    def close(self) -> None:
        """End the controller, so that the next set-up of this process is heeded."""
        if self._number == IterationControl._newest:
            self._sink.done()

    @property
    def _tool(self) -> Any:
        if self._number != IterationControl._newest:
            raise ImagingError(
                "another run of this process has taken over the iteration control, of which CASA has one; "
                "finish a run before the next begins, or give each a process of its own"
            )
        return self._sink
