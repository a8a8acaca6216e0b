"""Whether images are finite, without reading them whole."""

from __future__ import annotations

import numpy as np

from .. import casa


def channels_not_finite(path: str) -> list[int]:
    """The channels of an image that aren't finite, by one pixel of each: a Fourier transform spreads NaN over all."""
    with casa.opened_image(path) as image:
        nx, ny, npol, nchan = (int(size) for size in image.shape())
        pixels = image.getchunk([nx // 2, ny // 2, 0, 0], [nx // 2, ny // 2, npol - 1, nchan - 1])
    return np.flatnonzero(~np.isfinite(pixels).all(axis=(0, 1, 2))).tolist()
