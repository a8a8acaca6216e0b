"""Multiscale cleans of an image field's planes; what rests on PSFs and masks alone is kept between minor cycles."""

from __future__ import annotations

from typing import Any

from ..images.store import Key
from ..recordvalues import CleanSettings
from .field_statistics import FieldStatistics
from .kept import Kept
from .multiscale import MultiscalePlane
from .scales import scales_of


class MultiscaleMaker:
    """Makes the clean of one plane."""

    def __init__(self, settings: CleanSettings) -> None:
        self._sizes, self._bias = tuple(sorted(settings.scales)), settings.smallscalebias
        self._kept: Kept[Any] = Kept()

    def __call__(self, field: FieldStatistics, group: list[Key], *, whole: bool) -> MultiscalePlane:
        """For the only plane of a group; `whole` asks for the residual."""
        (key,) = group
        psf, mask = field.psf.plane(*key), field.mask_of(key)
        ny, nx = psf.shape
        scales = scales_of((ny, nx), self._sizes)
        products = self._kept.get(("products", key), field.psf.version, lambda: scales.products(psf))
        places = self._kept.get(("places", key), field.mask.version, lambda: scales.places(mask))
        return MultiscalePlane(
            field.residual.plane(*key), field.model.plane(*key).copy(), products, scales, self._bias, mask, places,
            whole=whole,
        )  # fmt: skip
