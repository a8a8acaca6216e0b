"""Visibilities that can't be imaged though nobody has flagged them: NaN, Inf, and what overflows single precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 1e30  # [Jy], and of weights: sums of products of more are beyond single precision


@dataclass(frozen=True)
class Tally:
    """How many of the visibilities that aren't flagged can't be imaged."""

    unusable: int = 0
    measured: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.unusable + other.unusable, self.measured + other.measured)

    def warning(self, vis: str, column: str) -> str:
        """What to tell the user of a data set."""
        return (
            f"{vis!r}: {self.unusable} of {self.measured} visibilities that aren't flagged have NaN, Inf or beyond "
            f"{LARGEST:g} in {column}, or a weight that is so or negative; they count as flagged. "
            "flagdata(mode='clip') flags NaN and Inf for good"
        )


def unusable_data(data: NDArray[np.complex64]) -> NDArray[np.bool_] | None:
    """Where any product [product, row, chan] can't be gridded, shape (row, chan); None where all can."""
    if not data.size or np.abs(data).max() < LARGEST:  # NaN is not below
        return None
    return np.asarray(~(np.abs(data) < LARGEST).all(axis=0))


def unusable_weights(weights: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where a weight (..., correlation) is none, shape (...); None where all are."""
    if not weights.size or (weights.min() >= 0 and weights.max() < LARGEST):
        return None
    return np.asarray(~((weights >= 0) & (weights < LARGEST)).all(axis=-1))


def tallied(
    flags: NDArray[np.bool_], flag_row: NDArray[np.bool_], *unusable: NDArray[np.bool_] | None
) -> tuple[Tally, NDArray[np.bool_]]:
    """The tally of some rows, and their flags [row, chan] with what is unusable among them."""
    good = ~(flags | flag_row[:, np.newaxis])
    lost = [mask for mask in unusable if mask is not None]
    if not lost:
        return Tally(0, int(np.count_nonzero(good))), flags
    together = np.logical_or.reduce(np.broadcast_arrays(*lost, flags)[:-1])
    return Tally(int(np.count_nonzero(together & good)), int(np.count_nonzero(good))), flags | together
