"""A cube's visibilities, image channel by image channel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.reading import Spectra
from ..weights.density import ChannelDensity, Scheme, UvGrid
from ..weights.uv_extent import Extent
from .block import Block
from .dataset_in_channel import Contribution, Direct, Interpolated, Nearest

Doubles = NDArray[np.float64]
Member = Direct | Interpolated
Owner = tuple[str, int] | tuple[()]
KEPT = 8  # densities that are kept: a channel's own, and those that its neighbours' data fall into


def padding(nchan: int) -> int:
    """Channels that CASA adds at each end of a cube for densities (BriggsCubeWeightor::estimateSwingChanPad).

    Where fields differ in their Doppler dopplers CASA adds more; what falls there is data far outside the cube.
    """
    return max(1, min(4, nchan // 10))


class ChannelWeights:
    """Imaging weights of a cube with a density for each channel.

    Parameters
    ----------
    scheme : Scheme
    grid : UvGrid
    members : sequence
        All data sets, with the axis of densities.
    by_field : bool
        Whether each field of each MeasurementSet has densities of its own.
    """

    def __init__(self, scheme: Scheme, grid: UvGrid, members: Sequence[Member], *, by_field: bool = False) -> None:
        self._scheme, self._grid, self._by_field = scheme, grid, by_field
        self._members: dict[Owner, list[Member]] = {}
        for member in members:
            self._members.setdefault(self._owner(member.spectra), []).append(member)
        self._density = lru_cache(KEPT)(self._make_density)

    def _owner(self, spectra: Spectra) -> Owner:
        """Whose densities the weights of data come from."""
        return spectra.source.field_of_vis if self._by_field else ()

    def _make_density(self, owner: Owner, channel: int) -> ChannelDensity:
        samples = (sample for member in self._members[owner] for sample in member.natural(channel))
        return ChannelDensity(self._scheme, self._grid, samples)

    def __call__(self, spectra: Spectra, nearest: Nearest) -> NDArray[np.float32]:
        """Weights of some rows; as in the data, FLAGGED where they are."""
        (u, v), owner = spectra.uv[:, nearest.rows], self._owner(spectra)
        weights = np.minimum(nearest.weight, 0)
        for channel in _distinct(nearest.channel):
            own = nearest.channel == channel
            if own.all():
                weights = self._density(owner, channel).weights(u, v, nearest.frequency, nearest.weight)
            else:
                pieces = (values[own] for values in (u, v, nearest.frequency, nearest.weight))
                weights[own] = self._density(owner, channel).weights(*pieces)
        if self._scheme.taper is not None:
            weights = np.where(weights < 0, weights, weights * self._scheme.taper(u, v, nearest.frequency))
        return weights.astype(np.float32)


class CubeGroup:
    """Data sets that go to a gridder together: sampled alike, in the same image channels, of one pointing of a mosaic.

    Parameters
    ----------
    members : sequence of Direct or Interpolated
    extent : Extent
    weights : ChannelWeights, optional
        Where they are not the data's own.
    """

    def __init__(self, members: Sequence[Member], extent: Extent, weights: ChannelWeights | None = None) -> None:
        self.members, self._extent, self._weights = members, extent, weights
        self.has_same_rows = all(isinstance(member, Interpolated) for member in members)
        self.pointing = members[0].spectra.source.pointing
        self._uvw: Doubles | None = None
        self._reaches = [member.spectra.reach for member in members]

    def frequency(self, channel: int) -> Doubles:
        """Where an image channel is sampled, or its centre [Hz]."""
        return self.members[0].frequency(channel)

    def block(self, channel: int) -> Block:
        """The visibilities of an image channel."""
        frequency = self.frequency(channel)
        parts = [
            self._weighted(member, member.contribution(channel), frequency, self._extent.holds_all(reach, frequency))
            for member, reach in zip(self.members, self._reaches, strict=True)
        ]
        uvw, data, weight, psf_weight = zip(*parts, strict=True)
        if self._uvw is None or not self.has_same_rows:
            self._uvw = _joined(uvw, 0)
        joined = _joined(weight, 0)
        same = all(a is b for a, b in zip(weight, psf_weight, strict=True))
        return Block(
            uvw=self._uvw,
            freq=frequency,
            data=_joined(data, 1),
            weight=joined,
            psf_weight=joined if same else _joined(psf_weight, 0),
            pointing=self.pointing,
        )

    def coupling(self, channel: int) -> dict[int, NDArray[Any]]:
        """Shares of image channels' predictions in a channel's visibilities, shape (row, sample)."""
        found = [member.coupling(channel) for member in self.members]
        if all(list(shares) == [channel] for shares in found):
            return {channel: _joined([shares[channel] for shares in found], 0)}
        numbers = sorted({number for shares in found for number in shares})
        blank = [
            np.zeros((len(member.spectra.integration), len(member.frequency(channel))), np.float32)
            for member in self.members
        ]
        total = {}
        for number in numbers:
            pieces = [shares.get(number, empty) for shares, empty in zip(found, blank, strict=True)]
            total[number] = _joined(pieces, 0)
        return total

    def _weighted(
        self, member: Member, given: Contribution, frequency: Doubles, all_inside: bool
    ) -> tuple[NDArray[Any], ...]:
        """uvw, data, weights of residuals and weights of the PSF."""
        gone = member.spectra.dropped[given.nearest[0].rows][:, np.newaxis]
        if not all_inside:
            gone = gone | ~self._extent.holds(given.uvw, frequency)
        found = given.weight
        if self._weights is not None:
            found = np.stack([self._weights(member.spectra, nearest) for nearest in given.nearest], axis=-1)
        psf_weight = np.where(gone, np.float32(0), np.maximum(found, 0))
        if member.spectra.share != 1:
            psf_weight *= np.float32(member.spectra.share)
        lost = (given.weight < 0) & (psf_weight > 0)
        weight = np.where(lost, np.float32(0), psf_weight) if lost.any() else psf_weight
        return given.uvw, given.data, weight, psf_weight


def _distinct(numbers: NDArray[np.int64]) -> list[int]:
    """The numbers that are not negative, each once; mostly there is one."""
    if len(numbers) and numbers[0] >= 0 and (numbers == numbers[0]).all():
        return [int(numbers[0])]
    return [number for number in np.unique(numbers).tolist() if number >= 0]


def _joined(arrays: Sequence[NDArray[Any]], axis: int) -> NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis)
