"""The minor cycle in memory: when CASA stops on each plane, and what it reports. Arrays only.

Follows SDAlgorithmBase::deconvolve and SIMinorCycleController::majorCycleRequired, casatools 6.7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import report
from ..minorrecords import ExecRecord, MinorControls
from .hogbom import Step

STEP_LIMIT = 5000  # cycleniter from which steps are of STEP iterations
STEP = 2000
DIVERGENCE = 0.1  # rise of the peak over its minimum at which a plane is left, relative

# What a plane's minor cycle ends with (SIMinorCycleController::majorCycleRequired).
GOES_ON, ITERATION_LIMIT, CYCLE_THRESHOLD, NO_ITERATIONS, DIVERGED, NO_CRITERION, NSIGMA_THRESHOLD = range(7)


@dataclass(frozen=True)
class Controls:
    """What holds for a whole minor cycle, in CASA's single precision.

    Attributes
    ----------
    cycleniter : int
        Iterations that each plane may have.
    cyclethreshold : float32
        Peak residual at which a plane is left [Jy/beam].
    gain : float32
        Loop gain.
    nsigma : float32
        0, or the plane's own thresholds act as well.
    summary_rows : int
        How many rows of report.FULL_ROWS the iteration control wants in a summary.
    """

    cycleniter: int
    cyclethreshold: np.float32
    gain: np.float32
    nsigma: np.float32
    summary_rows: int

    @classmethod
    def from_record(cls, record: MinorControls) -> Controls:
        """From the record of `IterationControl.start_minor_cycle`."""
        return cls(
            int(record["cycleniter"]),
            np.float32(record["cyclethreshold"]),
            np.float32(record["loopgain"]),
            np.float32(record["nsigma"]),
            int(record["summaryrows"]),
        )


class Algorithm(Protocol):
    """A clean of the planes that CASA cleans together: `HogbomPlane` or `ClarkPlanes`."""

    residual: NDArray[np.float32]
    model: NDArray[np.float32]

    def take_step(self, gain: np.float32, niter: int, threshold: np.float32) -> Step:
        """Clean down to `threshold` [Jy/beam] or through `niter` iterations."""

    def finish(self) -> None:
        """Bring the residual up to date."""


class Cleaned(NamedTuple):
    """What is left of a clean when it is done.

    Attributes
    ----------
    model : float32 array
        [Jy/pixel]
    flux : float
        Sum of the model, of the first Taylor term if there are more [Jy].
    residual : float32 array or None
        [Jy/beam]; None where nobody wants it.
    peak : float
        Peak |residual| everywhere [Jy/beam]; 0 without it.
    """

    model: NDArray[np.float32]
    flux: float
    residual: NDArray[np.float32] | None
    peak: float


@dataclass(frozen=True)
class Candidate:
    """Planes that are cleaned together, as they stand before the minor cycle.

    Attributes
    ----------
    chan, pol : int
        Where they are reported.
    peak, peak_unmasked : float
        Peak |residual| inside the mask, 0 where that is empty, and everywhere [Jy/beam].
    masksum : float
        Sum of the mask.
    flux : float
        Sum of the model [Jy].
    nsigma_threshold : float
        n-sigma threshold [Jy/beam]; 0 where nsigma is.
    make : callable
        Makes the algorithm, from arrays that it may change.
    finish : callable
        Takes from the algorithm what is left when it has cleaned.
    """

    chan: int
    pol: int
    peak: float
    peak_unmasked: float
    masksum: float
    flux: float
    nsigma_threshold: float
    make: Callable[[], Algorithm]
    finish: Callable[[Algorithm], Cleaned]


class _Stop:
    """Decides when a plane is left."""

    def __init__(self, controls: Controls, nsigma_threshold: np.float32, peak: float) -> None:
        self._controls = controls
        self.nsigma_threshold = nsigma_threshold
        self._lowest = peak
        self._step = -1
        self.iterations = 0

    def after(self, step: Step) -> int:
        """The code after a step; 0: go on."""
        self._step = step.iterations
        self.iterations += step.iterations
        return self.code(step.peak)

    def code(self, peak: float) -> int:
        code = GOES_ON
        controls = self._controls
        if self.iterations >= controls.cycleniter:
            code = ITERATION_LIMIT
        if controls.cyclethreshold >= self.nsigma_threshold:
            if abs(peak) <= controls.cyclethreshold:
                code = CYCLE_THRESHOLD
        elif abs(peak) <= self.nsigma_threshold and self._step > 0 and controls.nsigma != 0:
            code = NSIGMA_THRESHOLD
        if self._step == 0:
            code = NO_ITERATIONS
        lowest = np.float32(abs(self._lowest))
        if self._step > 0 and lowest > 0 and float((np.float32(abs(peak)) - lowest) / lowest) > DIVERGENCE:
            code = DIVERGED
        return code

    def note_peak(self, peak: float) -> None:
        self._lowest = min(self._lowest, peak)


class _Outcome(NamedTuple):
    """What came of a candidate: arrays, iterations, why it was left, peak, the model's flux, peak anywhere."""

    cleaned: Cleaned | None
    iterations: int
    code: int
    peak: float
    flux: float
    peak_unmasked: float


