"""Planes of images in one file, to the last bit, in little room: models are 0 but for some pixels, masks 0 or 1."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cores import usable_threads
from ..records import from_json, to_json

Pixels = NDArray[np.float32]

PLANES_A_THREAD = 8  # that are in memory at once
NOWHERE = np.zeros(0, np.uint32)
SAME, SPARSE, BITS, WHOLE = range(4)  # how a plane is kept: one value; pixels that aren't 0; 0 or 1; as it is


class PlaneKey(NamedTuple):
    """Which plane: of the image with that suffix, channel of the whole cube, polarisation."""

    suffix: str
    chan: int
    pol: int


class SavedPlanes:
    """What files of planes hold.

    Attributes
    ----------
    facts : list of dict
        What was saved with the planes, a file each.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.facts: list[dict[str, Any]] = []
        self._places: dict[PlaneKey, tuple[int, Any]] = {}
        self._files: list[dict[str, NDArray[Any]]] = []
        for path in paths:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            said = json.loads(arrays.pop("said").tobytes())
            self.facts.append(from_json(said["facts"]))
            for row in arrays["table"].tolist():
                name, chan, pol = row[:3]
                self._places[PlaneKey(said["suffixes"][name], chan, pol)] = len(self._files), row[3:]
            self._files.append(arrays)

    @property
    def keys(self) -> list[PlaneKey]:
        """All planes."""
        return list(self._places)

    def plane(self, key: PlaneKey) -> Pixels:
        """One plane, float32 [y, x]."""
        number, (kind, ny, nx, start, stop) = self._places[key]
        arrays = self._files[number]
        if kind == BITS:
            bits = np.unpackbits(arrays["bits"][start:stop], count=ny * nx)
            return bits.astype(np.float32).reshape(ny, nx)
        values = arrays["values"][start:stop]
        if kind == SAME:
            return np.full((ny, nx), values[0])
        if kind == WHOLE:
            return values.reshape(ny, nx)
        plane = np.zeros(ny * nx, np.float32)
        plane[arrays["places"][start:stop]] = values
        return plane.reshape(ny, nx)


def save_planes(path: str, planes: Iterable[tuple[PlaneKey, Pixels]], facts: Mapping[str, Any]) -> None:
    """Write planes, float32 [y, x], and facts that `records.to_json` takes to a file that `SavedPlanes` reads."""
    suffixes: list[str] = []
    table: list[list[int]] = []
    values, places, bits = _Column(np.float32), _Column(np.uint32), _Column(np.uint8)
    for key, shape, kind, found, where in _all_kept(iter(planes)):
        if key.suffix not in suffixes:
            suffixes.append(key.suffix)
        if kind == BITS:
            span = bits.add(found)
        else:
            span = values.add(found)
            places.add(where)  # as many, so that one span is that of both
        table.append([suffixes.index(key.suffix), key.chan, key.pol, kind, *shape, *span])
    said = json.dumps({"suffixes": suffixes, "facts": to_json(facts)}).encode()
    with open(path, "wb") as file:  # noqa: PTH123
        np.savez(
            file,
            said=np.frombuffer(said, np.uint8),
            table=np.array(table, np.int64).reshape(len(table), 8),
            values=values.whole(),
            places=places.whole(),
            bits=bits.whole(),
        )
        file.flush()
        os.fsync(file.fileno())


def _all_kept(
    planes: Iterator[tuple[PlaneKey, Pixels]],
) -> Iterator[tuple[PlaneKey, tuple[int, ...], int, NDArray[Any], NDArray[np.uint32]]]:
    """What is kept of all planes; threads look at some of them at once."""
    with ThreadPoolExecutor(usable_threads()) as pool:
        while batch := list(itertools.islice(planes, usable_threads() * PLANES_A_THREAD)):
            for (key, plane), kept in zip(batch, pool.map(_kept, [plane for _, plane in batch]), strict=True):
                yield key, plane.shape, *kept


def _kept(plane: Pixels) -> tuple[int, NDArray[Any], NDArray[np.uint32]]:
    """How a plane is kept, what of it, and where in the plane that is; -0 is not 0 here."""
    if plane.strides == (0, 0):
        return SAME, plane[:1, 0], np.zeros(1, np.uint32)
    flat = np.ascontiguousarray(plane).ravel()
    is_there = flat.view(np.uint32) != 0
    count = np.count_nonzero(is_there)
    if 2 * count >= flat.size // 16 and np.array_equal(flat == 1, is_there):
        return BITS, np.packbits(is_there), NOWHERE
    if 2 * count < flat.size:
        where = np.flatnonzero(is_there).astype(np.uint32)
        return SPARSE, flat[where], where
    return WHOLE, flat, np.zeros(flat.size, np.uint32)


class _Column:
    """Arrays in a row."""

    def __init__(self, dtype: type) -> None:
        self._parts: list[NDArray[Any]] = []
        self._dtype, self._size = dtype, 0

    def add(self, part: NDArray[Any]) -> tuple[int, int]:
        """Append an array; where it is then."""
        self._parts.append(part)
        start, self._size = self._size, self._size + part.size
        return start, self._size

    def whole(self) -> NDArray[Any]:
        return np.concatenate([np.zeros(0, self._dtype), *self._parts]).astype(self._dtype, copy=False)
