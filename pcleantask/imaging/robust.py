"""Robust statistics of an image plane, as CASA's masks and n-sigma thresholds take them. Arrays only.

Sums are in double precision, order statistics by selection in float32: exact, in little memory.
"""

from __future__ import annotations

import functools
from math import erfc, inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Plane = NDArray[np.float32]

RMS_PER_MAD = 1.4826
CHUNK = 1 << 16  # values turned to double at a time
CHAUVENET_ROUNDS = 6
CHAUVENET_NODES = {
    0: 0.5, 1: 1.0, 3: 1.5, 10: 2.0, 40: 2.5, 185: 3.0, 1074: 3.5, 7893: 4.0, 73579: 4.5, 872138: 5.0, 13165126: 5.5,
    253398672: 6.0,
}  # fmt: skip


class PlaneStatistics(NamedTuple):
    """Largest |residual|, median and robust rms (1.4826 x the median absolute deviation) of a plane [Jy/beam]."""

    absmax: float
    median: float
    rms: float


def _middle(values: Plane) -> tuple[float, float]:
    """The two middle values of float32 [n], the same one twice where n is odd; `values` is left in another order."""
    half = values.size // 2
    values.partition(half)
    upper = float(values[half])
    return (upper if values.size % 2 else float(values[:half].max())), upper


def _median_deviation(values: Plane, median: float) -> float:
    """Median of |value - median| in double precision, of float32 [n].

    A selection in float32 says where it lies to within rounding; only values that close to it are looked at as doubles.
    """
    centre = np.float32(median)
    distances = values - centre
    np.abs(distances, out=distances)
    low, high = _middle(distances)
    if high == 0 and centre == median:
        return 0.0
    del distances
    slack = 4 * float(np.finfo(np.float32).eps) * (abs(median) + high)
    nearer = (values > np.float32(median - low + slack)) & (values < np.float32(median + low - slack))
    below = int(np.count_nonzero(nearer))
    close = (values >= np.float32(median - high - slack)) & (values <= np.float32(median + high + slack))
    close ^= close & nearer
    deviations = np.abs(values[close].astype(np.float64) - median)
    ranks = np.array([(values.size - 1) // 2, values.size // 2]) - below
    deviations.partition(ranks)
    return float(deviations[ranks].mean())


def _mean_and_deviation(values: Plane) -> tuple[float, float]:
    """Mean and standard deviation (divisor n - 1) in double precision."""
    mean = float(values.mean(dtype=np.float64))
    squares = 0.0
    for start in range(0, values.size, CHUNK):
        chunk = values[start : start + CHUNK].astype(np.float64)
        chunk -= mean
        squares += float(np.square(chunk, out=chunk).sum())
    return mean, sqrt(squares / (values.size - 1)) if values.size > 1 else 0.0


@functools.lru_cache(maxsize=1024)
def _chauvenet_limit(n: int) -> float:
    """Deviation [sigma] beyond which half a value is expected in n, found by the bisection of casacore's table."""
    if n in CHAUVENET_NODES:
        return CHAUVENET_NODES[n]
    low = max((z for size, z in CHAUVENET_NODES.items() if size < n), default=0.5)
    high = min((z for size, z in CHAUVENET_NODES.items() if size > n), default=low + 0.5)
    while True:
        middle = (low + high) / 2
        reached = int(0.5 / erfc(middle / sqrt(2.0)))
        if reached == n or abs(high - low) <= 1e-13 * high:
            return middle
        low, high = (low, middle) if reached > n else (middle, high)


def _clip_outliers(values: Plane) -> Plane:
    """Values that Chauvenet's criterion keeps, at most six rounds (casacore's ChauvenetCriterionStatistics)."""
    kept = values
    for _ in range(CHAUVENET_ROUNDS):
        before = kept.size
        mean, deviation = _mean_and_deviation(kept)
        del kept
        reach = _chauvenet_limit(before) * deviation
        low, high = np.float32(mean - reach), np.float32(mean + reach)
        low = low if low >= mean - reach else np.nextafter(low, np.float32(inf))
        high = high if high <= mean + reach else np.nextafter(high, np.float32(-inf))
        inside = values >= low
        inside &= values <= high
        kept = values[inside]
        if kept.size == before:
            break
    return kept


def robust_rms(
    residual: Plane, valid: Mask | None = None, fastnoise: bool = True, mask: Mask | None = None, fullmask: bool = False
) -> tuple[float, float]:
    """Median and robust rms (1.4826 x MAD) of a plane [Jy/beam]; (0, 0) where no pixel is valid.

    Follows SDMaskHandler::calcImageStatistics (fastnoise) and calcRobustImageStatistics. For the nsigma threshold
    (SIImageStore::calcRobustRMS) `valid` is `pb > pbmask`.

    Parameters
    ----------
    residual
        float32 [nx, ny], [Jy/beam].
    valid
        Pixels that count, bool [nx, ny]; None: all.
    fastnoise
        True: all valid pixels. False: those outside `mask`; where that is empty, all less Chauvenet's outliers.
    mask
        The clean mask, bool [nx, ny].
    fullmask
        CASA's quirk: the first plane of the channel block is masked all over, so that no plane's `mask` counts. A plane
        with no valid pixel outside its mask, with which CASA crashes, is treated the same way.
    """
    return plane_statistics(residual, valid, fastnoise, mask, fullmask)[1:]


def plane_statistics(
    residual: Plane,
    valid: Mask | None = None,
    fastnoise: bool = True,
    mask: Mask | None = None,
    fullmask: bool = False,
    *,
    known: tuple[float, float] | None = None,
) -> PlaneStatistics:
    """Statistics from which the thresholds are made.

    For the parameters see `robust_rms`; `known` is a (median, rms) to be taken as it is.
    """
    if residual.flags.f_contiguous:  # boolean indexing is quick along rows only
        residual, valid, mask = residual.T, transposed(valid), transposed(mask)
    values = residual.flatten() if valid is None else residual[valid]
    if not values.size:
        return PlaneStatistics(0.0, 0.0, 0.0)
    absmax = max(abs(float(values.max())), abs(float(values.min())))
    if known is None:
        if not fastnoise:
            outside = None if fullmask else _outside(valid, mask)
            if outside is None:
                values = _clip_outliers(values)
            else:
                del values
                values = residual[outside]
        median = sum(_middle(values)) / 2
        known = median, RMS_PER_MAD * _median_deviation(values, median)
    return PlaneStatistics(absmax, *known)


def _outside(valid: Mask | None, mask: Mask | None) -> Mask | None:
    """Valid pixels outside the mask; None where there is no mask, or nothing outside it."""
    if mask is None or not mask.any():
        return None
    outside = ~mask if valid is None else np.greater(valid, mask)
    return outside if outside.any() else None


def transposed(mask: Mask | None) -> Mask | None:
    return None if mask is None else mask.T
