"""Data changed by about as much as the order of a sum changes images: what then changes by more says little."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pcleantask import casa

AS_MUCH = 1e-6  # of a dirty image's peak, and of its PSF's


def shake(path: Path, seed: int) -> None:
    """Add noise to the data of a MeasurementSet, and to its weights."""
    draw = np.random.default_rng(seed)
    with casa.opened_table(str(path), writable=True) as table:
        size = AS_MUCH * np.sqrt(table.nrows())
        for name in ("DATA", "WEIGHT"):
            for row in range(table.nrows()):
                values = table.getcell(name, row)
                table.putcell(name, row, values + size * np.abs(values) * draw.standard_normal(values.shape))
