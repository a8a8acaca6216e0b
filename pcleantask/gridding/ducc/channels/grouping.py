"""Which data a cube is made of, and how: which channels are read, which data sets go together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...data.reading import Integrations, Spectra
from ...data.selection import DataSet
from ...spectral.axis import (
    LinearRegridding,
    SpectralAxis,
    channel_map,
    lattices,
    meetings,
    samples_per_channel,
    telling,
)
from ...spectral.interpolation import Exact
from .channel_group import ChannelWeights, CubeGroup, Member
from .dataset_in_channel import Direct, Interpolated
from .target_image import ImageOfData

Doubles = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Places:
    """Where an axis is sampled: in `samples` places a channel, 0 where data are gridded as they are.

    `number` is that of CASA's list of places (`lattices`), -1 where they are about the centres of channels.
    """

    samples: int = 0
    number: int = -1


@dataclasses.dataclass(frozen=True)
class CubePlaces:
    """Where a cube's axis and that of densities are sampled: the width of a channel is the same but for rounding."""

    image: Places = Places()
    densities: Places = Places()


@dataclasses.dataclass(frozen=True)
class Channels:
    """How a data set's channels meet a cube's; all of them are in `frequency`, those from `first` on were read."""

    frequency: NDArray[np.float64]
    first: int
    sampling: CubePlaces
    exact: Exact


def exact_frequencies(image: ImageOfData, frequency: Doubles, integrations: Integrations) -> Exact:
    """The data channels' frequencies at integrations where their last bits matter."""
    if image.axis is None:
        return Exact.nowhere(len(integrations.doppler))
    return integrations.exact(frequency, meetings(image.densities, frequency, integrations.doppler))


def sample_counts(image: ImageOfData, frequency: Doubles, doppler: Doubles, exact: Exact) -> NDArray[np.int64]:
    """In how many places a cube's channels are sampled at each integration; 0 where data are gridded as they are."""
    assert image.axis is not None
    if image.interpolation == "nearest":
        return np.zeros(len(doppler), int)
    return samples_per_channel(image.axis, frequency, doppler, exact)


def samplings(
    image: ImageOfData, frequency: Doubles, doppler: Doubles, exact: Exact
) -> tuple[list[CubePlaces], NDArray[np.int64]]:
    """How a cube's channels are sampled: the ways, and the number of that of each integration."""
    assert image.axis is not None
    samples = sample_counts(image, frequency, doppler, exact)
    columns = [samples, lattices(image.axis, frequency, doppler, samples)]
    if image.scheme.by_channel and image.interpolation != "nearest" and image.pads_densities:
        samples = samples_per_channel(image.densities, frequency, doppler, exact)
        columns += [samples, lattices(image.densities, frequency, doppler, samples)]
    else:
        columns += columns
    ways, number = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return [CubePlaces(Places(*way[:2]), Places(*way[2:])) for way in ways.tolist()], number.ravel()


def has_data_around(image: ImageOfData, source: DataSet, integrations: Integrations) -> bool:
    """Whether a single image channel is between channels of a spectral window at some time."""
    assert image.axis is not None
    ends, doppler, centre = np.array(source.ends), integrations.doppler, image.axis.frequency[0]
    frequency = integrations.exact(ends, meetings(image.axis, ends, doppler)).at_all(ends, doppler)
    return bool(((frequency[:, 0] < centre) & (frequency[:, 1] > centre)).any())


def needed_channels(
    image: ImageOfData, frequency: Doubles, doppler: Doubles, sampling: CubePlaces, exact: Exact
) -> NDArray[np.int64]:
    """The data channels from which a part of a cube is made."""
    if image.scheme.needs_density and not image.scheme.by_channel:
        return np.arange(len(frequency))
    axis = image.densities
    spacing = float(np.abs(np.diff(frequency)).max()) if len(frequency) > 1 else 0.0
    margin = 1 + int(np.ceil(spacing / abs(axis.width)))
    first = max(0, image.channels.start + image.pad - margin)
    last = min(axis.nchan, image.channels.stop + image.pad + margin)
    needed = np.zeros(len(frequency), bool)
    integrations = telling(doppler, exact)
    if len(frequency) > 1:
        assert image.axis is not None
        interpolated = [(axis, sampling.densities, 0), (image.axis, sampling.image, image.pad)]
        for own, places, pad in interpolated[: 2 if sampling.image.samples else 1]:
            regridding = _regridding(own, frequency, doppler[integrations], places, exact.at(integrations))
            for channel in range(max(0, first - pad), min(own.nchan, last - pad)):
                found = regridding.brackets(channel)
                needed[found.low[~found.outside]] = True
                needed[found.high[~found.outside]] = True
    number = channel_map(axis, exact.at(integrations).at_all(frequency, doppler[integrations]))
    needed |= ((number >= first) & (number < last)).any(axis=0)
    there = np.flatnonzero(needed)
    return np.arange(there[0], there[-1] + 1) if len(there) else there


