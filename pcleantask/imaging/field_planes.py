"""The planes of one image field in memory, and what CASA measures on them before a minor cycle."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .. import casa
from ..cores import memory_share
from ..errors import ImagingError
from ..images import planes
from ..images.cached import CachedImage, Key, Pixels
from .beam import Beam, sidelobe_level
from .robust import robust_rms

MEMORY_SHARE = 0.25  # of the free memory, for the planes that are kept between steps
KEPT = ("psf", "residual", "model", "mask")
PSF_CUTOFF = 0.35  # where CASA fits the beam of a PSF that has none


class FieldPlanes:
    """Images IMAGENAME.psf, .residual, .model, .mask and .pb; planes are float32 [y, x].

    Attributes
    ----------
    psf, residual, model, mask, image, pb : CachedImage
        The images; the last four needn't be there.
    """

    def __init__(self, imagename: str) -> None:
        self.imagename = imagename
        self.psf, self.residual, self.model, self.mask = (CachedImage(f"{imagename}.{kind}") for kind in KEPT)
        self.image = CachedImage(f"{imagename}.image")
        self.pb = CachedImage(f"{imagename}.pb", keeps=False)
        self._all = self.psf, self.residual, self.model, self.mask, self.image, self.pb
        self._peaks: dict[tuple[Key, bool], float] = {}
        self._sums: dict[Key, float] = {}
        self._beams: NDArray[np.float64] | None = None
        self._geometry: planes.ImageGeometry | None = None
        self._shape: tuple[int, ...] = ()  # for which it is decided whether planes are kept

    def refresh(self) -> None:
        """Forget what has changed on the disk; must be called before each step."""
        if self.residual.refresh():
            self._peaks.clear()
        if self.mask.refresh():
            self._sums.clear()
            self._peaks.clear()
        if self.psf.refresh():
            self._beams = self._geometry = None
        self.model.refresh()
        if self._shape != self.residual.shape:
            self._shape = self.residual.shape
            needed = len(KEPT) * np.dtype(np.float32).itemsize * np.prod(self._shape) / 1024
            keeps = bool(needed <= MEMORY_SHARE * memory_share() * casa.available_memory())
            for image in (self.psf, self.residual, self.model, self.mask, self.image):
                image.keeps = keeps

    def settle(self) -> None:
        """Write what is kept back."""
        for image in self._all:
            image.settle()

    def forget(self) -> None:
        """Let go of all planes."""
        for image in self._all:
            image.forget()

    def write_mask(self, changed: Mapping[Key, Pixels]) -> None:
        """Write planes of .mask, and forget what was measured within the former ones."""
        self.mask.write(changed)
        self._sums.clear()
        self._peaks.clear()

    def fill_mask(self, value: float) -> None:
        """Keep the .mask that was just made with this value all over."""
        self.mask.fill_with(value)
        self._sums.clear()
        self._peaks.clear()

    def forget_residual(self) -> None:
        """Let go of the residual: what is kept of it is no longer what is on the disk."""
        self.residual.forget_pixels()
        self._peaks.clear()

    @property
    def keys(self) -> list[Key]:
        """All (pol, chan), channel by channel."""
        return self.residual.keys()

    @property
    def geometry(self) -> planes.ImageGeometry:
        """Shape, reference pixel and cell of .psf."""
        if self._geometry is None:
            self._geometry = planes.image_geometry(self.psf.path)
        return self._geometry

    def beam(self, key: Key) -> Beam:
        """The PSF's beam."""
        if self._beams is None:
            self._beams = planes.beams(self.psf.path)
            if not self._beams.any():
                self._fit_beams()
        pol, chan = key
        return Beam(*(float(value) for value in self._beams[chan, pol]))

    def _fit_beams(self) -> None:
        with casa.working_on("fitting the beam"), casa.tool("synthesisutils") as utilities:
            utilities.fitPsfBeam(imagename=self.imagename, nterms=1, psfcutoff=PSF_CUTOFF)
        self._beams = planes.beams(self.psf.path)

    def sidelobe_level(self) -> float:
        """The PSF's highest sidelobe over all planes, relative to its peak."""
        return sidelobe_level(
            (self.psf.plane(*key).T for key in self.keys),
            (self.beam(key) for key in self.keys),
            self.geometry.reference_pixel,
            self.geometry.cell,
        )

    def mask_of(self, key: Key) -> Pixels | None:
        """The clean mask of one plane; None where it is one all over."""
        mask = self.mask.plane(*key)
        if self.mask_sum(key) != mask.size:
            return mask
        distinct = mask[:1, :1] if mask.strides == (0, 0) else mask  # one pixel stands for all of such a plane
        return None if (distinct == 1).all() else mask

    def mask_sum(self, key: Key) -> float:
        """Sum of the clean mask of one plane."""
        if key not in self._sums:
            self._sums[key] = float(self.mask.plane(*key).sum(dtype=np.float64))
        return self._sums[key]

    def peak(self, key: Key, *, masked: bool = False) -> float:
        """Peak |residual| of one plane over its good pixels, or those of them inside the mask [Jy/beam]."""
        if (key, masked) not in self._peaks:
            mask = self.mask_of(key) if masked else None
            if masked and mask is None:
                return self.peak(key)
            inside = None if mask is None else mask > 0
            self._peaks[key, masked] = peak_of(self.residual.plane(*key), self.residual.valid(*key), inside)
        return self._peaks[key, masked]

    def flux(self, key: Key) -> float:
        """Sum of the model of one plane [Jy]."""
        return float(np.float32(self.model.plane(*key).sum(dtype=np.float64)))

    def robust_rms(self, keys: list[Key], pbmask: float, *, fastnoise: bool) -> dict[Key, float]:
        """Robust rms of the residual where pb > pbmask, as SIImageStore::calcRobustRMS has it [Jy/beam].

        Raises
        ------
        ImagingError
            There is no .pb, without which CASA has no valid pixels.
        """
        if not self.pb.exists():
            raise ImagingError(f"nsigma needs {self.pb.path}, which is not there; make it, or set nsigma=0")
        has_mask = self.mask.exists()
        masks = {key: self.mask.plane(*key) > 0 if has_mask else None for key in (keys if not fastnoise else ())}
        first = masks.get(keys[0])
        is_full = first is not None and bool(first.all())
        return {
            key: robust_rms(
                self.residual.plane(*key), self.pb.plane(*key) > np.float32(pbmask), fastnoise, masks.get(key), is_full
            )[1]
            for key in keys
        }


def peak_of(residual: Pixels, valid: NDArray[np.bool_] | None, inside: NDArray[np.bool_] | None = None) -> float:
    """Peak |residual| over pixels that are valid and inside; 0 where there are none."""
    counted = inside if valid is None else valid if inside is None else valid & inside
    if counted is None:
        return max(float(residual.max()), -float(residual.min()))
    found = residual[counted]
    return max(float(found.max()), -float(found.min())) if found.size else 0.0
