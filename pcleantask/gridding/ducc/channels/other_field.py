"""A cube's model seen from another field's visibilities: each data channel is predicted by the model's own axis.

The axes of two fields are not the same to the last digit, as each is converted where the field is: they may be sampled
at other places, reach other data, or be read in other pieces. So rows are found by their numbers in the MeasurementSet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...spectral.axis import SpectralAxis
from .block import Sampling, phasor
from .channel_group import CubeGroup, Member
from .dataset_in_channel import Mixture

Ints = NDArray[np.int64]
Shares = dict[int, NDArray[np.complex64]]
GROUPS = 4  # whose rows are kept


@dataclass(frozen=True)
class _Rows:
    """Where rows of one field's data are in another's; -1 where they are in none of its members."""

    member: Ints
    row: Ints

    def of(self, rows: Ints | slice) -> _Rows:
        return _Rows(self.member[rows], self.row[rows])


class OtherField:
    """A field's cube as its model is predicted at another field's visibilities.

    Parameters
    ----------
    members : sequence of Direct or Interpolated
        The data of the field with the model.
    axis : SpectralAxis
        Of its cube.
    """

    def __init__(self, members: list[Member], axis: SpectralAxis) -> None:
        self._members, self._axis = members, axis
        self._find = lru_cache(GROUPS)(self._found)

    def at(self, group: CubeGroup, channel: int) -> tuple[Sampling, Shares]:
        """What the model is predicted with at a block of the other field: the block's rows about this field's centre.

        Returns
        -------
        Sampling
            uvw about this field's centre.
        dict
            Number of a channel of this field's cube -> share of its prediction, [row, sample].
        """
        frequency = group.frequency(channel)
        pieces = [self._at_member(member, channel, frequency) for member in group.members]
        numbers = sorted({number for _, shares in pieces for number in shares})
        total = {}
        for number in numbers:
            blank = [np.zeros((len(uvw), len(frequency)), np.complex64) for uvw, _ in pieces]
            parts = [shares.get(number, empty) for (_, shares), empty in zip(pieces, blank, strict=True)]
            total[number] = np.concatenate(parts)
        return Sampling(np.concatenate([uvw for uvw, _ in pieces]), frequency, pointing=group.pointing), total

    def _at_member(
        self, seen: Member, channel: int, frequency: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], Shares]:
        mixture = seen.mixture(channel)
        rows = self._find(seen).of(mixture.rows)
        uvw, delay = self._baselines(seen.spectra.uvw[mixture.rows].copy(), rows)
        if mixture.stretch is not None:
            uvw *= mixture.stretch[:, np.newaxis]
        shares = {}
        for number, share in self._shares(mixture, rows).items():
            turned = phasor(delay[:, np.newaxis], frequency - self._axis.frequency[number])
            shares[number] = (share[mixture.place] * turned).astype(np.complex64)
        return uvw, shares

    def _baselines(self, uvw: NDArray[np.float64], rows: _Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """uvw about this field's centre [row, 3], and the delay by which its data are shifted there [row]."""
        delay = np.zeros(len(uvw))
        for number, member in enumerate(self._members):
            own = rows.member == number
            uvw[own] = member.spectra.uvw[rows.row[own]]
            if member.spectra.delay is not None:
                delay[own] = member.spectra.delay[rows.row[own]]
        return uvw, delay

    def _shares(self, mixture: Mixture, rows: _Rows) -> dict[int, NDArray[np.float64]]:
        """How much of each channel of this cube is in the data channels that are mixed, [place, sample]."""
        found: dict[int, NDArray[np.float64]] = {}
        places, first = np.unique(mixture.place, return_index=True)
        a_row = rows.of(first)  # of each place: all of them are of one integration
        for number, member in enumerate(self._members):
            own = places[a_row.member == number]
            integrations = member.spectra.integration[a_row.row[a_row.member == number]]
            for data, part in ((mixture.low, 1 - mixture.fraction), (mixture.high, mixture.fraction)):
                for source, share in member.predicted(integrations, data[own]):
                    for image in np.unique(source).tolist():
                        piece = np.where(source == image, share * part[own], 0) * ~mixture.outside[own]
                        if piece.any():
                            found.setdefault(image, np.zeros(mixture.low.shape))[own] += piece
        return found

    def _found(self, seen: Member) -> _Rows:
        """Where the rows of a member of the other field are here."""
        wanted = seen.spectra.source
        found = _Rows(np.full(len(wanted.rows), -1), np.full(len(wanted.rows), -1))
        for number, member in enumerate(self._members):
            own = member.spectra.source
            if (own.vis, own.description) == (wanted.vis, wanted.description):
                _, here, there = np.intersect1d(wanted.rows, own.rows, assume_unique=True, return_indices=True)
                found.member[here], found.row[here] = number, there
        return found
