"""CASA's auto-multithresh clean mask, plane by plane, to the pixel and in a small part of CASA's time. Arrays only.

The recipe is in `_update`: threshold the residual, prune what is smaller than a part of the beam, smooth with the beam
and cut, grow the mask of before into the fainter emission around it, add what is negative. The mask never shrinks.

Planes are [x, y] as casacore's getchunk gives them (x runs fastest), masks are bool inside, float32 where they are
returned. Sums of what CASA does as C++ float are done in float32 here, as a pixel at a threshold feels the last bit.
Follows SDMaskHandler::autoMaskByMultiThreshold, casatools 6.7.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, erfc, inf, sin, sqrt
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .beam import FWHM_PER_SIGMA, Beam, common_beam, sidelobe_level

Mask = NDArray[np.bool_]
Plane = NDArray[np.float32]

RMS_PER_MAD = 1.4826
CHUNK = 1 << 16  # values turned to double at a time
CHAUVENET_ROUNDS = 6
CHAUVENET_NODES = {
    0: 0.5, 1: 1.0, 3: 1.5, 10: 2.0, 40: 2.5, 185: 3.0, 1074: 3.5, 7893: 4.0, 73579: 4.5, 872138: 5.0, 13165126: 5.5,
    253398672: 6.0,
}  # fmt: skip
FFT_SIZE = 128


@dataclass(frozen=True)
class AutoMaskConfig:
    """Parameters of auto-multithresh, named as tclean's. The defaults are the tool's, NOT those of the tclean task."""

    sidelobethreshold: float = 3.0
    noisethreshold: float = 5.0
    lownoisethreshold: float = 1.5
    negativethreshold: float = 0.0
    smoothfactor: float = 1.0
    minbeamfrac: float = 0.3
    cutthreshold: float = 0.01
    growiterations: int = 100
    dogrowprune: bool = True
    minpercentchange: float = 0.0
    fastnoise: bool = True


class PlaneStatistics(NamedTuple):
    """Largest |residual|, median and robust rms (1.4826 x the median absolute deviation) of a plane [Jy/beam]."""

    absmax: float
    median: float
    rms: float


class Thresholds(NamedTuple):
    """Levels [Jy/beam] above which emission is masked, above which a mask grows, below which negatives are masked."""

    high: np.float32
    low: np.float32
    negative: np.float32
    noise_limited: bool


@dataclass
class AutoMaskState:
    """What auto-multithresh remembers of one plane between its calls.

    Attributes
    ----------
    posmask
        Emission masked so far, bool [nx, ny]; made on the first call.
    prevmask
        The whole mask, negatives and the user's own included, bool [nx, ny]; updated in place by each call.
    iteration
        Number of calls so far.
    skip
        The channel's mask is final. One flag per channel: see `automask_channel`.
    statistics, thresholds
        Those of the last call; `statistics` feeds the nsigma threshold.
    """

    posmask: Mask | None = None
    prevmask: Mask | None = None
    iteration: int = 0
    skip: bool = False
    statistics: PlaneStatistics | None = None
    thresholds: Thresholds | None = None


# --- statistics: sums in double precision, order statistics by selection in float32 ---


def _middle(values: Plane) -> tuple[float, float]:
    """The two middle values of float32 [n]; the same one twice where n is odd."""
    half = values.size // 2
    parted = np.partition(values, half)
    upper = float(parted[half])
    return (upper if values.size % 2 else float(parted[:half].max())), upper


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
        reach = _chauvenet_limit(before) * deviation
        low, high = np.float32(mean - reach), np.float32(mean + reach)
        low = low if low >= mean - reach else np.nextafter(low, np.float32(inf))
        high = high if high <= mean + reach else np.nextafter(high, np.float32(-inf))
        kept = values[(values >= low) & (values <= high)]
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
    return _statistics(residual, valid, fastnoise, mask, fullmask)[1:]


def plane_statistics(
    residual: Plane, valid: Mask | None = None, fastnoise: bool = True, mask: Mask | None = None, fullmask: bool = False
) -> PlaneStatistics:
    """Statistics from which the thresholds are made; for the parameters see `robust_rms`."""
    return _statistics(residual, valid, fastnoise, mask, fullmask)


def _statistics(
    residual: Plane,
    valid: Mask | None,
    fastnoise: bool,
    mask: Mask | None,
    fullmask: bool,
    known: tuple[float, float] | None = None,
) -> PlaneStatistics:
    """Statistics of a plane; `known` is a (median, rms) to be taken as it is."""
    if residual.flags.f_contiguous:  # boolean indexing is quick along rows only
        residual, valid, mask = residual.T, _turn(valid), _turn(mask)
    values = residual.ravel() if valid is None else residual[valid]
    if not values.size:
        return PlaneStatistics(0.0, 0.0, 0.0)
    absmax = max(abs(float(values.max())), abs(float(values.min())))
    if known is None:
        if not fastnoise:
            values = _off_source(values, residual, valid, None if fullmask else mask)
        median = sum(_middle(values)) / 2
        known = median, RMS_PER_MAD * _median_deviation(values, median)
    return PlaneStatistics(absmax, *known)


def _off_source(values: Plane, residual: Plane, valid: Mask | None, mask: Mask | None) -> Plane:
    """The valid `values` of `residual` outside the mask; where there is no mask, those without outliers."""
    if mask is not None and mask.any():
        outside = residual[~mask if valid is None else valid & ~mask]
        if outside.size:
            return outside
    return _clip_outliers(values)


def _turn(mask: Mask | None) -> Mask | None:
    return None if mask is None else mask.T


def plane_thresholds(statistics: PlaneStatistics, sidelobe: float, cfg: AutoMaskConfig) -> Thresholds:
    """Thresholds of a plane, in C++ float. `sidelobe` is the PSF sidelobe level of the WHOLE cube."""
    rms, median = np.float32(statistics.rms), np.float32(statistics.median)
    by_sidelobe = np.float32(sidelobe) * np.float32(cfg.sidelobethreshold) * np.float32(statistics.absmax)
    by_noise = np.float32(cfg.noisethreshold) * rms
    negative = -max(by_sidelobe, np.float32(cfg.negativethreshold) * rms) + median
    low = max(by_sidelobe + median, np.float32(cfg.lownoisethreshold) * rms + median)
    by_sidelobe, by_noise = by_sidelobe + median, by_noise + median
    return Thresholds(max(by_sidelobe, by_noise), low, negative, noise_limited=bool(by_noise > by_sidelobe))


def _beyond(plane: Plane, threshold: np.float32) -> Mask:
    """Pixels above a threshold, or below a negative one (SDMaskHandler::makeMaskByPerChanThreshold)."""
    return plane < threshold if threshold < 0 else plane > threshold


# --- morphology, on [row, column] views whose columns lie next to each other in memory ---


class Kernel(NamedTuple):
    """Smoothing kernel: FWHM [pixels] and the (row, column) direction of the major axis."""

    major: float
    minor: float
    row: float
    column: float


def _runs(mask: Mask) -> tuple[Mask, NDArray[np.intp], NDArray[np.intp]]:
    """Runs of True along rows: a flat copy with one False before each row, and where in it runs start and stop."""
    height, width = mask.shape
    flat = np.zeros(height * (width + 1) + 1, bool)
    flat[:-1].reshape(height, width + 1)[:, 1:] = mask
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return flat, edges[0::2], edges[1::2]


def _ranges(starts: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """start, start + 1, ... (count of them) for each start, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if ends.size else 0) + np.repeat(starts - ends + counts, counts)


