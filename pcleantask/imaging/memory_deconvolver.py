"""Deconvolver in memory: Hogbom, Clark and multiscale as CASA's synthesisdeconvolver does them, on the same images."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import casa
from ..cores import memory_share, usable_threads
from ..errors import ImagingError
from ..images.making import make_product
from ..images.planes import opened
from ..images.store import ImageStore, Key, Pixels
from ..minorrecords import ExecRecord, InitRecord, MinorControls
from ..recordvalues import CleanSettings, Record
from ..toolrecords import without_start_model
from ..traits import ALGORITHMS
from .beam import mask_blocks
from .clark import ClarkPlanes, patch_size
from .deconvolver import Deconvolver
from .field_statistics import FieldStatistics, peak_of
from .hogbom import HogbomPlane
from .minor_cycle import Algorithm, Candidate, Cleaned, Controls, MinorCycle, merged_record, model_flux
from .mtmfs_making import MtmfsMaker
from .multiscale_making import MultiscaleMaker
from .restoration import correct_for_pb, restore

WORKING_SHARE = 1 / 2  # of the free memory, for planes that are cleaned at one time
NO_MASK = -1.0  # the mask's sum where there is none, or where it is as it was


class MemoryDeconvolver:
    """Deconvolution of one image field with the planes in memory; does what `Deconvolver` does, for ALGORITHM_MAKERS.

    Masks of the user and of the primary beam, and start models, are CASA's own affair: its tool makes them once.

    Parameters
    ----------
    imagename : str
        Name of the images without their suffixes; .residual and .psf must be there before `init_record`.
    decpars : dict
        The record of `toolrecords.to_casa_decpars`; `imagename` in it is overwritten.
    keeps_residual : bool
        Whether a minor cycle is to leave its residual in .residual; where a major cycle makes it anew nobody needs it.
    store : ImageStore, optional
        The images of the run; by default one that keeps nothing in memory.

    Attributes
    ----------
    sidelobe_level : float
        The PSF's highest sidelobe over all planes, relative to its peak, as `init_record` has found it.
    leaves_residual : bool
        Whether a minor cycle leaves .residual as it was: not with `keeps_residual`.
    """

    def __init__(
        self, imagename: str, decpars: Record, *, keeps_residual: bool = False, store: ImageStore | None = None
    ) -> None:
        self.imagename = imagename
        self.sidelobe_level = 0.0
        self._decpars = decpars
        self._settings = CleanSettings.of(decpars)
        self._algorithm, self._nsigma = self._settings.algorithm, self._settings.nsigma
        self._fullsummary = self._settings.fullsummary
        self._has_start_model = self._settings.has_start_model
        self.leaves_residual = not keeps_residual
        self._make = ALGORITHM_MAKERS[self._algorithm](self._settings)
        self._store = store or ImageStore(keeps=False)
        self._field = FieldStatistics(imagename, self._store, self._settings.nterms)
        self._masksum = NO_MASK
        self._has_mask = False
        self._controls: Controls | None = None
        self._rms: dict[Key, float] = {}
        self._iterations = 0
        self._cleaned = -1  # the version of .residual that the last minor cycle has cleaned
        self._peak_unmasked = 0.0

    def init_record(self) -> InitRecord:
        """Peak residual, sidelobe level and mask sum, as CASA's initminorcycle gives them; no empty `summaryminor`."""
        self._store.look()
        self._add_start_model()
        field = self._field
        masksum = self._sum_mask()
        self._peak_unmasked = max(field.peak(key) for key in field.keys)
        peak = max(field.peak(key, masked=True) for key in field.keys) if masksum > 0 else self._peak_unmasked
        if self.sidelobe_level == 0:
            self.sidelobe_level = field.sidelobe_level()
        threshold = self._nsigma_threshold()
        self._make_blank_mask()
        has_changed = masksum == 0 or masksum != self._masksum
        self._masksum, self._iterations = masksum, 0
        return {
            "fullsummary": self._fullsummary,
            "madrms": 0.0,
            "masksum": masksum if has_changed else NO_MASK,
            "maxpsfsidelobe": self.sidelobe_level,
            "nsigma": float(self._controls.nsigma) if self._controls else 0.0,
            "nsigmathreshold": threshold,
            "peakresidual": peak,
            "peakresidualnomask": self._peak_unmasked,
        }

    def _sum_mask(self) -> float:
        field = self._field
        return float(np.float32(sum(map(field.mask_sum, field.keys)))) if field.mask.exists() else NO_MASK

    def _nsigma_threshold(self) -> float:
        """nsigma times the largest rms of all planes [Jy/beam]; the statistics are those of the last residual."""
        if self._nsigma <= 0:
            return 0.0
        if self._iterations > 0 or not self._rms:
            self._rms = self._measure_rms(self._field.keys)
        return float(np.float32(self._nsigma) * np.float32(max(self._rms.values())))

    def _measure_rms(self, keys: list[Key]) -> dict[Key, float]:
        return self._field.robust_rms(keys, self._settings.pbmask, fastnoise=self._settings.fastnoise)

    def _add_start_model(self) -> None:
        """Let CASA make .model of the start model, once."""
        if self._has_start_model:
            deconvolver = Deconvolver(self.imagename, self._decpars, store=self._store)
            deconvolver.init_record()
            deconvolver.close()
            self._has_start_model = False

    def setup_mask(self) -> None:
        """Write .mask as `usemask` says, once; where none is given and none is there, it is one everywhere.

        A former run's mask is used also where it is zero everywhere: as with CASA's tool, that ends the run.
        """
        if self._has_mask:
            return
        self._has_mask = True
        if not self._settings.is_masked:
            mask = self._field.mask
            if not mask.exists():
                make_product(self.imagename, "mask", fill=1.0)
                mask.fill(1.0)
            return
        record = without_start_model(self._decpars)
        deconvolver = Deconvolver(self.imagename, record, store=self._store)
        deconvolver.init_record()
        deconvolver.setup_mask()
        deconvolver.close()

    def _make_blank_mask(self) -> None:
        """CASA's quirk: its slow noise statistics make an empty .mask where there is none, and it stays empty."""
        is_slow = self._nsigma > 0 and not self._settings.fastnoise
        if is_slow and not self._settings.is_masked and not self._field.mask.exists():
            make_product(self.imagename, "mask")
            self._field.mask.fill(0.0)

    def minor_cycle(self, controls: MinorControls) -> ExecRecord:
        """Clean within .mask, add to .model, and return the record for `IterationControl.end_minor_cycle`."""
        self._controls = Controls.from_record(controls)
        self._store.look()
        self._check_residual()
        self._need_model()
        residual = self._field.residual
        nx, ny, _, nchan = residual.shape
        blocks = mask_blocks(nx, ny, nchan) if nchan > 1 else [(0, 1)]
        cycles = [self._clean_block(range(*block)) for block in blocks]
        record = merged_record(cycles, summary_rows=self._controls.summary_rows, nchan=nchan)
        if record["iterdone"] and self.leaves_residual:
            for image in self._field.terms("residual"):
                image.drop()  # algorithms work in its planes
        self._iterations += record["iterdone"]
        self._cleaned = residual.version if record["iterdone"] else -1
        return record if nchan > 1 else {**record, "peakresidualnomask": self._peak_unmasked}

    def _check_residual(self) -> None:
        """Raise ImagingError where .residual is what the minor cycle before has cleaned already."""
        if self.leaves_residual and self._field.residual.version == self._cleaned:
            raise ImagingError("a minor cycle in memory leaves .residual as it is; run a major cycle before the next")

    def _clean_block(self, channels: range) -> MinorCycle:
        """Clean a block of channels, and write the planes that have changed."""
        assert self._controls is not None
        keys = [key for key in self._field.keys if key[0] in channels]
        rms = self._rms_of_block(keys)
        thresholds = {key: np.float32(self._nsigma) * np.float32(value) for key, value in rms.items()}
        cycle = MinorCycle(self._controls, np.float32(max(thresholds.values(), default=0)), self._settings.number)
        groups = self._groups(keys)
        candidates = [self._candidate(group, float(thresholds.get(group[0], 0))) for group in groups]
        found = cycle.clean(candidates, self._nthreads())
        cleaned = [(group, own) for group, own in zip(groups, found, strict=True) if own is not None]
        self._put("model", [(group, own.model) for group, own in cleaned])
        if not self.leaves_residual:
            self._put("residual", [(group, own.residual) for group, own in cleaned if own.residual is not None])
        return cycle

    def _put(self, kind: str, changed: list[tuple[list[Key], Pixels]]) -> None:
        """Change the planes of groups, in the images of all terms."""
        for term, image in enumerate(self._field.terms(kind)):
            image.put(
                {
                    key: plane
                    for group, pixels in changed
                    for key, plane in zip(group, self._by_terms(group, pixels)[term], strict=True)
                }
            )

    def _by_terms(self, group: list[Key], pixels: Pixels) -> Pixels:
        """What an algorithm has of a group, as [term, plane of the group, y, x]."""
        return pixels.reshape(-1, len(group), *pixels.shape[-2:])

    def _nthreads(self) -> int:
        """How many planes to clean at one time: what there is room for."""
        nx, ny, _, _ = self._field.residual.shape
        room = casa.available_memory() * memory_share() * WORKING_SHARE
        return max(1, min(usable_threads(), int(room / self.estimate_memory((nx, ny)))))

    def _rms_of_block(self, keys: list[Key]) -> dict[Key, float]:
        """Robust rms of the planes, for their n-sigma thresholds; with one channel that of the first plane for all.

        (A quirk of SDAlgorithmBase::deconvolve, which takes the channel for the index where polarisations are listed.)
        """
        if self._nsigma <= 0:
            return {}
        if self._field.residual.shape[3] > 1:
            return self._measure_rms(keys)
        return dict.fromkeys(keys, self._rms[keys[0]])

    def _groups(self, keys: list[Key]) -> list[list[Key]]:
        """The planes that are cleaned together."""
        if not ALGORITHMS[self._algorithm].joins_polarisations:
            return [[key] for key in keys]
        return [list(group) for _, group in itertools.groupby(keys, key=lambda key: key[0])]

    def _candidate(self, group: list[Key], nsigma_threshold: float) -> Candidate:
        field = self._field
        masksum = float(np.float32(sum(map(field.mask_sum, group))))
        unmasked = max(map(field.peak, group))
        return Candidate(
            chan=group[0][0],
            pol=group[0][1],
            peak=max(field.peak(key, masked=True) for key in group),
            peak_unmasked=unmasked,
            masksum=masksum,
            flux=float(np.float32(sum(map(field.flux, group)))),
            nsigma_threshold=nsigma_threshold,
            make=lambda: self._make_algorithm(group),
            finish=lambda algorithm: self._finish(group, algorithm),
        )

    def _make_algorithm(self, group: list[Key]) -> Algorithm:
        return self._make(self._field, group, whole=self._needs_residual)

    @property
    def _needs_residual(self) -> bool:
        return not self.leaves_residual or self._fullsummary

    def _finish(self, group: list[Key], algorithm: Algorithm) -> Cleaned:
        """What is left of a clean; only a full summary tells the peak |residual| everywhere."""
        model, residual, peak = algorithm.model, None, 0.0
        if self._needs_residual:
            algorithm.finish()
            residual = algorithm.residual
            pairs = zip(group, self._by_terms(group, residual)[0], strict=True)
            peak = max(peak_of(plane, self._field.residual.valid(*key)) for key, plane in pairs)
        return Cleaned(model, model_flux(self._by_terms(group, model)[0]), residual, peak)

    def _need_model(self) -> None:
        """Make .model where there is none."""
        for suffix, image in zip(self._field.suffixes("model"), self._field.terms("model"), strict=True):
            if not image.exists():
                make_product(self.imagename, suffix, unit="Jy/pixel")
                image.fill(0.0)

    def check_beam(self) -> None:
        """Raise ImagingError where the common restoring beam is infinite."""
        if self._settings.has_common_beam:
            with opened(self._field.psf.path) as psf:
                beam = psf.common_beam(0, psf.shape[3])
            if not np.isfinite(beam[:2]).all():
                raise ImagingError("the common restoring beam is infinite; give a restoringbeam")

    def restore(self) -> None:
        """Write .image: the model convolved with the restoring beam, plus the residual."""
        self._store.look()
        self._need_model()
        restore(self._field, self._settings.restoringbeam)

    def pbcor(self) -> None:
        """Write .image.pbcor: the image divided by the primary beam."""
        correct_for_pb(self._field)

    def estimate_memory(self, imsize: tuple[int, int]) -> float:
        """Memory that the minor cycle will take [kB], as CASA reckons it: some planes in single precision."""
        nx, ny = imsize
        return float(4 * nx * ny * self._planes(nx, ny) // 1024)

    def _planes(self, nx: int, ny: int) -> int:
        traits, scales = ALGORITHMS[self._algorithm], max(1, len(self._settings.scales))
        return traits.planes + traits.scale_planes * scales

    def facts(self, first: int, own: range | None) -> dict[str, Any]:
        """The mask's sum and the noise that it knows, and the last minor cycle's iterations and controls."""
        rms = {(first + chan, pol): value for (chan, pol), value in self._rms.items() if own is None or chan in own}
        controls = None if self._controls is None else dataclasses.asdict(self._controls)
        return {"masksum": self._masksum, "rms": rms, "iterations": self._iterations, "controls": controls}

    def recall(self, found: list[dict[str, Any]], first: int) -> None:
        self._has_start_model = False  # it is in the model
        self._masksum = found[0]["masksum"] if len(found) == 1 else NO_MASK
        self._iterations = max(facts["iterations"] for facts in found)
        self._controls = Controls(**found[0]["controls"])
        known = {key: value for facts in found for key, value in facts["rms"].items()}
        self._rms = {(chan - first, pol): value for (chan, pol), value in known.items()}

    def close(self) -> None:
        """Release the planes."""
        self._store.release()


def _hogbom(field: FieldStatistics, group: list[Key], *, whole: bool) -> Algorithm:
    """Hogbom's on one plane; `whole` asks for the residual everywhere."""
    (key,) = group
    residual = field.residual.plane(*key)
    residual = residual if residual.flags.writeable else residual.copy()
    return HogbomPlane(residual, field.model.plane(*key).copy(), field.psf.plane(*key), field.mask_of(key), whole=whole)


def _clark(field: FieldStatistics, group: list[Key], *, whole: bool) -> Algorithm:
    """Clark's on the polarisations of a channel, or on one of them."""
    first = group[0]
    residual, model = (np.stack([image.plane(*key) for key in group]) for image in (field.residual, field.model))
    patch = patch_size(field.beam(first).major / abs(min(field.geometry.cell)))
    return ClarkPlanes(residual, model, field.psf.plane(*first), field.mask_of(first), patch)


# What makes the thing that makes cleans of planes.
ALGORITHM_MAKERS: dict[str, Callable[[CleanSettings], Callable[..., Algorithm]]] = {
    "hogbom": lambda settings: _hogbom,
    "clark": lambda settings: _clark,
    "clarkstokes": lambda settings: _clark,
    "multiscale": MultiscaleMaker,
    "mtmfs": MtmfsMaker,
}
