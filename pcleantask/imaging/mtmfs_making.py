"""MT-MFS cleans of an image field's planes; what rests on PSFs and masks alone is kept between minor cycles."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..images.store import Key
from ..recordvalues import CleanSettings
from .field_statistics import FieldStatistics
from .kept import Kept
from .mtmfs import MtmfsPlane, TermProducts, term_places, term_products, usable_scales
from .scales import Scales, scales_of


class MtmfsMaker:
    """Makes the clean of the Taylor terms of one plane."""

    def __init__(self, settings: CleanSettings) -> None:
        self._sizes, self._bias = settings.scales, settings.smallscalebias
        self._kept: Kept[Any] = Kept()

    def __call__(self, field: FieldStatistics, group: list[Key], *, whole: bool) -> MtmfsPlane:
        """For the only plane of a group."""
        (key,) = group
        scales, mask = self._scales(field), field.mask_of(key)
        places = self._kept.get(("places", key), field.mask.version, lambda: term_places(scales, mask))
        residual, model = (
            np.stack([image.plane(*key) for image in field.terms(kind)]) for kind in ("residual", "model")
        )
        return MtmfsPlane(residual, model, self.products(field, key), scales, self._bias, mask, places)

    def products(self, field: FieldStatistics, key: Key) -> TermProducts:
        """What a clean needs of the PSFs of a plane; raises ImagingError as `mtmfs.inverted` does."""
        psfs = field.terms("psf", 2 * field.nterms - 1)
        scales = self._scales(field)
        return self._kept.get(
            ("products", key),
            sum(psf.version for psf in psfs),
            lambda: term_products([psf.plane(*key) for psf in psfs], scales),
        )

    def _scales(self, field: FieldStatistics) -> Scales:
        nx, ny, _, _ = field.residual.shape
        return scales_of((ny, nx), usable_scales((ny, nx), self._sizes))