def prune(mask: Mask, min_size: float) -> None:
    """Clear, in place, the 4-connected regions of fewer than `min_size` pixels (SDMaskHandler::YAPruneRegions).

    Regions are joined from runs along rows: the work goes with the number of runs, not of pixels.
    """
    flat, starts, stops = _runs(mask)
    if not starts.size:
        return
    stride = mask.shape[1] + 1
    first = np.searchsorted(stops, starts + stride, side="right")
    touching = np.searchsorted(starts, stops + stride, side="left") - first
    upper, lower = np.repeat(np.arange(starts.size), touching), _ranges(first, touching)
    links = coo_array((np.ones(upper.size, bool), (upper, lower)), shape=(starts.size, starts.size))
    region = connected_components(links, directed=False)[1]
    lengths = stops - starts
    small = (np.bincount(region, weights=lengths) < min_size)[region]
    flat[_ranges(starts[small], lengths[small])] = False
    mask[...] = flat[:-1].reshape(mask.shape[0], stride)[:, 1:]


def grow(mask: Mask, allowed: Mask, steps: int) -> Mask:
    """The mask's pixels in `allowed`, and what of `allowed` lies within `steps` 4-neighbour steps of them inside it.

    Equals SDMaskHandler::binaryDilation times its constraint: a geodesic dilation. Only its frontier is visited.
    """
    height, width = mask.shape
    seeds = mask & allowed
    padded = np.zeros((height + 2, width + 1), bool)  # a False border; column 0 also ends the row before
    near = np.zeros_like(padded)
    free, around = padded[1:-1, 1:], near[1:-1, 1:]
    np.greater(allowed, mask, out=free)
    around[1:] |= seeds[:-1]
    around[:-1] |= seeds[1:]
    around[:, 1:] |= seeds[:, :-1]
    around[:, :-1] |= seeds[:, 1:]
    near &= padded
    unreached, frontier = padded.reshape(-1), np.flatnonzero(near)
    unreached[frontier] = False
    for _ in range(steps - 1):
        if not frontier.size:
            break
        reached = []
        for offset in (1, -1, width + 1, -width - 1):
            neighbours = frontier + offset
            neighbours = neighbours[unreached[neighbours]]
            unreached[neighbours] = False
            reached.append(neighbours)
        frontier = np.concatenate(reached)
    return np.greater(allowed, free)


