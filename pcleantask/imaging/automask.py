"""CASA's auto-multithresh clean mask, plane by plane, to the pixel and in a small part of CASA's time. Arrays only.

The recipe is in `_Update.add`: threshold the residual, prune what is smaller than a part of the beam, smooth with the
beam and cut, grow the mask of before into the fainter emission around it, add negatives. The mask never shrinks.

Planes are [x, y] as casacore's getchunk gives them (x runs fastest), masks are bool inside, float32 where they are
returned. What CASA computes as C++ float is float32 here, as a pixel at a threshold feels the last bit.
Follows SDMaskHandler::autoMaskByMultiThreshold, casatools 6.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin
from typing import NamedTuple

import numpy as np

from .beam import FWHM_PER_SIGMA, Beam, common_beam, sidelobe_level
from .regions import Kernel, grow, prune, smooth_and_cut
from .robust import Mask, Plane, PlaneStatistics, plane_statistics, robust_rms, transposed

__all__ = [
    "AutoMaskConfig",
    "AutoMaskState",
    "BeamInfo",
    "automask_channel",
    "automask_plane",
    "beam_info_from_image",
    "plane_thresholds",
    "robust_rms",
    "should_skip",
]


@dataclass
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
        Of the last call that made a mask: a skipped channel keeps its last ones.
    """

    posmask: Mask | None = None
    prevmask: Mask | None = None
    iteration: int = 0
    skip: bool = False
    statistics: PlaneStatistics | None = None
    thresholds: Thresholds | None = None


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
            residual, valid, posmask, mask = residual.T, transposed(valid), posmask.T, mask.T
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


def _blank_like(residual: Plane) -> Mask:
    """Empty mask in the residual's memory order."""
    return np.zeros(residual.shape, bool, order="F" if residual.flags.f_contiguous else "C")


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
    for pol, (given, state) in enumerate(zip(residuals, states, strict=True)):
        residual = np.asarray(given, dtype=np.float32)
        valid = _valid_pixels(pbs[pol] if pbs else None, pblimit, valids[pol] if valids else None, pbmask)
        mask = _blank_like(residual) if state.prevmask is None else state.prevmask
        if valid is not None and pbs and pbmask > 0:
            mask &= valid
        before += int(np.count_nonzero(mask))
        if not state.skip:
            known = statistics[pol] if statistics else None
            state.statistics = plane_statistics(residual, valid, cfg.fastnoise, mask, fullmask, known=known)
            state.thresholds = plane_thresholds(state.statistics, beam.sidelobe_level, cfg)
        posmask = _blank_like(residual) if state.posmask is None else state.posmask
        if not state.skip and state.thresholds:
            update.add(residual, valid, state.thresholds, posmask, mask)
        _combine(posmask, mask, valid)
        state.posmask, state.prevmask, state.iteration = posmask, mask, state.iteration + 1
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