def _regridding(
    axis: SpectralAxis, frequency: Doubles, doppler: Doubles, places: Places, exact: Exact
) -> LinearRegridding:
    return LinearRegridding(axis, frequency, doppler, max(1, places.samples), exact, listed=places.number >= 0)


def cube_groups(image: ImageOfData, data: Sequence[tuple[Spectra, Channels]]) -> list[tuple[range, CubeGroup]]:
    """Data sets that go together, with the image channels that they reach."""
    assert image.axis is not None
    weights = None
    if image.scheme.by_channel:
        sources = [_density_source(image, spectra, channels) for spectra, channels in data]
        weights = ChannelWeights(image.scheme, image.grid, sources, by_field=image.weighs_fields)
    members = [(_reach(image, *entry), _member(image, *entry)) for entry in data]
    members = sorted((entry for entry in members if len(entry[0])), key=lambda entry: (_kind(entry[1]), entry[0].start))
    found: list[tuple[range, list[Member]]] = []
    for reach, member in members:
        if found and _kind(found[-1][1][-1]) == _kind(member) and found[-1][0].stop > reach.start:
            before, own = found[-1]
            found[-1] = (range(before.start, max(before.stop, reach.stop)), [*own, member])
        else:
            found.append((reach, [member]))
    return [(reach, CubeGroup(group, image.extent, weights)) for reach, group in found]


def _kind(member: Member) -> tuple[object, ...]:
    """What data that are gridded together have in common."""
    pointing = member.spectra.source.pointing
    return member.places, () if pointing is None else dataclasses.astuple(pointing)


def _member(image: ImageOfData, spectra: Spectra, channels: Channels) -> Member:
    assert image.axis is not None
    places = channels.sampling.image
    if places.samples == 0:
        return _direct(spectra, channels, image.axis, image.densities)
    regridding = _regridding(image.axis, channels.frequency, spectra.doppler, places, channels.exact)
    return Interpolated(spectra, channels.first, regridding, image.densities)


def _direct(spectra: Spectra, channels: Channels, axis: SpectralAxis, densities: SpectralAxis) -> Direct:
    own = slice(channels.first, channels.first + len(spectra.source.frequency))
    frequency = channels.exact.of_channels(own).at_all(spectra.source.frequency, spectra.doppler)
    return Direct(spectra, channels.first, frequency, axis, densities)


def _density_source(image: ImageOfData, spectra: Spectra, channels: Channels) -> Member:
    """The data set as it counts for densities: on an axis with more channels, which may be interpolated to."""
    axis, places = image.densities, channels.sampling.densities
    if places.samples == 0:
        return _direct(spectra, channels, axis, axis)
    regridding = _regridding(axis, channels.frequency, spectra.doppler, places, channels.exact)
    return Interpolated(spectra, channels.first, regridding, axis)


def _reach(image: ImageOfData, spectra: Spectra, channels: Channels) -> range:
    """The image channels here that a data set has something for."""
    assert image.axis is not None
    integrations = telling(spectra.doppler, channels.exact)
    doppler, exact = spectra.doppler[integrations], channels.exact.at(integrations)
    if channels.sampling.image.samples == 0:
        number = channel_map(image.axis, exact.at_all(channels.frequency, doppler))
        found = np.unique(number[number >= 0])
    else:
        found = _regridding(image.axis, channels.frequency, doppler, channels.sampling.image, exact).reached()
    found = found[(found >= image.channels.start) & (found < image.channels.stop)]
    return range(int(found[0]), int(found[-1]) + 1) if len(found) else range(0)
