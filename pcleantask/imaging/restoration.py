"""Restoration and pb correction plane by plane: the model convolved with the restoring beam, plus the residual.

Follows SIImageStore::restore and pbcor, and StokesImageUtil::Convolve (casatools 6.7): convolution is circular.
Unlike CASA's, it is right along an axis of odd size, where CASA's model lies a pixel off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
import scipy  # its submodules, which take 0.2 s to load, are loaded when they are used
from numpy.typing import NDArray

from .. import casa
from ..cores import usable_threads
from ..images import planes
from ..images.information import copy_beams, set_beam
from ..images.making import copy_pixel_mask, make_product
from ..images.pixels import channel_groups
from ..images.store import Key, Pixels
from .beam import GAUSSIAN_CUT, Beam, deconvolved, gaussian_psf
from .field_statistics import FieldStatistics

EMPTY_FLUX = 1e-8  # total |flux| of a model below which CASA takes it for empty [Jy]
FFT_PLANES = 40  # Gaussians of a beam's box that cost as much as the FFTs of a plane, in planes' areas
BEAM_PARTS = ("major", "minor", "positionangle")  # of CASA's record
RESTORED_AT_ONCE = 1 << 25  # pixels
ALL_TERMS_MASKED = (6, 7, 6)  # casatools from which Taylor terms of several polarisations have pixel masks


class BeamConvolver:
    """Circular convolution with a Gaussian beam, on planes float32 [y, x].

    Parameters
    ----------
    shape : tuple of int
        (ny, nx) of the planes.
    beam : Beam
        The Gaussian.
    reference_pixel, cell : tuple of float
        (x, y) as in `ImageGeometry`.
    normalized : bool
        Whether the Gaussian's pixels have sum 1, and not peak 1.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        beam: Beam,
        reference_pixel: tuple[float, float],
        cell: tuple[float, float],
        *,
        normalized: bool = False,
    ) -> None:
        self._shape = shape
        self._beam, self._reference_pixel, self._cell, self._is_normalized = beam, reference_pixel, cell, normalized
        reach = beam.major * math.sqrt(GAUSSIAN_CUT / (4 * math.log(2.0)))
        self._reach = tuple(int(reach / abs(step)) + 2 for step in (cell[1], cell[0]))
        self._is_central = all(at == size // 2 for at, size in zip(reference_pixel, shape[::-1], strict=True))

    @cached_property
    def _gaussian(self) -> Pixels:
        gaussian = gaussian_psf(self._shape[::-1], self._beam, self._reference_pixel, self._cell).T
        return gaussian / gaussian.sum() if self._is_normalized else gaussian

    @cached_property
    def _stamp(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Pixels]:
        """Rows and columns about the centre beyond which a central Gaussian is zero, and its pixels there."""
        rows, columns = (
            np.arange(-min(size // 2, reach), min(size - size // 2, reach + 1))
            for size, reach in zip(self._shape, self._reach, strict=True)
        )
        if self._is_normalized:
            ny, nx = self._shape
            return rows, columns, self._gaussian[np.ix_(ny // 2 + rows, nx // 2 + columns)]
        centre = float(-columns[0]), float(-rows[0])
        stamp = gaussian_psf((len(columns), len(rows)), self._beam, centre, self._cell).T
        return rows, columns, np.ascontiguousarray(stamp)

    @cached_property
    def _transform(self) -> Any:
        return scipy.fft.rfft2(self._gaussian)

    def __call__(self, plane: Pixels) -> Pixels:
        """The plane convolved; component by component where they are few."""
        box = math.prod(2 * reach + 1 for reach in self._reach)
        if self._is_central and np.count_nonzero(plane) * box < FFT_PLANES * plane.size:
            return self._sum_of_gaussians(plane)
        product = scipy.fft.rfft2(plane)
        product *= self._transform
        return np.roll(scipy.fft.irfft2(product, self._shape), [-(size // 2) for size in self._shape], (0, 1))

    def _sum_of_gaussians(self, plane: Pixels) -> Pixels:
        result = np.zeros_like(plane)
        rows, columns, stamp = self._stamp
        ny, nx = self._shape
        for y, x in zip(*plane.nonzero(), strict=True):
            top, bottom, left, right = y + rows[0], y + rows[-1] + 1, x + columns[0], x + columns[-1] + 1
            if top >= 0 and left >= 0 and bottom <= ny and right <= nx:
                result[top:bottom, left:right] += stamp * plane[y, x]
            else:
                result[np.ix_((y + rows) % ny, (x + columns) % nx)] += stamp * plane[y, x]
        return result


def restore(
    field: FieldStatistics,
    restoringbeam: str | Sequence[str],
    residuals: Callable[[Key], Sequence[Pixels]] | None = None,
) -> None:
    """Write .image of every term, with the pixel mask of .residual where there is a .pb.

    As in CASA before 6.7.6, Taylor terms of several polarisations have no pixel mask.

    Parameters
    ----------
    field : FieldStatistics
        With .model, .residual and .psf.
    restoringbeam : str or list of str
        '' for the PSF's beams, 'common', or one, two or three quantities: axes (FWHM) and position angle.
    residuals : callable, optional
        What is added to the model of each term, float32 [y, x] for a (chan, pol) [Jy/beam]; by default .residual.
    """
    record = _chosen_beam(field, restoringbeam)
    beam = None if record is None else planes.beam_values(record)
    restorer = _Restorer(field, None if beam is None else Beam(*beam), residuals)
    images = field.terms("image")
    for image in images:
        image.drop()
    nx, ny, npol, _ = field.residual.shape
    is_masked = field.pb.exists() and (npol == 1 or not field.nterms or casa.version() >= ALL_TERMS_MASKED)
    most = max(1, RESTORED_AT_ONCE // (nx * ny * len(images)))
    with ThreadPoolExecutor(usable_threads()) as pool:
        for start in range(0, len(field.keys), most):
            keys = field.keys[start : start + most]
            restored = pool.map(restorer.terms, keys)
            if start == 0:  # meanwhile
                field.store.flush()
                for suffix in field.suffixes("image"):
                    make_product(field.imagename, suffix, unit="Jy/beam")
            found = dict(zip(keys, restored, strict=True))
            for term, image in enumerate(images):
                image.put({key: terms[term] for key, terms in found.items()})
    for image, residual in zip(images, field.terms("residual"), strict=True):
        if record is None:
            copy_beams(field.psf.path, image.path)
        else:
            set_beam(image.path, record)
        if is_masked:
            copy_pixel_mask(residual.path, image.path)


def correct_for_pb(field: FieldStatistics) -> None:
    """Write .image.pbcor: .image over .pb, zero where .pb isn't positive, with the pixel mask of .pb."""
    if not (field.image.exists() and field.pb.exists()):
        casa.post(f"{field.image.path} is not corrected for the primary beam: there is no image or no .pb", "WARN")
        return
    target = field.store.image(make_product(field.imagename, "image.pbcor", unit="Jy/beam"))
    for group in channel_groups(field.image.shape, RESTORED_AT_ONCE):
        pairs = zip(group, field.image.channels(group), field.pb.channels(group), strict=True)
        target.put(
            {
                (chan, pol): _corrected(image, pb)
                for chan, *both in pairs
                for pol, (image, pb) in enumerate(zip(*both, strict=True))
            }
        )
    copy_beams(field.image.path, target.path)
    copy_pixel_mask(field.pb.path, target.path)


def _corrected(image: Pixels, pb: Pixels) -> Pixels:
    return np.divide(image, pb, out=np.zeros_like(image), where=pb > 0)


class _Restorer:
    """Restores planes, in any thread, with one beam for all or with each PSF's own; for `residuals` see `restore`."""

    def __init__(
        self, field: FieldStatistics, beam: Beam | None, residuals: Callable[[Key], Sequence[Pixels]] | None
    ) -> None:
        self._field, self._beam, self._residuals = field, beam, residuals
        self._geometry = field.geometry
        self._is_empty = all(flux < EMPTY_FLUX for flux in field.fluxes())
        self._convolver: tuple[Beam, BeamConvolver] | None = None

    def terms(self, key: Key) -> list[Pixels]:
        """The restored plane of each term, float32 [y, x] [Jy/beam]."""
        field = self._field
        residuals = self._residuals(key) if self._residuals else [term.plane(*key) for term in field.terms("residual")]
        models = [term.plane(*key) for term in field.terms("model")]
        old = field.beam(key)
        new = self._beam or old
        return [self._restored(*planes, old, new) for planes in zip(models, residuals, strict=True)]

    def _restored(self, model: Pixels, residual: Pixels, old: Beam, new: Beam) -> Pixels:
        if self._beam is not None:
            residual = self._rescaled(residual, old, new)
        if self._is_empty:
            return residual.copy()
        latest = self._convolver
        if latest is None or latest[0] != new:
            latest = self._convolver = new, self._make_convolver(new)
        return latest[1](model) + residual

    def _make_convolver(self, beam: Beam, *, normalized: bool = False) -> BeamConvolver:
        nx, ny, _, _ = self._field.residual.shape
        geometry = self._geometry
        return BeamConvolver((ny, nx), beam, geometry.reference_pixel, geometry.cell, normalized=normalized)

    def _rescaled(self, residual: Pixels, old: Beam, new: Beam) -> Pixels:
        """The residual at the resolution of another beam, as SIImageStore::rescaleResolution has it."""
        try:
            between = deconvolved(new, old)
        except ArithmeticError as error:
            casa.post(f"{self._field.residual.path}: the residual is not convolved to the new beam: {error}", "WARN")
            return residual
        if between is None or between.minor <= math.hypot(*self._geometry.cell):
            return residual
        scale = (new.major * new.minor) / (old.major * old.minor)
        return self._make_convolver(between, normalized=True)(residual) * np.float32(scale)


def _chosen_beam(field: FieldStatistics, restoringbeam: str | Sequence[str]) -> dict[str, Any] | None:
    """CASA's record of the beam for all planes; None where each has its PSF's."""
    axes = [restoringbeam] if isinstance(restoringbeam, str) else list(restoringbeam)
    if not any(axes):
        return None
    if axes == ["common"]:
        with planes.opened(field.psf.path) as psf:
            record = psf.common_beam_record(0, psf.shape[3])
        angle = record.get("positionangle", record.get("pa"))
        if Beam(*planes.beam_values(record)) not in [field.beam(key) for key in field.keys]:
            with casa.tool("quanta") as quanta:  # CASA keeps angles in degrees as fitted, in radians as calculated
                angle = quanta.convert(angle, "rad")
        return {"major": record["major"], "minor": record["minor"], "positionangle": angle}
    with casa.tool("quanta") as quanta:
        given = axes if len(axes) == 3 else [axes[0], axes[-1], "0deg"]
        return {key: quanta.quantity(value) for key, value in zip(BEAM_PARTS, given, strict=True)}
