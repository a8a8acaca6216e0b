"""Clean masks behind one protocol: the user's, the primary beam's, and auto-multithresh by CASA or by numpy."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .. import casa
from ..config import PcleanConfig
from ..cores import usable_threads
from ..images import planes
from ..images.store import ImageStore, Key, Pixels
from ..recordvalues import Record
from ..sections import ImageField
from ..toolrecords import measuring_only, unmasked
from .automask import AutoMaskConfig, AutoMaskState, BeamInfo, automask_channel
from .beam import Beam, mask_blocks
from .field_state import Knowing
from .mask_planes import MaskChannel, MaskImages, unpacked
from .robust import Plane, robust_rms

PLANES_A_THREAD = 4  # channels that are in memory for each thread that finds masks
PLANES_AT_ONCE = 16  # that are put back together


class Masked(Protocol):
    """What masks ask of a deconvolver.

    Attributes
    ----------
    imagename : str
        Name of the images without their suffixes.
    sidelobe_level : float
        The PSF's highest sidelobe, of `init_record`.
    """

    imagename: str
    sidelobe_level: float

    def setup_mask(self) -> None:
        """Write .mask as `usemask` says, where it is not there yet or CASA's automask makes it."""


class MaskMaker(Knowing, Protocol):
    """Makes and keeps the .mask of one image field.

    Attributes
    ----------
    can_be_recalled : bool
        Whether another one, told the facts of this, makes the masks that this one would.
    """

    can_be_recalled: bool

    def update(self, *, iterations: int, threshold_reached: bool) -> None:
        """Write .mask for the next minor cycle, from the residual of the last major cycle.

        Parameters
        ----------
        iterations : int
            Minor-cycle iterations that this field has had so far.
        threshold_reached : bool
            Whether the last minor cycle's cycle threshold was the run's threshold.
        """

    def keep(self) -> None:
        """Remember the mask with which a minor cycle has just cleaned."""

    def revert(self) -> None:
        """Put back the mask of the last minor cycle, when no other will use the newer one."""


class CasaMask:
    """The user's mask, the primary beam's, or none: CASA makes it at the first update, and it stays."""

    can_be_recalled = True

    def __init__(self, deconvolver: Masked) -> None:
        self._deconvolver = deconvolver

    def facts(self, first: int, own: range | None) -> dict[str, Any]:
        """Nothing: it is made of parameters."""
        return {}

    def recall(self, found: list[dict[str, Any]], first: int) -> None:
        """Nothing to know."""

    def update(self, *, iterations: int, threshold_reached: bool) -> None:
        self._deconvolver.setup_mask()

    def keep(self) -> None:
        pass

    def revert(self) -> None:
        pass


class CasaAutoMask(CasaMask):
    """auto-multithresh by CASA's synthesisdeconvolver; the mask of the last minor cycle is the one that stays.

    CASA's tool knows from its own cycles which channels it masks no more, and the regions that it has found; there is
    no way to ask it, or to tell it to another.
    """

    can_be_recalled = False

    def __init__(self, deconvolver: Masked) -> None:
        super().__init__(deconvolver)
        self._mask = Path(deconvolver.imagename + ".mask")
        self._used = Path(deconvolver.imagename + ".prev.mask")

    def keep(self) -> None:
        if self._mask.is_dir():
            shutil.rmtree(self._used, ignore_errors=True)
            shutil.copytree(self._mask, self._used)

    def revert(self) -> None:
        if self._used.is_dir():
            shutil.rmtree(self._mask)
            self._used.rename(self._mask)
            _tell_of_revert(self._deconvolver)


def _tell_of_revert(deconvolver: Masked) -> None:
    casa.post(f"[{deconvolver.imagename}] the mask is that of the last minor cycle")


@dataclass(frozen=True)
class ChannelBlock:
    """Channels for which CASA's automask takes one beam.

    Attributes
    ----------
    start, stop : int
        Channels of the image: start <= channel < stop.
    beam : Beam
        The beam that all beams of the block fit into.
    """

    start: int
    stop: int
    beam: Beam


