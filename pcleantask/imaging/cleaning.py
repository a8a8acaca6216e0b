"""The image plane's half of the clean loop: all fields' deconvolvers and masks, called in the order that CASA needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..errors import StepError
from ..minorrecords import ExecRecord, InitRecord, MinorControls
from .masking import MaskMaker

NEEDED_CONTROLS = tuple(key for key in MinorControls.__annotations__ if key != "summaryrows")


class MinorCycles(Protocol):
    """What is asked of a field's deconvolver here.

    Attributes
    ----------
    leaves_residual : bool
        Whether a minor cycle leaves .residual as the major cycle has made it, so that only one may follow.
    """

    leaves_residual: bool

    def init_record(self) -> InitRecord:
        """Peak residual, sidelobe level and mask sum."""

    def minor_cycle(self, controls: MinorControls) -> ExecRecord:
        """Clean .residual within .mask."""


class Cleaning:
    """Minor cycles of all image fields, each within a mask that belongs to the residual that is cleaned.

    A mask is brought up to date once for each residual, before its sum and the peak within it are told: whoever asks
    first, in whatever order, the tools are called as tclean calls them. There each deconvolver also looks at the first
    residual before the first mask is made, as it may measure noise then (SynthesisDeconvolver::initMinorCycle).

    Parameters
    ----------
    deconvolvers, masks : sequence
        One of each for each field.

    Attributes
    ----------
    records : list of dict
        Of the last minor cycle, one a field.
    is_idle : bool
        Whether the last minor cycle has done no iteration, after which another would do none either.
    """

    def __init__(self, deconvolvers: Sequence[MinorCycles], masks: Sequence[MaskMaker]) -> None:
        self._deconvolvers, self._masks = deconvolvers, masks
        self.records: list[ExecRecord] = []
        self.is_idle = False
        self._iterations = [0] * len(deconvolvers)
        self._threshold_reached = False
        self._has_looked = self._has_masks = self._has_cleaned = False

    def note_residual(self) -> None:
        """A major cycle has made a residual that the masks don't know yet."""
        self._has_masks = self._has_cleaned = False

    def update_masks(self) -> None:
        """Make the masks for the next minor cycle, where that isn't done yet."""
        if self._has_masks:
            return
        if not self._has_looked:
            self._look()
        for mask, iterations in zip(self._masks, self._iterations, strict=True):
            mask.update(iterations=iterations, threshold_reached=self._threshold_reached)
        self._has_masks = True

    @property
    def needs_residual(self) -> bool:
        """Whether the model is newer than .residual, which a major cycle has to make anew."""
        return self._has_cleaned and any(deconvolver.leaves_residual for deconvolver in self._deconvolvers)

    def check_residual(self) -> None:
        """Raise StepError where there is no residual to look at or to clean."""
        if self.needs_residual:
            raise StepError("the last minor cycle's model isn't subtracted from the data yet: call run_major_cycle")

    def init_records(self) -> list[InitRecord]:
        """Peak residual, sidelobe level and mask sum of every field, for an iteration control."""
        self.check_residual()
        self.update_masks()
        return self._look()

    def _look(self) -> list[InitRecord]:
        self._has_looked = True
        return [deconvolver.init_record() for deconvolver in self._deconvolvers]

    def check_minor_cycle(self, controls: MinorControls | None) -> None:
        """Raise StepError where a minor cycle can't be done now, or not with these controls."""
        self.check_residual()
        missing = [key for key in NEEDED_CONTROLS if controls is not None and key not in controls]
        if missing:
            raise StepError(
                f"run_minor_cycle can't run: controls lack {', '.join(missing)}; they are what "
                f"IterationControl.start_minor_cycle returns"
            )

    def minor_cycle(self, controls: MinorControls) -> None:
        """Clean every field's .residual within its .mask, and remember the masks."""
        if not self._has_masks:
            self.init_records()
        self._threshold_reached = bool(controls["thresholdreached"])
        self.records = []
        for deconvolver, mask in zip(self._deconvolvers, self._masks, strict=True):
            self.records.append(deconvolver.minor_cycle(controls))
            mask.keep()
        done = [int(record["iterdone"]) for record in self.records]
        self._iterations = [before + new for before, new in zip(self._iterations, done, strict=True)]
        self.is_idle = not any(done)
        self._has_cleaned = not self.is_idle
        self._has_masks = not self.is_idle  # as in tclean, no residual follows then, and the masks are made once more

    def facts(self) -> dict[str, Any]:
        """What it knows after a minor cycle, for `recall`."""
        return {"iterations": self._iterations, "threshold_reached": self._threshold_reached}

    def recall(self, facts: Mapping[str, Any]) -> None:
        """Come to where another one has come that had these facts: a major cycle is next."""
        self._iterations = list(facts["iterations"])
        self._threshold_reached = bool(facts["threshold_reached"])
        self._has_looked = self._has_cleaned = True

    def revert_masks(self) -> None:
        """Put back the masks of the last minor cycle, where automasking has made newer ones."""
        for mask in self._masks:
            mask.revert()