def smoothing_kernel(kernel: Kernel) -> NDArray[np.float64]:
    """Rotated Gaussian on a square of odd side that reaches 5 sigma, as casacore's Image2DConvolver samples it."""

    def side(width: float) -> int:
        return 2 * (int(5.0 * width / FWHM_PER_SIGMA + 0.5) + 1) + 1

    n = max(side(kernel.major), side(kernel.minor))
    offset = np.arange(n) - n // 2
    rows, columns = offset[:, None], offset[None, :]
    along = rows * kernel.row + columns * kernel.column
    across = columns * kernel.row - rows * kernel.column
    gauss = np.exp(-(FWHM_PER_SIGMA**2 / 2) * ((along / kernel.major) ** 2 + (across / kernel.minor) ** 2))
    return gauss / gauss.sum()


@functools.lru_cache(maxsize=8)
def _kernel_spectrum(kernel: Kernel) -> tuple[int, int, NDArray[np.complex128]]:
    """Half-width of the kernel, side of the FFT, and the kernel's FFT, centred on pixel 0."""
    gauss = smoothing_kernel(kernel)
    half = gauss.shape[0] // 2
    side = fft.next_fast_len(max(FFT_SIZE, 6 * half), real=True)
    centred = np.zeros((side, side))
    centred[: 2 * half + 1, : 2 * half + 1] = gauss
    return half, side, fft.rfft2(np.roll(centred, (-half, -half), (0, 1)))


def _span(hits: Any, margin: int) -> tuple[int, int]:
    """First and last + 1 of the True elements, a margin added at both ends."""
    return max(0, int(hits.argmax()) - margin), min(hits.size, hits.size - int(hits[::-1].argmax()) + margin)


