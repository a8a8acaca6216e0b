"""How the channels of the data meet those of a cube: CASA's interpolation, in tables over integrations.

Follows FTMachine::matchChannel, interpolateFrequencyTogrid, getInterpolateArrays and interpolateFrequencyFromgrid
(CASA's TransformMachines2/FTMachine.cc) and casacore's InterpolateArray1D. Channels of data have frequencies
`frequency[chan] * doppler[integration]` in the frame of the cube's axis: one Doppler factor for each integration.
Arrays only, no CASA.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .interpolation import SAME, Brackets, Exact, bracket

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

LIGHT_SPEED = 299792458.0  # [m/s]
ROUNDED = 1e-15  # relative error of a frequency by rounding
CHUNK = 1 << 20  # frequencies that are looked at at once
FAR, NEAR = 2.0, 0.5  # widths of a data channel: how far outside, and inside, an image's ends channels count as near


@dataclass(frozen=True)
class OwnFrame:
    """A linear axis as its coordinate system has it, by which CASA says which channel a frequency falls into.

    Attributes
    ----------
    factors : tuple of float
        What a frequency is multiplied with, one by one, to be in the axis's frame.
    crval, cdelt, crpix : float
        As in FITS, but channels are counted from 0.
    """

    factors: tuple[float, ...]
    crval: float
    cdelt: float
    crpix: float

    def pixel(self, frequency: Doubles) -> Doubles:
        """Where frequencies fall, in channels, rounded as by SpectralCoordinate::toPixel (casacore)."""
        return (multiplied(frequency, self.factors) - self.crval) / self.cdelt + self.crpix


@dataclass(frozen=True)
class SpectralAxis:
    """Channels of a cube.

    Attributes
    ----------
    frequency : ndarray of float64, shape (chan,)
        Centres [Hz], in the frame in which data are gridded, evenly spaced or nearly so.
    width : float
        Distance of the first two with its sign [Hz], also where there is one channel.
    own : OwnFrame, optional
        Where the last bits matter; by default a frame as that of the data.
    """

    frequency: Doubles
    width: float
    own: OwnFrame | None = None

    @property
    def nchan(self) -> int:
        return len(self.frequency)

    @functools.cached_property
    def is_even(self) -> bool:
        """Whether all channels are as far from the next; those of optical velocities are not."""
        return np.allclose(np.diff(self.frequency), self.width, rtol=1e-7, atol=0)

    def pixel(self, frequency: Doubles) -> Doubles:
        """Where frequencies fall, in channels from the first; beyond the ends by the width there."""
        if self.own is not None:
            return self.own.pixel(frequency)
        linear = (frequency - self.frequency[0]) / self.width
        if self.is_even:
            return linear
        sign = np.sign(self.width)
        inner = np.interp(sign * frequency, sign * self.frequency, np.arange(self.nchan))
        last = self.frequency[-1] - self.frequency[-2]
        above = self.nchan - 1 + (frequency - self.frequency[-1]) / last
        return np.where(inner <= 0, np.minimum(linear, 0), np.where(inner >= self.nchan - 1, above, inner))


def samples_per_channel(axis: SpectralAxis, frequency: Doubles, doppler: Doubles, exact: Exact | None = None) -> Ints:
    """In how many places each image channel is sampled, for each integration; 0 where CASA does not interpolate.

    Image channels wider than the data's are sampled as often as the data's fit in.
    """
    if axis.nchan < 2 or len(frequency) < 2:
        return np.zeros(len(doppler), int)
    return np.maximum(1, np.floor(_relative_width(axis, frequency, doppler, exact)).astype(int))


def lattices(axis: SpectralAxis, frequency: Doubles, doppler: Doubles, samples: Ints) -> Ints:
    """Which of CASA's lists an uneven axis is sampled at, for each integration: -1 where at its channels themselves.

    The places in the list of one integration are the same in all channels of an even axis alone.
    """
    lists = np.full(len(doppler), -1)
    if axis.is_even or not samples.any():
        return lists
    is_wider = _relative_width(axis, frequency, doppler, None) > 1
    for count in np.unique(samples[is_wider]):
        own = np.flatnonzero((samples == count) & is_wider)
        begin = LinearRegridding(axis, frequency, doppler[own], int(count), listed=True).begin
        lists[own] = np.unique(begin, return_inverse=True)[1]
    return lists


def _relative_width(axis: SpectralAxis, frequency: Doubles, doppler: Doubles, exact: Exact | None) -> Doubles:
    """How many channels of the data are as wide as one of the image, for each integration."""
    data = frequency[1] * doppler - frequency[0] * doppler
    if exact is not None:
        data = exact.put(data, exact.frequency[:, 1] - exact.frequency[:, 0])
    return abs(axis.width) / np.abs(data)


def meetings(axis: SpectralAxis, frequency: Doubles, doppler: Doubles) -> Ints:
    """Integrations where data channels are at places or ends of image channels, or are as wide, but for rounding.

    Parameters
    ----------
    axis : SpectralAxis
    frequency : ndarray of float64, shape (chan,)
    doppler : ndarray of float64, shape (integration,)
    """
    dopplers, number = np.unique(doppler, return_inverse=True)
    width = _relative_width(axis, frequency, dopplers, None) if len(frequency) > 1 else np.ones(len(dopplers))
    found = np.abs(width - np.rint(width)) < ROUNDED * np.abs(frequency).max() / abs(axis.width) * width**2
    parts = 2 * np.maximum(1, np.floor(width))[:, np.newaxis]  # between places as well, where channels end
    step = max(1, CHUNK // len(frequency))
    for first in range(0, len(dopplers), step):
        some = slice(first, first + step)
        data = np.multiply.outer(dopplers[some], frequency)
        nearest = np.clip(np.rint(axis.pixel(data)).astype(int), 0, axis.nchan - 1)
        place = (data - axis.frequency[nearest]) / axis.width * parts[some]
        distance = np.abs(place - np.rint(place)) * abs(axis.width) / parts[some]
        found[some] |= (distance < SAME * data).any(axis=1)
    return np.flatnonzero(found[number])


def telling(doppler: Doubles, exact: Exact) -> Ints:
    """Integrations that tell what is reached at any: of the least, largest and middle Doppler factors, exact ones."""
    order = np.argsort(doppler)
    return np.unique([*order[[0, len(order) // 2, -1]], *exact.one_of_each])


class LinearRegridding:
    """Linear interpolation from data to a cube's channels and back, for data with one spectral window.

    Parameters
    ----------
    axis : SpectralAxis
        The whole cube's.
    frequency : ndarray of float64, shape (chan,)
        Of the selected channels [Hz].
    doppler : ndarray of float64, shape (integration,)
    samples : int
        In how many places each image channel is sampled.
    exact : Exact, optional
        Frequencies where rounding matters.
    listed : bool
        Whether the axis is uneven and sampled at the places of a list, one for all these integrations (`lattices`).
    """

    def __init__(
        self,
        axis: SpectralAxis,
        frequency: Doubles,
        doppler: Doubles,
        samples: int,
        exact: Exact | None = None,
        *,
        listed: bool = False,
    ) -> None:
        self.axis, self.frequency, self.doppler, self.samples = axis, frequency, doppler, samples
        self._exact = exact or Exact.nowhere(len(doppler))
        self._step = float(np.copysign(axis.width / samples, frequency[1] - frequency[0]))
        self.begin, self._count = self._list()
        self._is_listed = listed
        self._lists = self._exact_lists()
        self._seen = self._channels_seen()

    @property
    def list_begin(self) -> float:
        """Where the list of places begins [Hz]; 0 on an even axis, whose places are those of its channels."""
        return float(self.begin[0]) if self._is_listed else 0.0

    def sampled(self, channel: int) -> Doubles:
        """Frequencies at which an image channel is sampled [Hz], shape (sample,)."""
        centre, half = self.axis.frequency[channel], abs(self.axis.width) / 2
        if not self._is_listed:
            offsets = (np.arange(self.samples) + 0.5) / self.samples - 0.5
            return centre + offsets * self.axis.width
        nearest = int(np.rint((centre - self.begin[0]) / self._step))
        listed = self.begin[0] + self._step * (nearest + np.arange(-self.samples, self.samples + 1))
        own = (listed >= centre - half) & (listed < centre + half)
        for later in self.axis.frequency[channel + 1 : channel + 2]:  # of two channels that overlap it has the place
            own &= (listed < later - half) | (listed >= later + half)
        return listed[own]

    def brackets(self, channel: int) -> Brackets:
        """The data channels around each sample of an image channel, (integration, sample)."""
        places = self.sampled(channel)
        found = bracket(self.frequency, places[np.newaxis] / self.doppler[:, np.newaxis])
        found = self._exact.settle(found, self._exact_places(places))
        if self.samples < 2 and not self._is_listed:
            return found
        number = (places - self.begin[:, np.newaxis]) / self._step
        listed = (number >= -0.25) & (number <= self._count[:, np.newaxis] - 0.75)
        return Brackets(found.low, found.high, found.fraction, found.outside | ~listed)

    def reached(self) -> Ints:
        """Image channels that get data at some time of those here."""
        return np.array([i for i in range(self.axis.nchan) if not self.brackets(i).outside.all()], int)

    def coupling(self, channel: int) -> dict[int, Doubles]:
        """How much of each image channel's prediction is in the prediction interpolated to one of them.

        Predictions go from image channels to the data's, and are interpolated to image channels like the data.

        Returns
        -------
        dict
            Number of an image channel -> ndarray of float64, shape (integration, sample).
        """
        found = self.brackets(channel)
        total: dict[int, Doubles] = {}
        for data, share in ((found.low, 1 - found.fraction), (found.high, found.fraction)):
            for source, part in self.prediction(data):
                for number in np.unique(source):
                    piece = np.where(source == number, share * part, 0) * ~found.outside
                    if piece.any():
                        total[int(number)] = total.get(int(number), 0) + piece
        return total

    def prediction(self, channel: Ints, integrations: Ints | slice = slice(None)) -> list[tuple[Ints, Doubles]]:
        """The two image channels from which data channels [integration, any] are predicted, and their shares, likewise.

        `integrations` are the numbers of those wanted, where it isn't all.
        """
        step = self.axis.width / self.samples
        first = self.axis.frequency[0] - (self.axis.width - step) / 2
        frequency = self.data_frequency(channel, integrations)
        place = (frequency - first) / step if self.samples > 1 else self.axis.pixel(frequency)
        low = np.clip(np.ceil(place - 1e-9).astype(int) - 1, 0, self.samples * self.axis.nchan - 2)
        fraction = place - low
        lowest, highest = (number[integrations] for number in self._seen)
        number = channel_map(self.axis, frequency)
        mapped = (number >= 0) | self._is_near(frequency, integrations)
        found = []
        for number, share in ((low // self.samples, 1 - fraction), ((low + 1) // self.samples, fraction)):
            seen = (number >= lowest[:, np.newaxis]) & (number <= highest[:, np.newaxis]) & mapped
            found.append((number, share * seen))
        return found

    def data_frequency(self, channel: Ints, integrations: Ints | slice = slice(None)) -> Doubles:
        """Frequencies of data channels [integration, any] in the frame of the axis [Hz].

        `integrations` are as in `prediction`.
        """
        return self._exact.at_own(
            self.frequency[channel] * self.doppler[integrations, np.newaxis], channel, integrations
        )

    def _list(self) -> tuple[Doubles, Ints]:
        """Where CASA's list of places begins that are sampled in image channels wider than the data's, and its length.

        For each integration. The list goes on in steps, as the data's channels do.
        """
        ends = np.multiply.outer(self.doppler, self.frequency[[0, -1]])
        ends = self._exact.put(ends, self._exact.frequency[:, [0, -1]])
        image = self.axis.frequency
        rising = len(image) < 2 or image[1] > image[0]
        ordered = image if rising else image[::-1]
        low, high = ordered[0], ordered[-1]
        data_low, data_high = ends.min(axis=1), ends.max(axis=1)
        side: Literal["left", "right"] = "left" if rising else "right"
        before = 0 if rising else -1
        at_low = np.clip(np.searchsorted(ordered, data_low, side) + before, 0, len(ordered) - 1)
        at_high = np.clip(np.searchsorted(ordered, data_high, side) + before, 0, len(ordered) - 1)
        first = np.where(low < data_low, ordered[at_low], low)
        last = np.where(high > data_high, ordered[at_high], high)
        width, step = abs(self.axis.width), abs(self._step)
        count = np.ceil((last - first + width) / step).astype(int) + 2
        edge = np.copysign(width / 2 - step / 2, self._step)
        return np.where(self._step > 0, first, last) - self._step - edge, count

    def _exact_lists(self) -> Doubles:
        """CASA's lists at integrations where rounding matters, shape (kind, place): sums of their steps."""
        integrations = self._exact.one_of_each
        steps = np.full((len(integrations), int(self._count[integrations].max(initial=1))), self._step)
        steps[:, 0] = self.begin[integrations]
        return np.cumsum(steps, axis=1)

    def _exact_places(self, places: Doubles) -> Doubles:
        """Places in an image channel as CASA rounds them, shape (kind, sample)."""
        kinds = np.arange(len(self._lists))[:, np.newaxis]
        number = np.rint((places - self._lists[:, :1]) / self._step).astype(int)
        listed = self._lists[kinds, np.clip(number, 0, self._lists.shape[1] - 1)]
        data = np.abs(self._exact.frequency[:, 1] - self._exact.frequency[:, 0])[:, np.newaxis]
        return np.where(abs(self.axis.width) > data, listed, places)

    def _channels_seen(self) -> tuple[Ints, Ints]:
        """The lowest and the highest image channel that are predicted, for each integration.

        They depend on the data channels around the image's ends, and on those at the ends of the data.
        """
        image, half = self.axis.frequency, self.axis.width / 2
        ends = np.array([image[0] - half, image[0], image[-1] + half, image[-1] + 2 * half])
        around = bracket(self.frequency, ends / self.doppler[:, np.newaxis]).low[..., np.newaxis] + np.arange(-3, 5)
        last = len(self.frequency) - 1
        channel = np.clip(
            np.append(around.reshape(len(self.doppler), -1), [[0, last]] * len(self.doppler), axis=1), 0, last
        )
        frequency = self.data_frequency(channel)
        number = channel_map(self.axis, frequency)
        inside = number >= 0
        near = ~inside & self._is_near(frequency)
        lowest = np.where(inside, number, self.axis.nchan).min(axis=1)
        highest = np.where(inside, number, -1).max(axis=1)
        lowest[near.any(axis=1) | (lowest == highest)] = 0
        return lowest, highest

    def _is_near(self, frequency: Doubles, integrations: Ints | slice = slice(None)) -> NDArray[np.bool_]:
        """Whether data outside the image are within reach of interpolation, as matchChannel sees it."""
        width = np.abs(self.frequency[1] - self.frequency[0]) * self.doppler[integrations, np.newaxis]
        beyond = self.axis.frequency[-1] + (self.axis.frequency[-1] - self.axis.frequency[-2])
        low, high = sorted((float(self.axis.frequency[0]), float(beyond)))
        above = (frequency < high + FAR * width) & (frequency > high - NEAR * width)
        below = (frequency < low + NEAR * width) & (frequency > low - FAR * width)
        return above | below


def multiplied(frequency: Doubles, factors: Sequence[float]) -> Doubles:
    """Frequencies in another frame, rounded after each factor, as MCFrequency::doConvert does it."""
    for factor in factors:
        frequency = frequency * factor
    return frequency


def channel_map(axis: SpectralAxis, frequency: Doubles) -> Ints:
    """The image channel that each frequency falls into, -1 where it is outside."""
    number = np.floor(axis.pixel(frequency) + 0.5).astype(int)
    return np.where((number >= 0) & (number < axis.nchan), number, -1)