class NumpyAutoMask:
    """auto-multithresh in numpy: CASA's pixels in a small part of its time.

    With nsigma=0 CASA's deconvolver is told nothing of the automask and finds .mask as if the user had drawn it. With
    nsigma>0 its per-plane stopping thresholds rest on statistics that only its own automask leaves behind, so CASA's
    automask runs as well, with parameters under which it takes the statistics and changes no mask (STATISTICS_ONLY).

    Attributes
    ----------
    blocks : list of ChannelBlock
        The channels to mask; found at the first update, unless somebody has set them before.
    """

    can_be_recalled = True

    def __init__(
        self, deconvolver: Masked, config: PcleanConfig, field: ImageField, store: ImageStore, *, warns: bool = True
    ) -> None:
        self._deconvolver, self._store, self._warns = deconvolver, store, warns
        masking = config.masking
        names = AutoMaskConfig.__dataclass_fields__
        self._config = AutoMaskConfig(**{name: getattr(masking, name) for name in names})
        self._pbmask = masking.pbmask
        self._nsigma = config.iteration.nsigma
        self._term = ".tt0" if field.multiterm else ""
        self.blocks: list[ChannelBlock] = []
        self._skip: list[bool] = []
        self._noise_limited: list[bool] = []
        self._found = False
        self._cell = (-1.0, 1.0)
        self._has_run = False
        self._former: dict[Key, np.ndarray] | None = None  # bits of what changed since the last minor cycle

    def _path(self, kind: str) -> str:
        return f"{self._deconvolver.imagename}.{kind}{self._term if kind != 'mask' else ''}"

    def update(self, *, iterations: int, threshold_reached: bool, full_blocks: Collection[int] | None = None) -> None:
        """Write .mask for the next minor cycle; `full_blocks` are the blocks whose first plane is masked all over."""
        is_new = not self._skip and self._is_blank()
        if not self._skip:
            self._found = not is_new
        self._make_casa_mask()
        images = self._images()
        with casa.working_on("updating the automask"), ThreadPoolExecutor(usable_threads()) as pool:
            if not self._skip:
                self._set_up()
            if full_blocks is None:
                full_blocks = [] if is_new else self.find_full_blocks()
            for number, block in enumerate(self.blocks):
                find = functools.partial(
                    self._find_masks, self._beam_info(block.beam), iterations, threshold_reached, number in full_blocks
                )
                for batch in self._batches(block):
                    channels = images.channels(batch, is_new=is_new)
                    changes: dict[Key, Pixels] = {}
                    for channel, found in zip(channels, pool.map(find, channels), strict=True):
                        changes.update(self._note(channel, *found))
                    images.mask.put(changes)
        if is_new and not self._found and self._warns:
            self._warn_of_empty_mask()

    def _make_casa_mask(self) -> None:
        """Let CASA make .mask where there is none and, with nsigma>0, take its statistics.

        It then says that its automask found nothing, and what to change; that is told of parameters nobody has chosen.
        """
        is_misled = self._nsigma > 0 and not self._found
        with casa.without_messages(*EMPTY_MASK_WARNINGS) if is_misled else nullcontext():
            self._deconvolver.setup_mask()

    def _warn_of_empty_mask(self) -> None:
        """Say that no emission was found in any channel, and what to lower, as CASA's automask does."""
        count = len(self._noise_limited)
        by_noise = sum(self._noise_limited)
        advice = [
            f"{number} of {count} channels used the {kind} threshold: try a lower {kind}threshold"
            for kind, number in (("noise", by_noise), ("sidelobe", count - by_noise))
            if number
        ]
        casa.post(f"The automask has found no emission in any channel. {'; '.join(advice)}", "WARN")

    def _images(self) -> MaskImages:
        wants_pb = (self._pbmask > 0 or self._nsigma > 0) and planes.is_image(self._path("pb"))
        pb = self._store.image(self._path("pb")) if wants_pb else None
        return MaskImages(self._store.image(self._path("residual")), self._store.image(self._path("mask")), pb)

    def _is_blank(self) -> bool:
        """Whether there is no .mask yet, or an empty one, which CASA's deconvolver would take for none and fill."""
        mask = self._images().mask
        return not (mask.exists() and any(mask.plane(*key).any() for key in mask.keys))

    def find_full_blocks(self) -> list[int]:
        """CASA's quirk: where a block's first plane is masked all over, none of the block's masks counts as one."""
        mask = self._images().mask
        if self._config.fastnoise or not mask.exists():
            return []
        return [number for number, block in enumerate(self.blocks) if (mask.plane(block.start, 0) > 0).all()]

    def _batches(self, block: ChannelBlock) -> Iterator[list[int]]:
        """The block's channels whose masks are not final, as many at once as are worked on with little memory."""
        wanted = [chan for chan in range(block.start, block.stop) if not self._skip[chan]]
        size = usable_threads() * PLANES_A_THREAD
        return (wanted[first : first + size] for first in range(0, len(wanted), size))

    def _beam_info(self, beam: Beam) -> BeamInfo:
        level = self._deconvolver.sidelobe_level
        return BeamInfo(beam.area_pix(self._cell), level, beam.sigma_pix(self._cell), beam.pa_pix(self._cell))

    def _set_up(self) -> None:
        """Read what stays the same: the cell, and the channel blocks with their common beams."""
        geometry = planes.image_geometry(self._path("psf"))
        nx, ny, _, nchan = geometry.shape
        self._cell = geometry.cell
        self._skip = [False] * nchan
        self._noise_limited = [False] * nchan
        if not self.blocks:
            with planes.opened(self._path("psf")) as psf:
                for start, stop in mask_blocks(nx, ny, nchan):
                    self.blocks.append(ChannelBlock(start, stop, Beam(*psf.common_beam(start, stop))))

    def _find_masks(
        self, beam: BeamInfo, iterations: int, threshold_reached: bool, fullmask: bool, channel: MaskChannel
    ) -> tuple[list[Plane], list[AutoMaskState]]:
        """A channel's new masks; arrays only, so that threads can do it."""
        first_of_one = self._nsigma > 0 and len(self._skip) == 1 and not self._has_run
        pols = range(len(channel.residuals))
        states = [AutoMaskState(prevmask=mask) for mask in channel.masks]
        new = automask_channel(
            channel.residuals,
            beam,
            self._config,
            states,
            pbs=channel.pbs if self._pbmask > 0 else None,
            valids=channel.valids,
            pbmask=self._pbmask,
            iterdone=iterations,
            threshold_reached=threshold_reached,
            statistics=[self._nsigma_statistics(channel, pol) for pol in pols] if first_of_one else None,
            fullmask=fullmask,
            cell_sign=-1 if self._cell[0] < 0 else 1,
        )
        return new, states

    def _note(self, channel: MaskChannel, masks: list[Plane], states: list[AutoMaskState]) -> dict[Key, Pixels]:
        """Remember what came of a channel; the masks to write."""
        self._skip[channel.number] = states[0].skip
        thresholds = [state.thresholds for state in states if state.thresholds is not None]
        self._noise_limited[channel.number] = any(entry.noise_limited for entry in thresholds)
        self._found = self._found or any(mask.any() for mask in masks)
        self._has_run = True
        changes = channel.changes(masks)
        if self._former is not None:
            for chan, pol in changes:
                self._former.setdefault((chan, pol), channel.former[pol])
        return changes

    def _nsigma_statistics(self, channel: MaskChannel, pol: int) -> tuple[float, float]:
        """Median and rms from which CASA made the first nsigma threshold (SIImageStore::calcRobustRMS)."""
        valid = channel.pbs[pol] > np.float32(self._pbmask) if channel.pbs else None
        return robust_rms(channel.residuals[pol], valid, self._config.fastnoise)

    def keep(self) -> None:
        self._former = {}

    def facts(self, first: int, own: range | None) -> dict[str, Any]:
        """Which channels (of the whole cube) have their final masks, which the noise limits, and what was found."""
        channels = range(len(self._skip)) if own is None else own
        return {
            "skip": {first + chan: self._skip[chan] for chan in channels},
            "noise_limited": {first + chan: self._noise_limited[chan] for chan in channels},
            "found": self._found,
            "has_run": self._has_run,
        }

    def recall(self, found: list[dict[str, Any]], first: int) -> None:
        self._set_up()
        for facts in found:
            for known, name in ((self._skip, "skip"), (self._noise_limited, "noise_limited")):
                known[:] = [facts[name].get(first + chan, value) for chan, value in enumerate(known)]
            self._found = self._found or facts["found"]
            self._has_run = self._has_run or facts["has_run"]
        self.keep()

    def revert(self) -> None:
        if self._former is None:
            return
        mask = self._images().mask
        former = list(self._former.items())
        for first in range(0, len(former), PLANES_AT_ONCE):
            mask.put({key: unpacked(bits, mask.shape[:2]) for key, bits in former[first : first + PLANES_AT_ONCE]})
        self._former = None
        _tell_of_revert(self._deconvolver)


EMPTY_MASK_WARNINGS = ("No regions found by automasking", "threshold to mask, but no emission was found")


def mask_decpars(config: PcleanConfig, field: ImageField, decpars: Record) -> Record:
    """The deconvolver's record, changed where the mask is not CASA's own affair."""
    if not _by_numpy(config, field):
        return decpars
    if config.iteration.nsigma > 0:
        return measuring_only(decpars)
    return unmasked(decpars)


def make_mask(
    config: PcleanConfig, field: ImageField, deconvolver: Masked, store: ImageStore, *, warns: bool = True
) -> MaskMaker:
    """The mask that `usemask` and `automaskengine` ask for, on a deconvolver made with `mask_decpars`.

    `warns` says whether the user is told where no emission is found.
    """
    if _by_numpy(config, field):
        return NumpyAutoMask(deconvolver, config, field, store, warns=warns)
    return CasaAutoMask(deconvolver) if field.usemask == "auto-multithresh" else CasaMask(deconvolver)


def _by_numpy(config: PcleanConfig, field: ImageField) -> bool:
    return field.usemask == "auto-multithresh" and config.run.automaskengine == "numpy"