@dataclass
class MinorCycle:
    """One minor cycle over a block of channels, plane after plane; and CASA's record of it.

    Attributes
    ----------
    controls : Controls
        What holds for all planes.
    nsigma_threshold : float32
        The block's n-sigma threshold [Jy/beam], of `initminorcycle`; later that of the plane before, as in CASA.
    deconvolver : int
        The field's number.
    """

    controls: Controls
    nsigma_threshold: np.float32
    deconvolver: int = 0
    iterdone: int = 0
    most_iterations: int = 0
    peak: float = 0.0
    updated: bool = False
    rows: list[list[float]] = field(default_factory=list)

    def clean(self, candidates: Sequence[Candidate], nthreads: int = 1) -> list[Cleaned | None]:
        """Clean candidates; for each what is left of it, None where there was nothing to do.

        With nsigma a plane's threshold acts on the next one, so that they are cleaned in turn.
        """
        nthreads = 1 if self.controls.nsigma > 0 else min(nthreads, len(candidates))
        if nthreads <= 1:
            outcomes = [self._run(candidate) for candidate in candidates]
        else:
            with ThreadPoolExecutor(nthreads) as pool:
                outcomes = list(pool.map(self._run, candidates))
        for candidate, outcome in zip(candidates, outcomes, strict=True):
            self._note(candidate, outcome)
        return [outcome.cleaned for outcome in outcomes]

    def _run(self, candidate: Candidate) -> _Outcome:
        """Clean a candidate."""
        controls = self.controls
        own = np.float32(candidate.nsigma_threshold)
        threshold = max(own, controls.cyclethreshold) if controls.nsigma > 0 else controls.cyclethreshold
        if threshold != controls.cyclethreshold:
            self.nsigma_threshold = own
        stop = _Stop(controls, self.nsigma_threshold, candidate.peak)
        code, peak, peak_unmasked = stop.code(candidate.peak), candidate.peak, candidate.peak_unmasked
        cleaned, flux = None, candidate.flux
        if code == GOES_ON and candidate.masksum > 0:
            if controls.nsigma > 0:
                stop.nsigma_threshold = self.nsigma_threshold = own
            algorithm = candidate.make()
            while code == GOES_ON:
                asked = controls.cycleniter if controls.cycleniter < STEP_LIMIT else STEP
                stop.note_peak(peak)
                step = algorithm.take_step(controls.gain, asked, threshold)
                peak, code = step.peak, stop.after(step)
                if code == GOES_ON and step.iterations != asked:
                    code = NO_CRITERION
            cleaned = candidate.finish(algorithm)
            flux, peak_unmasked = cleaned.flux, cleaned.peak
        return _Outcome(cleaned, stop.iterations, code, peak, flux, peak_unmasked)

    def _note(self, candidate: Candidate, outcome: _Outcome) -> None:
        """Add a plane to the summary."""
        values: dict[str, float] = {
            "iterDone": outcome.iterations, "peakRes": outcome.peak, "modelFlux": outcome.flux,
            "cycleThresh": float(self.controls.cyclethreshold), "deconId": self.deconvolver, "chan": candidate.chan,
            "stoke": candidate.pol, "startIterDone": self.iterdone, "startPeakRes": candidate.peak,
            "startModelFlux": candidate.flux, "startPeakResNM": candidate.peak_unmasked,
            "peakResNM": outcome.peak_unmasked, "masksum": candidate.masksum, "stopCode": outcome.code,
        }  # fmt: skip
        self.rows.append([float(values.get(key, 0)) for key in report.FULL_ROWS])
        self.iterdone += outcome.iterations
        self.most_iterations = max(self.most_iterations, outcome.iterations)
        self.updated = outcome.iterations > 0
        if outcome.code != GOES_ON:
            self.peak = max(self.peak, outcome.peak)


def merged_record(cycles: list[MinorCycle], *, summary_rows: int, nchan: int) -> ExecRecord:
    """CASA's record of a minor cycle whose blocks of channels were cleaned one by one.

    In a summary without a row for the polarisation chan + pol * nchan stands for both.
    """
    rows = [row for cycle in cycles for row in cycle.rows]
    summary = np.array(rows, np.float64).reshape(-1, len(report.FULL_ROWS)).T
    chan, stokes = (report.FULL_ROWS.index(key) for key in ("chan", "stoke"))
    if summary_rows <= stokes:
        summary[chan] += nchan * summary[stokes]
    return {
        "iterdone": sum(cycle.iterdone for cycle in cycles),
        "maxcycleiterdone": max(cycle.most_iterations for cycle in cycles),
        "peakresidual": max(cycle.peak for cycle in cycles),
        "updatedmodelflag": any(cycle.updated for cycle in cycles),
        "summaryminor": summary[:summary_rows],
    }


def model_flux(model: NDArray[np.float32]) -> float:
    """Sum of a model [Jy], pixel by pixel in single precision, as CASA reports it after a step."""
    found = model[model != 0]
    return float(np.add.accumulate(found, dtype=np.float32)[-1]) if found.size else 0.0
