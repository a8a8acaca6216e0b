"""The records of minor cycles: what CASA's iteration control, deconvolvers and their stand-ins tell each other.

They are plain dicts, as CASA's tools take them and as the steps of `SerialImager` hand them out; these types are the
one list of their keys, which mypy checks wherever one is read or made. Keys are those of casatools 6.7
(SIMinorCycleController::getCycleExecutionRecord, SynthesisDeconvolver::initMinorCycle).
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np


class InitRecord(TypedDict, total=False):
    """A field before a minor cycle, of `init_record`, for `IterationControl.converged`; CASA's own has more keys.

    Peaks are absolute values, and thresholds, in Jy/beam: `peakresidual` within the mask, where that isn't empty,
    `peakresidualnomask` everywhere. `masksum` is -1 where there is no mask, or where it is as it was.
    `maxpsfsidelobe` is relative to the PSF's peak.
    """

    fullsummary: bool
    madrms: float
    masksum: float
    maxpsfsidelobe: float
    nsigma: float
    nsigmathreshold: float
    peakresidual: float
    peakresidualnomask: float


class MinorControls(TypedDict, total=False):
    """What all fields' next minor cycles go by, of `IterationControl.start_minor_cycle`.

    `cyclethreshold` is in Jy/beam; `cycleniter` is of each plane; `summaryrows` is how many rows of `report.FULL_ROWS`
    the iteration control wants in a summary, and may be left out.
    """

    cycleniter: int
    cyclethreshold: float
    loopgain: float
    nsigma: float
    thresholdreached: bool
    summaryrows: int


class ExecRecord(TypedDict, total=False):
    """A field after a minor cycle, for `IterationControl.end_minor_cycle`.

    Iterations are counted over all planes in `iterdone`, and in the plane with most of them in `maxcycleiterdone`.
    `summaryminor` is a float64 array [row of `report.FULL_ROWS`, plane].
    """

    iterdone: int
    maxcycleiterdone: int
    peakresidual: float
    peakresidualnomask: float
    summaryminor: np.ndarray
    updatedmodelflag: bool
