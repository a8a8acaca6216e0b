"""The images on which a field is cleaned, and what CASA measures on them before a minor cycle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import casa
from ..errors import ImagingError
from ..images.planes import ImageGeometry
from ..images.store import ImageStore, Key, Pixels, StoredImage
from .beam import Beam, sidelobe_level
from .robust import robust_rms

PSF_CUTOFF = 0.35  # where CASA fits the beam of a PSF that has none


class FieldStatistics:
    """Peaks, sums, noise and beams of one image field; measured once for each version of the images.

    Parameters
    ----------
    imagename : str
        Name of the images without their suffixes.
    store : ImageStore
        Of the run.
    nterms : int
        Taylor terms of the model; 0 where the images have none.

    Attributes
    ----------
    psf, residual, model, mask, image, pb : StoredImage
        The images, or those of the first Taylor term; the last four needn't be there.
    """

    def __init__(self, imagename: str, store: ImageStore, nterms: int = 0) -> None:
        self.imagename, self.store, self.nterms = imagename, store, nterms
        self.mask = store.image(f"{imagename}.mask")
        self.psf, self.residual, self.model, self.image, self.pb = (
            self.terms(kind)[0] for kind in ("psf", "residual", "model", "image", "pb")
        )
        self._measured: dict[str, tuple[tuple[int, ...], dict[Any, float]]] = {}

    def _known(self, what: str, *images: StoredImage) -> dict[Any, float]:
        """What has been measured on these images as they are now."""
        versions = tuple(image.version for image in images)
        if self._measured.get(what, ((), {}))[0] != versions:
            self._measured[what] = versions, {}
        return self._measured[what][1]

    def suffixes(self, kind: str, count: int | None = None) -> list[str]:
        """Of the images of a kind: one for each Taylor term of the model, or for so many of them."""
        if not self.nterms:
            return [kind]
        return [f"{kind}.tt{term}" for term in range(self.nterms if count is None else count)]

    def terms(self, kind: str, count: int | None = None) -> list[StoredImage]:
        """Those images; one alone where there are no Taylor terms."""
        return [self.store.image(f"{self.imagename}.{suffix}") for suffix in self.suffixes(kind, count)]

    @property
    def keys(self) -> list[Key]:
        """All (chan, pol), channel by channel."""
        return self.residual.keys

    @property
    def geometry(self) -> ImageGeometry:
        """Shape, reference pixel and cell of .psf."""
        return self.psf.geometry

    def beam(self, key: Key) -> Beam:
        """The PSF's beam."""
        if not self.psf.beams.any():
            self._fit_beams()
        return Beam(*self.psf.beams[key].tolist())

    def _fit_beams(self) -> None:
        with self.store.on_disk("fitting the beam"), casa.tool("synthesisutils") as utilities:
            utilities.fitPsfBeam(imagename=self.imagename, nterms=max(1, self.nterms), psfcutoff=PSF_CUTOFF)

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
        sums = self._known("sums", self.mask)
        if key not in sums:
            sums[key] = float(self.mask.plane(*key).sum(dtype=np.float64))
        return sums[key]

    def peak(self, key: Key, *, masked: bool = False) -> float:
        """Peak |residual| of one plane over its good pixels, or those of them inside the mask [Jy/beam]."""
        peaks = self._known("peaks", self.residual, self.mask)
        if (key, masked) not in peaks:
            mask = self.mask_of(key) if masked else None
            if masked and mask is None:
                return self.peak(key)
            inside = None if mask is None else mask > 0
            peaks[key, masked] = peak_of(self.residual.plane(*key), self.residual.valid(*key), inside)
        return peaks[key, masked]

    def flux(self, key: Key) -> float:
        """Sum of the model of one plane [Jy]."""
        return float(np.float32(self.model.plane(*key).sum(dtype=np.float64)))

    def fluxes(self) -> list[float]:
        """|Sum| of the model of each term, over all planes [Jy]."""
        return [
            abs(sum(float(np.float32(image.plane(*key).sum(dtype=np.float64))) for key in self.keys))
            for image in self.terms("model")
        ]

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