def _smooth(mask: Mask, kernel: Kernel) -> tuple[Plane, tuple[slice, slice]]:
    """The mask convolved with the kernel, zero beyond its edges, and the box out of which it is zero.

    Tile by tile in double precision (overlap-save), leaving out the tiles with nothing in reach.
    """
    half, side, spectrum = _kernel_spectrum(kernel)
    (top, bottom), (left, right) = _span(mask.any(axis=1), half), _span(mask.any(axis=0), half)
    smoothed = np.zeros((bottom - top, right - left), np.float32)
    step = side - 2 * half
    for row in range(top, bottom, step):
        for column in range(left, right, step):
            low_row, low_column = row - half, column - half
            window = mask[max(0, low_row) : low_row + side, max(0, low_column) : low_column + side]
            if not window.any():
                continue
            tile = np.zeros((side, side))
            skip_row, skip_column = max(0, -low_row), max(0, -low_column)
            tile[skip_row : skip_row + window.shape[0], skip_column : skip_column + window.shape[1]] = window
            product = fft.rfft2(tile)
            product *= spectrum
            target = smoothed[row - top : row - top + step, column - left : column - left + step]
            done = fft.irfft2(product, s=(side, side), overwrite_x=True)
            target[...] = done[half : half + target.shape[0], half : half + target.shape[1]]
    return smoothed, (slice(top, bottom), slice(left, right))


def smooth_and_cut(mask: Mask, kernel: Kernel, cut: float) -> Mask:
    """Where the smoothed mask is above `cut` times its peak; empty where the mask is empty."""
    result = np.zeros(mask.shape, bool)
    if mask.any():
        smoothed, box = _smooth(mask, kernel)
        result[box] = smoothed > np.float32(float(np.float32(cut)) * float(smoothed.max()))
    return result


# --- the algorithm ---


class BeamInfo(NamedTuple):
    """What the mask must know of the PSF.

    Beam area [pixels], sidelobe level of the whole cube, sigma (major, minor) [pixels], position angle on the pixel
    grid [rad], north through east.
    """

    area_pix: float
    sidelobe_level: float
    sigma_pix: tuple[float, float]
    pa_rad: float = 0.0


def _kernel(beam: BeamInfo, smoothfactor: float, cell_sign: int, turned: bool) -> Kernel:
    major, minor = (float(np.float32(smoothfactor)) * sigma * FWHM_PER_SIGMA for sigma in beam.sigma_pix)
    x, y = cell_sign * sin(beam.pa_rad), cos(beam.pa_rad)
    return Kernel(major, minor, *((y, x) if turned else (x, y)))


@dataclass(frozen=True)
class _Update:
    """One cycle's search for emission: what is the same for all polarisations of a channel."""

    beam: BeamInfo
    cfg: AutoMaskConfig
    growing: bool
    cell_sign: int

    def add(self, residual: Plane, valid: Mask | None, thresholds: Thresholds, posmask: Mask, mask: Mask) -> None:
        """Add what this cycle finds: emission to `posmask`, negatives to `mask`."""
        cfg, turned = self.cfg, residual.flags.f_contiguous
        kernel = _kernel(self.beam, cfg.smoothfactor, self.cell_sign, turned)
        if turned:
            residual, valid, posmask, mask = residual.T, _turn(valid), posmask.T, mask.T
        posmask |= smooth_and_cut(self._emission(residual, valid, thresholds.high), kernel, cfg.cutthreshold)
        if self.growing and mask.any():
            posmask |= smooth_and_cut(self._grown(residual, mask, thresholds.low), kernel, cfg.cutthreshold)
        if cfg.negativethreshold > 0:
            mask |= smooth_and_cut(_beyond(residual, thresholds.negative), kernel, cfg.cutthreshold)

    @property
    def _min_size(self) -> float:
        return float(np.float32(self.cfg.minbeamfrac)) * self.beam.area_pix

    def _emission(self, residual: Plane, valid: Mask | None, high: np.float32) -> Mask:
        """Pixels above the threshold; only where they are pruned, CASA keeps them to valid ones before it smooths."""
        found = _beyond(residual, high)
        if self.cfg.minbeamfrac > 0:
            if valid is not None:
                found &= valid
            prune(found, self._min_size)
        return found

    def _grown(self, residual: Plane, mask: Mask, low: np.float32) -> Mask:
        """The mask of before, grown into emission above the low threshold; what lies below it drops out."""
        grown = grow(mask, _beyond(residual, low), self.cfg.growiterations)
        if self.cfg.minbeamfrac > 0 and self.cfg.dogrowprune:
            prune(grown, self._min_size)
        return grown


