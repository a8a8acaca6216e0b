"""One data set as a cube sees it: its visibilities in image channels, interpolated or taken as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.reading import FLAGGED, Spectra
from ...spectral.axis import LinearRegridding, SpectralAxis, channel_map
from ...spectral.interpolation import Brackets
from .block import phasor

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
ALONE = float(np.finfo(float).eps)  # nearer to a data channel than this, its neighbour does not count


@dataclass(frozen=True)
class Nearest:
    """For rows of data, the data channel from which their weight comes.

    Attributes
    ----------
    rows : slice or ndarray of int64
        Of the data set.
    frequency : ndarray of float64, shape (row,)
        In the image's frame [Hz].
    weight : ndarray of float32, shape (row,)
        At that channel; FLAGGED where that is so.
    channel : ndarray of int64, shape (row,)
        The channel of the axis of densities into which it falls, -1 where none.
    """

    rows: slice | Ints
    frequency: Doubles
    weight: Floats
    channel: Ints


@dataclass(frozen=True)
class Contribution:
    """What one data set gives to an image channel.

    Attributes
    ----------
    uvw : ndarray of float64, shape (row, 3)
    data : ndarray of complex64, shape (product, row, sample)
    weight : ndarray of float32, shape (row, sample)
        The data channels' weights, interpolated like the data; FLAGGED where one that counts is.
    nearest : list of Nearest
        For each sample.
    """

    uvw: Doubles
    data: NDArray[np.complex64]
    weight: Floats
    nearest: list[Nearest]


@dataclass(frozen=True)
class Mixture:
    """From which data channels, of the selected ones, the visibilities of an image channel are mixed.

    Attributes
    ----------
    rows : slice or ndarray of int64
        Of the data set.
    place : ndarray of int64, shape (row,)
        Which of the places each of them is of.
    low, high : ndarray of int64, shape (place, sample)
    fraction : ndarray of float64, shape (place, sample)
        How much of the second there is.
    outside : ndarray of bool, shape (place, sample)
        Where there is nothing.
    stretch : ndarray of float64, shape (row,), or None
        What uvw are multiplied with.
    """

    rows: slice | Ints
    place: Ints
    low: Ints
    high: Ints
    fraction: Doubles
    outside: NDArray[np.bool_]
    stretch: Doubles | None = None


Predicted = list[tuple[Ints, Doubles]]


class Interpolated:
    """A data set interpolated to image channels.

    Parameters
    ----------
    spectra : Spectra
    first : int
        Number, among the selected channels, of the first that was read.
    regridding : LinearRegridding
        Of all selected channels.
    axis : SpectralAxis
        That of densities.
    """

    def __init__(self, spectra: Spectra, first: int, regridding: LinearRegridding, axis: SpectralAxis) -> None:
        self.spectra, self._first, self._regridding, self._axis = spectra, first, regridding, axis

    @property
    def _data(self) -> NDArray[np.complex64]:
        return np.swapaxes(self.spectra.data, -1, -2)

    @property
    def _weight(self) -> Floats:
        return self.spectra.weight.T

    @property
    def places(self) -> tuple[int, float]:
        """In how many places channels are sampled, and where a list of places begins: data alike go together."""
        return self._regridding.samples, self._regridding.list_begin

    def frequency(self, channel: int) -> Doubles:
        return self._regridding.sampled(channel)

    def contribution(self, channel: int) -> Contribution:
        """The data set in an image channel."""
        found = self._regridding.brackets(channel)
        frequency = self.frequency(channel)
        shape = (len(self._data), len(self.spectra.integration), len(frequency))
        data, weight = np.empty(shape, np.complex64), np.empty(shape[1:], np.float32)
        nearest = []
        for sample in range(len(frequency)):
            pieces = _Sample(found, sample, self.spectra.integration, self._first)
            mixed = pieces.mix(self._weight)
            weight[:, sample] = mixed
            data[..., sample] = pieces.mix(self._data) * (mixed >= 0)
            if self.spectra.delay is not None:
                data[..., sample] *= phasor(self.spectra.delay, frequency[sample])
            nearest.append(self._nearest(found, sample))
        return Contribution(self.spectra.uvw, data, weight, nearest)

    def natural(self, channel: int) -> Iterator[tuple[Doubles, Doubles, Doubles | float, Floats]]:
        """u, v, frequency and interpolated weights, of all correlations, of each sample of an image channel."""
        found = self._regridding.brackets(channel)
        u, v = self.spectra.turned
        for sample, frequency in enumerate(self.frequency(channel)):
            weight = _Sample(found, sample, self.spectra.integration, self._first).mix(self._weight)
            yield u, v, float(frequency), np.where(self.spectra.flag_row, FLAGGED, weight * self.spectra.ncorr)

    def coupling(self, channel: int) -> dict[int, NDArray[Any]]:
        """Shares of image channels' predictions in a channel's, shape (row, sample); see LinearRegridding."""
        integration, delay = self.spectra.integration, self.spectra.delay
        shares = {number: share[integration] for number, share in self._regridding.coupling(channel).items()}
        if delay is None:
            return {number: share.astype(np.float32) for number, share in shares.items()}
        frequency = self.frequency(channel)
        distance = {number: frequency - self._regridding.axis.frequency[number] for number in shares}
        return {
            number: (share * phasor(delay[:, np.newaxis], distance[number])).astype(np.complex64)
            for number, share in shares.items()
        }

    def mixture(self, channel: int) -> Mixture:
        """From which data an image channel is made."""
        found = self._regridding.brackets(channel)
        return Mixture(slice(None), self.spectra.integration, found.low, found.high, found.fraction, found.outside)

    def predicted(self, integrations: Ints, data: Ints) -> Predicted:
        """The image channels from which data channels [integration, any] are predicted, and their shares."""
        return self._regridding.prediction(data, integrations)

    def _nearest(self, found: Brackets, sample: int) -> Nearest:
        integration = self.spectra.integration
        data = found.nearest[:, sample]
        frequency = self._regridding.data_frequency(data[:, np.newaxis])[:, 0]
        channel = channel_map(self._axis, frequency)
        weight = np.where(
            found.outside[:, sample][integration], FLAGGED, _take(self._weight, data - self._first, integration)
        )
        return Nearest(slice(None), frequency[integration], weight, channel[integration])


class _Sample:
    """The mixture of two data channels at one sample of an image channel, row by row."""

    def __init__(self, found: Brackets, sample: int, integration: Ints, first: int) -> None:
        self._integration = integration
        self._low, self._high = found.low[:, sample] - first, found.high[:, sample] - first
        fraction = np.clip(found.fraction[:, sample], 0, 1)
        self._share = fraction.astype(np.float32)[integration]
        self._only_low = (fraction <= ALONE)[integration]
        self._only_high = (fraction >= 1 - ALONE)[integration]
        self._outside = found.outside[:, sample][integration]

    def mix(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of shape (..., chan, row) mixed to (..., row)."""
        low, high = _take(values, self._low, self._integration), _take(values, self._high, self._integration)
        mixed = low + self._share * (high - low)
        if values.dtype == np.float32:  # weights: one that is flagged takes the other with it
            lost = (low < 0) & ~self._only_high | (high < 0) & ~self._only_low | self._outside
            return np.where(lost, FLAGGED, mixed)
        return mixed


