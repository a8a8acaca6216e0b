"""What models predict at the data's own rows and channels, about the data's own phase centre.

Rows and channels that are flagged, or that a gridder drops, are predicted like all others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.reading import Integrations, row_pieces
from ...data.selection import DataSet, Pointing
from ...spectral.axis import LinearRegridding, channel_map
from ...spectral.interpolation import Exact
from ..channels.block import Sampling, at_one_doppler, phasor
from ..channels.dataset_in_channel import falling
from ..channels.grouping import exact_frequencies, sample_counts
from ..channels.target_image import ImageOfData
from ..measurement import Measurement
from ..products.field_images import FieldImages
from .prediction import ModelPlanes, ModelVisibilities, predict_channel, predict_continuum

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Tracks:
    """Where rows of a data set are, seen from an image's centre.

    Attributes
    ----------
    uvw : ndarray of float64, shape (row, 3)
        Rotated to the image's centre [m].
    delay : ndarray of float64, shape (row,), or None
        By which visibilities are shifted to that centre [m]; None where they stay.
    integration : ndarray of int64, shape (row,)
        Number of each row's integration.
    doppler : ndarray of float64, shape (integration,)
        What frequencies are multiplied with to be in the image's frame.
    mean_doppler : float
        The mean Doppler factor of the data set.
    frequency : ndarray of float64, shape (chan,)
        As the data set has them [Hz].
    exact : Exact
        Frequencies in the image's frame where rounding matters.
    pointing : Pointing, optional
        In a mosaic: visibilities are about its direction.
    """

    uvw: Doubles
    delay: Doubles | None
    integration: Ints
    doppler: Doubles
    mean_doppler: float
    frequency: Doubles
    exact: Exact
    pointing: Pointing | None = None

    @classmethod
    def of(cls, image: ImageOfData, source: DataSet, integrations: Integrations, uvw: Doubles) -> Tracks:
        """The tracks of all rows of a data set, with uvw [row, 3] as the MeasurementSet has them."""
        rotated, delay = integrations.rotate(uvw)
        exact = exact_frequencies(image, source.frequency, integrations)
        doppler = integrations.doppler
        return cls(
            rotated,
            delay,
            integrations.number,
            doppler,
            float(doppler.mean()),
            source.frequency,
            exact,
            source.pointing,
        )

    def at(self, rows: slice | Ints) -> Tracks:
        """The tracks of some rows alone, their integrations numbered anew."""
        integrations, integration = np.unique(self.integration[rows], return_inverse=True)
        delay = None if self.delay is None else self.delay[rows]
        return dataclasses.replace(
            self,
            uvw=self.uvw[rows],
            delay=delay,
            integration=integration,
            doppler=self.doppler[integrations],
            exact=self.exact.at(integrations),
        )

    def unshift(self, values: ModelVisibilities, rows: slice | Ints, frequency: Doubles | float) -> None:
        """Shift visibilities [..., row, any] of some rows back to the data's phase centre, in place.

        Parameters
        ----------
        frequency : float or ndarray of float64, shape (row, any)
            In the image's frame [Hz].
        """
        if self.delay is not None:
            values *= phasor(-self.delay[rows, np.newaxis], frequency).astype(np.complex64)


class ModelAtData:
    """The model of one image field, as the data see it.

    Parameters
    ----------
    images : FieldImages
    image : ImageOfData
        All channels of a cube.
    measurement : Measurement
        Of the images.
    is_sky : bool
        See `ModelPlanes`.
    """

    def __init__(
        self, images: FieldImages, image: ImageOfData, measurement: Measurement, *, is_sky: bool = False
    ) -> None:
        self.image = image
        self._images, self._predict = images, measurement.predict
        self._planes = ModelPlanes(images, measurement.sky_plane, is_sky=is_sky)

    def at(self, tracks: Tracks) -> ModelVisibilities | None:
        """The model's visibilities, complex64 [npol, row, chan]; None where it is empty."""
        if not self._planes.exists:
            return None
        if self.image.axis is None:
            return self._continuum(tracks)
        counts = sample_counts(self.image, tracks.frequency, tracks.doppler, tracks.exact)
        total = np.zeros((self._images.shape[2], len(tracks.integration), len(tracks.frequency)), np.complex64)
        for count in np.unique(counts).tolist():
            own = (counts == count)[tracks.integration]
            add = self._add_interpolated if count else self._add_direct
            if own.all():
                add(total, tracks, count)
            else:
                part = total[:, own]
                add(part, tracks.at(np.flatnonzero(own)), count)
                total[:, own] = part
        return total

    def _continuum(self, tracks: Tracks) -> ModelVisibilities | None:
        self._planes.hold(range(1))
        doppler = tracks.doppler[tracks.integration]
        at = at_one_doppler(tracks.uvw, doppler, tracks.mean_doppler, tracks.frequency, tracks.pointing)
        found = predict_continuum(self._planes, self._predict, at)
        if found is not None:
            for rows in row_pieces(len(doppler), len(tracks.frequency)):
                tracks.unshift(found[:, rows], rows, np.multiply.outer(doppler[rows], tracks.frequency))
        return found

    def _add_interpolated(self, total: ModelVisibilities, tracks: Tracks, count: int) -> None:
        """Add what image channels predict at their own frequencies, interpolated to those of the data.

        Follows FTMachine::interpolateFrequencyFromgrid (CASA's TransformMachines2/FTMachine.cc).
        """
        assert self.image.axis is not None
        regridding = LinearRegridding(self.image.axis, tracks.frequency, tracks.doppler, count, tracks.exact)
        channels = np.broadcast_to(np.arange(len(tracks.frequency)), (len(tracks.doppler), len(tracks.frequency)))
        sources = regridding.prediction(channels)
        lowest, highest = sources[0][0].min(axis=0), sources[1][0].max(axis=0)
        for channel in self._held_channels():
            reached = np.flatnonzero((lowest <= channel) & (highest >= channel))
            if not len(reached):
                continue
            frequency = self.image.axis.frequency[channel : channel + 1]
            at = Sampling(tracks.uvw, frequency, pointing=tracks.pointing)
            found = predict_channel(self._planes, self._predict, channel, at)
            if found is not None:
                tracks.unshift(found, slice(None), frequency)
                own = slice(int(reached[0]), int(reached[-1]) + 1)
                for number, share in sources:
                    part = np.where(number[:, own] == channel, share[:, own], 0).astype(np.float32)
                    total[:, :, own] += found * part[tracks.integration]

    def _add_direct(self, total: ModelVisibilities, tracks: Tracks, _: int) -> None:
        """Add to each data channel what the image channel predicts into which it falls."""
        assert self.image.axis is not None
        all_frequencies = tracks.exact.at_all(tracks.frequency, tracks.doppler)
        number = channel_map(self.image.axis, all_frequencies)
        for channel in self._held_channels():
            rows, data = falling(number, channel, tracks.integration)
            if not len(rows):
                continue
            mean_doppler = self.image.axis.frequency[channel : channel + 1]
            own = all_frequencies[tracks.integration[rows], data]
            uvw = tracks.uvw[rows] * (own / mean_doppler)[:, np.newaxis]
            at = Sampling(uvw, mean_doppler, pointing=tracks.pointing)
            found = predict_channel(self._planes, self._predict, channel, at)
            if found is not None:
                tracks.unshift(found, rows, own[:, np.newaxis])
                total[:, rows, data] += found[..., 0]

    def _held_channels(self) -> Iterator[int]:
        """A cube's channels one by one, their models in memory."""
        for group in self._images.channel_groups:
            self._planes.hold(group)
            yield from group