def should_skip(before: int, after: int, noise_limited: bool, threshold_reached: bool, minpercentchange: float) -> bool:
    """Whether a channel's mask is final (SDMaskHandler::skipChannels).

    Parameters
    ----------
    before, after
        Mask pixels of the channel, all polarisations, on entry and now.
    noise_limited
        The noise, not the sidelobes, set the high threshold of the first polarisation.
    threshold_reached
        cyclethreshold equalled threshold in the last minor cycle.
    minpercentchange
        Change [%] below which the mask is final; negative: only an empty mask is.
    """
    if not noise_limited:
        return False
    fraction, change = np.float32(minpercentchange / 100.0), abs(after - before)
    return after == 0 or bool(
        fraction >= 0 and threshold_reached and (change == 0 or np.float32(change) < fraction * np.float32(before))
    )


def _valid_pixels(pb: Plane | None, pblimit: float, valid: Mask | None, pbmask: float) -> Mask | None:
    if pb is not None and pbmask > 0:
        return pb > np.float32(pbmask)  # instead of the residual's own pixel mask, as in CASA
    if valid is None and pb is not None:
        return pb > np.float32(pblimit)
    return valid


def _masks(state: AutoMaskState, residual: Plane) -> tuple[Mask, Mask]:
    """The state's posmask and prevmask, made where they are not there yet, in the residual's memory order."""
    order: Literal["F", "C"] = "F" if residual.flags.f_contiguous else "C"
    if state.posmask is None:
        state.posmask = np.zeros(residual.shape, bool, order=order)
    if state.prevmask is None:
        state.prevmask = np.zeros(residual.shape, bool, order=order)
    return state.posmask, state.prevmask


def automask_channel(
    residuals: Sequence[Plane],
    beam: BeamInfo,
    cfg: AutoMaskConfig,
    states: Sequence[AutoMaskState],
    *,
    pbs: Sequence[Plane] | None = None,
    pblimit: float = 0.2,
    valids: Sequence[Mask | None] | None = None,
    pbmask: float = 0.0,
    iterdone: int | None = None,
    threshold_reached: bool = False,
    statistics: Sequence[tuple[float, float]] | None = None,
    fullmask: bool = False,
    cell_sign: int = -1,
) -> list[Plane]:
    """Clean masks of one channel, all its polarisations, as the skip flag is the channel's.

    Each argument in the plural is `automask_plane`'s, one per polarisation.
    """
    done = states[0].iteration if iterdone is None else iterdone
    update = _Update(beam, cfg, done > 0 and cfg.growiterations > 0, cell_sign)
    before = after = 0
    masks = []
    for pol, (residual, state) in enumerate(zip(residuals, states, strict=True)):
        valid = _valid_pixels(pbs[pol] if pbs else None, pblimit, valids[pol] if valids else None, pbmask)
        posmask, mask = _masks(state, residual)
        if valid is not None and pbs and pbmask > 0:
            mask &= valid
        before += int(np.count_nonzero(mask))
        if not state.skip:
            known = statistics[pol] if statistics else None
            state.statistics = _statistics(residual, valid, cfg.fastnoise, mask, fullmask, known)
            state.thresholds = plane_thresholds(state.statistics, beam.sidelobe_level, cfg)
            update.add(residual, valid, state.thresholds, posmask, mask)
        _combine(posmask, mask, valid)
        state.iteration += 1
        after += int(np.count_nonzero(mask))
        masks.append(mask.astype(np.float32))
    first = states[0].thresholds
    if first is not None and not states[0].skip:
        final = should_skip(before, after, first.noise_limited, threshold_reached, cfg.minpercentchange)
        for state in states:
            state.skip = final
    return masks


