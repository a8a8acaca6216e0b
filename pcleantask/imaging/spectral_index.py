"""Spectral index and curvature of restored Taylor terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .. import casa
from ..images.coordinates import ImageCoordinates
from ..images.information import copy_beams
from ..images.making import make_product
from ..images.pixels import MASK
from ..images.store import Key, Pixels
from .field_statistics import FieldStatistics

LEAST = np.float32(0.1)  # of the peak residual, above which pixels have a spectral index


def write_spectral_index(field: FieldStatistics, residuals: Mapping[Key, Sequence[Pixels]]) -> None:
    """Write .alpha, .alpha.error and, of three terms or more, .beta; where Stokes I is the only plane, as in CASA.

    Follows SIImageStoreMultiTerm::calculateAlphaBeta (casatools 6.7).

    Parameters
    ----------
    field : FieldStatistics
        With .image of all terms.
    residuals : mapping
        What was added to the model of each term, float32 [y, x], by (chan, pol) [Jy/beam].
    """
    if field.nterms < 2 or not _is_stokes_i(field):
        return
    (key,) = field.keys
    images = [image.plane(*key) for image in field.terms("image")]
    valid = field.residual.valid(*key)
    found = residuals[key][0]
    threshold = np.float32((found if valid is None else found[valid]).max(initial=-np.inf)) * LEAST
    made = spectral_index(images, residuals[key], threshold)
    with field.store.on_disk("making the spectral index"):
        for kind, plane in made.items():
            path = make_product(field.imagename, kind)
            with casa.opened_image(path) as image:
                image.calcmask(f'"{field.image.path}" > {float(threshold)!r}', name=MASK)
            copy_beams(field.image.path, path)
            field.store.image(path).put({key: plane})


def spectral_index(images: Sequence[Pixels], residuals: Sequence[Pixels], threshold: np.float32) -> dict[str, Pixels]:
    """The images 'alpha', 'alpha.error' and, of three terms or more, 'beta', float32 [y, x].

    Parameters
    ----------
    images, residuals : sequence
        Of the Taylor terms, float32 [y, x] [Jy/beam].
    threshold : float32
        What the first image must exceed; they are zero elsewhere [Jy/beam].
    """
    bright = images[0] > threshold

    def ratio(one: Pixels, other: Pixels) -> Pixels:
        return np.divide(one, other, out=np.zeros_like(one), where=bright)

    alpha = ratio(images[1], images[0])
    errors = [ratio(residual, image) for residual, image in zip(residuals[:2], images[:2], strict=True)]
    made = {"alpha": alpha, "alpha.error": np.abs(alpha) * np.hypot(*errors)}
    if len(images) > 2:
        made["beta"] = ratio(images[2], images[0]) - np.float32(0.5) * alpha * (alpha - 1)
    return made


def _is_stokes_i(field: FieldStatistics) -> bool:
    with casa.opened_image(field.image.path) as image:
        coordinates = image.coordsys()
        record = coordinates.torecord()
        coordinates.done()
    return ImageCoordinates(record, 1).stokes == ("I",)
