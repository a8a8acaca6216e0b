"""How work is shared out: slabs of channels with guard channels, and ranges of rows. Arithmetic only."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# How much wider a data channel may be in the cube's frame than in its own: the Doppler shift by Earth and Sun.
DOPPLER = 1e-3
USEFUL_ROWS = 10_000  # of a worker of its own: fewer are gridded while it starts


@dataclass(frozen=True)
class Slab:
    """The channels of one part of a cube.

    A part images its own channels and some *guard channels* beyond each inner edge: degridding interpolates between
    image channels, so that the own channels at the edge need their neighbours' models. Guards are never cleaned.

    Attributes
    ----------
    start, stop : int
        The part's own channels in the whole cube: start <= channel < stop.
    nchan : int
        Number of channels of the whole cube.
    nguards : int
        Guard channels beyond each inner edge; fewer where the cube ends.
    """

    start: int
    stop: int
    nchan: int
    nguards: int = 1

    @property
    def first(self) -> int:
        """Channel of the whole cube that is the part's channel 0."""
        return max(0, self.start - self.nguards)

    @property
    def last(self) -> int:
        """One beyond the channel of the whole cube that is the part's last."""
        return min(self.nchan, self.stop + self.nguards)

    @property
    def size(self) -> int:
        """Number of the part's channels, guards included."""
        return self.last - self.first

    @property
    def own(self) -> range:
        """The own channels, counted in the part."""
        return range(self.start - self.first, self.stop - self.first)

    @property
    def guards(self) -> tuple[int, ...]:
        """The guard channels, counted in the part."""
        return tuple(channel for channel in range(self.size) if channel not in self.own)


def guards_needed(interpolation: str, ratio: float) -> int:
    """Guard channels that make the parts of a cube exact.

    With linear interpolation an own channel reads the data less than one data channel away, and the model at those is
    read from the image channels to both sides. Cubic interpolation reads two to each side, nearest the nearest.

    Where the data have the cube's channels (ratio 1) that makes two guards: the motion of Earth makes the data's a bit
    wider at times, and a weight of 1e-7 beyond the first guard changes the last bit.

    Parameters
    ----------
    interpolation : str
        tclean's parameter: nearest, linear or cubic.
    ratio : float
        The widest channel of the data, in channels of the cube.
    """
    reach = ratio + DOPPLER
    if interpolation == "nearest":
        return max(1, math.floor(reach / 2 + 0.5))
    return math.floor(2 * reach) + 2 if interpolation == "cubic" else math.floor(reach) + 1


def slabs(nchan: int, nparts: int, nguards: int = 1) -> list[Slab]:
    """Share `nchan` channels out among `nparts` parts, or one a channel where there are fewer channels.

    Inner parts have guards on both sides, the outer ones on one, and all cost alike: sizes with guards differ by one at
    most where that can be.
    """
    nparts = max(1, min(nparts, nchan))
    if nparts == 1:
        return [Slab(0, nchan, nchan, nguards)]
    total = nchan + 2 * nguards * (nparts - 1)  # channels to image, guards included
    sizes = []
    for part in range(nparts):
        guards = nguards if part in (0, nparts - 1) else 2 * nguards
        share = total * (part + 1) // nparts - total * part // nparts
        sizes.append(max(1, share - guards))
    while sum(sizes) != nchan:
        if sum(sizes) > nchan:
            sizes[sizes.index(max(sizes))] -= 1
        else:
            sizes[sizes.index(min(sizes))] += 1
    edges = [sum(sizes[:part]) for part in range(nparts + 1)]
    return [Slab(start, stop, nchan, nguards) for start, stop in itertools.pairwise(edges)]


def useful_parts(nrows: int, nparts: int) -> int:
    """How many of `nparts` parts are worth a worker, where nobody has asked for a number."""
    return max(1, min(nparts, math.ceil(nrows / USEFUL_ROWS)))


def row_shares(counts: Sequence[int], nparts: int) -> list[list[str | None]]:
    """Share rows out evenly: for each part, a TaQL expression a MeasurementSet, None where the part has none of it.

    Parameters
    ----------
    counts : sequence of int
        Number of selected rows of each MeasurementSet.
    nparts : int
        Parts wanted; there are never more than rows.
    """
    nparts = max(1, min(nparts, sum(counts)))
    starts = [0, *itertools.accumulate(counts)]
    shares = []
    for part in range(nparts):
        first, stop = (starts[-1] * edge // nparts for edge in (part, part + 1))
        shares.append([
            _row_range(max(first - start, 0), min(stop - start, count))
            for count, start in zip(counts, starts, strict=False)
        ])  # fmt: skip
    return shares


def _row_range(first: int, stop: int) -> str | None:
    """TaQL for the rows first <= row < stop; TaQL counts from 1, and only the rows that the selection has left."""
    return None if first >= stop else f"ROWNUMBER() > {first} && ROWNUMBER() <= {stop}"


def field_shares(fields: Sequence[Mapping[int, int]], nparts: int) -> list[list[str | None]]:
    """Share rows out by field, so that all rows of a field are in one part; the result is like that of `row_shares`.

    Parameters
    ----------
    fields : sequence of mapping
        For each MeasurementSet, field number -> number of selected rows.
    nparts : int
        Parts wanted; there are never more than fields.
    """
    entries = [(count, number, field) for number, found in enumerate(fields) for field, count in found.items()]
    nparts = max(1, min(nparts, len(entries)))
    loads = [0] * nparts
    chosen: list[list[list[int]]] = [[[] for _ in fields] for _ in range(nparts)]
    for count, number, field in sorted(entries, reverse=True):
        part = loads.index(min(loads))
        loads[part] += count
        chosen[part][number].append(field)
    return [[f"FIELD_ID IN {sorted(numbers)}" if numbers else None for numbers in part] for part in chosen]
