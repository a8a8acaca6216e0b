"""Arrays in memory up to a limit, and in files beyond it."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import casa
from ...cores import memory_share

SHARE = 0.4  # of the memory that is free when a run begins; of this process' part of it, where it is one of a team
WORKING_SHARE = 0.05  # of what is free, for visibilities that are worked on
WORKING_BYTES = 4 * 8  # of each: its model, what is left of it, ones for the PSF, what ducc0 needs
WORKING_VALUES = 1 << 21, 1 << 25  # so many are worth a pass over the grid; beyond these there is nothing to be gained


def values_at_once() -> int:
    """How many visibilities may be worked on at one time, beside what is kept."""
    share = casa.available_memory() * 1024 * WORKING_SHARE * memory_share()
    return int(np.clip(share / WORKING_BYTES, *WORKING_VALUES))


class Arena:
    """Makes arrays: in memory while there is room, then memory-mapped files in a folder.

    Parameters
    ----------
    folder : Path, optional
        Where files go; it is made when the first one is. None keeps all in memory.
    limit : float, optional
        Bytes that may be in memory. By default SHARE of what is free now.

    Notes
    -----
    The files have no names as soon as they are mapped, where the system allows that: they go with the last array on
    them, however the process ends.
    """

    def __init__(self, folder: Path | None = None, limit: float | None = None) -> None:
        self._folder = folder
        self._left = casa.available_memory() * 1024 * SHARE * memory_share() if limit is None else limit
        self._numbers = itertools.count()

    def array(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """A new array of zeros."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if self.takes(size) or self._folder is None or size == 0:
            return np.zeros(shape, dtype)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"visibilities-{next(self._numbers)}.array"
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)  # a disk that is full says so here, not by a signal later
        mapped = np.memmap(path, dtype, "r+", shape=shape)
        path.unlink()
        return np.asarray(mapped)

    def takes(self, size: int) -> bool:
        """Whether so many bytes more may be in memory; they count from now on if so."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def release(self, *arrays: NDArray[Any]) -> None:
        """Count arrays of this arena as gone."""
        self._left += sum(array.nbytes for array in arrays if not is_mapped(array))


def is_mapped(array: Any) -> bool:
    """Whether an array is in a file."""
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = getattr(array, "base", None)
    return False