def _take(values: NDArray[Any], channel: Ints, integration: Ints) -> NDArray[Any]:
    """Of values (..., chan, row), those at a channel that depends on the integration, (..., row)."""
    channel = np.clip(channel, 0, values.shape[-2] - 1)
    if (channel == channel[0]).all():
        return values[..., channel[0], :]
    return values[..., channel[integration], np.arange(len(integration))]


class Direct:
    """A data set whose channels are gridded as they are, each in the image channel into which it falls.

    Parameters
    ----------
    spectra : Spectra
    first : int
        Number, among the selected channels, of the first that was read.
    frequency : ndarray of float64, shape (integration, chan)
        Of the channels that were read, in the image's frame [Hz].
    axis : SpectralAxis
        The image's, or that of densities.
    densities : SpectralAxis
        That of densities.
    """

    places = (0, 0.0)

    def __init__(
        self, spectra: Spectra, first: int, frequency: Doubles, axis: SpectralAxis, densities: SpectralAxis
    ) -> None:
        self.spectra, self._first, self._frequency = spectra, first, frequency
        self._axis, self._densities = axis, densities
        self._map = channel_map(axis, frequency)

    def frequency(self, channel: int) -> Doubles:
        return self._axis.frequency[channel : channel + 1]

    def contribution(self, channel: int) -> Contribution:
        """The data set in an image channel: a row for each visibility."""
        spectra = self.spectra
        rows, data = falling(self._map, channel, spectra.integration)
        frequency = self._frequency[spectra.integration[rows], data]
        values = spectra.data[:, rows, data]
        if spectra.delay is not None:
            values *= phasor(spectra.delay[rows], frequency)
        weight = spectra.weight[rows, data]
        uvw = spectra.uvw[rows] * (frequency / self.frequency(channel)[0])[:, np.newaxis]
        nearest = Nearest(rows, frequency, weight, channel_map(self._densities, frequency))
        return Contribution(uvw, values[..., np.newaxis], weight[:, np.newaxis], [nearest])

    def natural(self, channel: int) -> Iterator[tuple[Doubles, Doubles, Doubles | float, Floats]]:
        """u, v [m], frequencies [Hz] and natural weights of data that fall into a channel; FLAGGED in flagged rows."""
        spectra = self.spectra
        rows, data = falling(self._map, channel, spectra.integration)
        weight = np.where(spectra.flag_row[rows], FLAGGED, spectra.weight[rows, data] * spectra.ncorr)
        yield *spectra.turned[:, rows], self._frequency[spectra.integration[rows], data], weight

    def mixture(self, channel: int) -> Mixture:
        """From which data an image channel is made: a place for each row."""
        rows, data = falling(self._map, channel, self.spectra.integration)
        number, nothing = (data + self._first)[:, np.newaxis], np.zeros((len(rows), 1))
        stretch = self._frequency[self.spectra.integration[rows], data] / self.frequency(channel)[0]
        return Mixture(rows, np.arange(len(rows)), number, number, nothing, nothing > 0, stretch)

    def predicted(self, integrations: Ints, data: Ints) -> Predicted:
        """Which image channels predict data channels at some integrations, with shares: each the one it falls into."""
        read = data - self._first
        there = (read >= 0) & (read < self._map.shape[1])
        number = np.where(there, self._map[integrations[:, np.newaxis], np.where(there, read, 0)], -1)
        return [(np.maximum(number, 0), (number >= 0).astype(float))]

    def coupling(self, channel: int) -> dict[int, NDArray[Any]]:
        """A channel's data are predicted from that channel, where they are."""
        rows, _ = falling(self._map, channel, self.spectra.integration)
        return {channel: np.ones((len(rows), 1), np.float32)}


def falling(number: Ints, channel: int, integration: Ints) -> tuple[Ints, Ints]:
    """The rows and data channels that fall into an image channel.

    Parameters
    ----------
    number : ndarray of int64, shape (integration, chan)
        The image channel of each data channel at each integration, of `channel_map`.
    channel : int
    integration : ndarray of int64, shape (row,)
        Number of each row's integration.
    """
    own = number == channel
    found = [
        (rows, np.full(len(rows), data))
        for data in np.flatnonzero(own.any(axis=0))
        for rows in [np.flatnonzero(own[integration, data])]
    ]
    if not found:
        return np.empty(0, int), np.empty(0, int)
    return np.concatenate([rows for rows, _ in found]), np.concatenate([data for _, data in found])