def _combine(posmask: Mask, mask: Mask, valid: Mask | None) -> None:
    """The whole mask takes in the emission; both are kept to valid pixels. A skipped channel goes through it too."""
    if valid is not None:
        posmask &= valid
    mask |= posmask
    if valid is not None:
        mask &= valid


def automask_plane(
    residual: Plane,
    sidelobe_level: float,
    beam_area_pix: float,
    beam_sigma_pix: tuple[float, float],
    cfg: AutoMaskConfig,
    state: AutoMaskState,
    pb: Plane | None = None,
    pblimit: float = 0.2,
    beam_pa_rad: float = 0.0,
    *,
    valid: Mask | None = None,
    pbmask: float = 0.0,
    iterdone: int | None = None,
    threshold_reached: bool = False,
    statistics: tuple[float, float] | None = None,
    fullmask: bool = False,
    cell_sign: int = -1,
) -> Plane:
    """Clean mask of one plane (of the only polarisation), float32 [nx, ny] of 0 and 1; `state` is updated in place.

    Parameters
    ----------
    residual
        float32 [nx, ny], [Jy/beam].
    sidelobe_level
        PSF sidelobe level of the whole cube (`beam.sidelobe_level`).
    beam_area_pix, beam_sigma_pix, beam_pa_rad
        Area [pixels], sigma (major, minor) [pixels], position angle [rad] of the common beam of the channel block.
    pb, pblimit
        Primary beam, float32 [nx, ny]. Without `valid`, pixels with pb > pblimit are valid; without both, all are.
    valid
        Pixel mask of the residual image, bool [nx, ny].
    pbmask
        If positive, the pixels with pb > pbmask are valid, whatever `valid` says, and the old mask is kept to them.
    iterdone
        Minor-cycle iterations so far over all planes; the mask grows if there were any. None: `state.iteration`.
    threshold_reached
        cyclethreshold equalled threshold in the last minor cycle: needed to end a channel by `minpercentchange`.
    statistics
        (median, rms) to use: with nsigma, the first mask of a one-channel image takes those of the nsigma threshold.
    fullmask
        See `robust_rms`.
    cell_sign
        Sign of the pixel size in x: -1 where x runs west.
    """
    beam = BeamInfo(beam_area_pix, sidelobe_level, beam_sigma_pix, beam_pa_rad)
    return automask_channel(
        [residual],
        beam,
        cfg,
        [state],
        pbs=None if pb is None else [pb],
        pblimit=pblimit,
        valids=None if valid is None else [valid],
        pbmask=pbmask,
        iterdone=iterdone,
        threshold_reached=threshold_reached,
        statistics=None if statistics is None else [statistics],
        fullmask=fullmask,
        cell_sign=cell_sign,
    )[0]


def beam_info_from_image(imagename: str, channels: tuple[int, int] | None = None) -> BeamInfo:
    """Beam and sidelobe level from `imagename`.psf, plane by plane.

    Parameters
    ----------
    channels
        Channel block (start, stop) whose common beam is wanted; None: all channels.

    Returns
    -------
    BeamInfo
        The sidelobe level is that of the whole cube, whatever `channels` is.
    """
    from ..images import planes

    psf = imagename + ".psf"
    geometry = planes.image_geometry(psf)
    _, _, npol, nchan = geometry.shape
    beams = [[Beam(*values) for values in channel] for channel in planes.beams(psf)]

    order = [(pol, channel) for pol in range(npol) for channel in range(nchan)]
    level = sidelobe_level(
        (planes.read_plane(psf, pol, channel) for pol, channel in order),
        (beams[channel][pol] for pol, channel in order),
        geometry.reference_pixel,
        geometry.cell,
    )
    start, stop = channels or (0, nchan)
    beam = common_beam([beams[channel][pol] for pol, channel in order if start <= channel < stop])
    return BeamInfo(beam.area_pix(geometry.cell), level, beam.sigma_pix(geometry.cell), beam.pa_pix(geometry.cell))
