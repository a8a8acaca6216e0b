"""What the models of all image fields predict at the visibilities of one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.block import Sampling, phasor
from ..products.field_images import FieldImages
from ..sky_plane import SkyPlane

ModelVisibilities = NDArray[np.complex64]
Predict = Callable[..., NDArray[np.complex64]]  # Measurement.predict
KEPT = 16  # planes that are kept as predictions take them
REACH = 2  # channels beyond those that are worked on whose models are held, too: most reach no further


def taylor_weights(frequency: NDArray[np.float64], reference: float, term: int) -> NDArray[np.float64]:
    """((nu - nu0) / nu0)^term for each channel (MultiTermFTNew::modifyVisWeights)."""
    return ((frequency - reference) / reference) ** term


class ModelPlanes:
    """Planes of one field's model; threads share them.

    Parameters
    ----------
    images : FieldImages
    sky_plane : callable
        What makes of pixels [y, x] what is predicted from.
    is_sky : bool
        Whether the models of a mosaic are the sky's brightness already; those of a cube are what the sky would be in
        its image, those of continuum images CASA divides by the weights before it asks for predictions.
    """

    def __init__(
        self, images: FieldImages, sky_plane: Callable[[NDArray[Any]], SkyPlane], *, is_sky: bool = False
    ) -> None:
        self.images, self._sky_plane = images, sky_plane
        self._divides = images.is_mosaic and images.is_cube and not is_sky
        self._kept = lru_cache(KEPT)(self._make)
        self._held, self._planes = range(0), [[[np.zeros(0, np.float32)]]]
        self.exists = all(images.exists("model", term) for term in range(images.model_terms))

    def hold(self, channels: range) -> None:
        """Have some channels and their neighbours in memory, in place of those that were there."""
        if not self.exists:
            return
        found = [self.images.image("model", term) for term in range(self.images.model_terms)]
        nchan = self.images.shape[3]
        is_whole = all(image.keeps for image in found)
        self._held = (
            range(nchan) if is_whole else range(max(0, channels.start - REACH), min(nchan, channels.stop + REACH))
        )
        self._planes = [image.channels(self._held) for image in found]
        self._kept.cache_clear()

    def plane(self, channel: int, pol: int, term: int = 0) -> SkyPlane | None:
        """One plane, as predictions take it; None where the model is empty, or the channel isn't there."""
        if not self.exists or not 0 <= channel < self.images.shape[3]:
            return None
        return self._kept(channel, pol, term)

    def _make(self, channel: int, pol: int, term: int) -> SkyPlane | None:
        if channel in self._held:
            plane = self._planes[term][channel - self._held.start][pol]
        else:
            plane = self.images.image("model", term).plane(channel, pol)
        if not plane.any():
            return None
        return self._sky_plane(self.images.sky(plane, channel, pol) if self._divides else plane)


def predict_continuum(
    planes: ModelPlanes, predict: Predict, at: Sampling, wanted: NDArray[np.bool_] | None = None
) -> ModelVisibilities | None:
    """A continuum model at places about the same centre, complex64 [npol, row, chan]; None where it is empty.

    It is zero where it isn't `wanted` [row, chan].
    """
    images, found = planes.images, None
    for term in range(images.model_terms):
        part = predict_channel(planes, predict, 0, at, wanted, term)
        if part is not None:
            part *= taylor_weights(at.freq, images.coordinates.reference_frequency, term).astype(np.float32)
            found = part if found is None else found + part
    return found


def predict_channel(
    planes: ModelPlanes,
    predict: Predict,
    channel: int,
    at: Sampling,
    wanted: NDArray[np.bool_] | None = None,
    term: int = 0,
) -> ModelVisibilities | None:
    """One channel of one Taylor term, as `predict_continuum` gives it."""
    found = None
    for pol in range(planes.images.shape[2]):
        plane = planes.plane(channel, pol, term)
        if plane is not None:
            if found is None:
                found = np.zeros((planes.images.shape[2], len(at.uvw), len(at.freq)), np.complex64)
            found[pol] = predict(at, plane, wanted)
    return found


class CubeModel:
    """A cube's model at visibilities of one group; what channels predict is kept while it is wanted.

    Parameters
    ----------
    planes : ModelPlanes
    predict : callable
        (Sampling, SkyPlane, wanted [row, chan]) -> visibilities [row, chan].
    frequency : ndarray of float64, shape (chan,)
        Of the whole cube's channels [Hz].
    first : int
        The channel of the cube that is the first of `planes`; channels beyond these predict nothing.
    """

    def __init__(self, planes: ModelPlanes, predict: Predict, frequency: NDArray[np.float64], first: int = 0) -> None:
        self._planes, self._predict, self._frequency, self._first = planes, predict, frequency, first
        self._kept: dict[int, ModelVisibilities | None] = {}

    def at(self, block: Sampling, shares: Mapping[int, NDArray[Any]]) -> ModelVisibilities | None:
        """The model at a channel's block, complex64 [npol, row, sample]; None where it is empty.

        Parameters
        ----------
        block : Sampling
            Channels must be asked for in rising order.
        shares : mapping
            Number of an image channel -> share of its prediction, [row, sample].
        """
        for number in [number for number in self._kept if number < min(shares, default=0)]:
            del self._kept[number]
        found = None
        for number, share in shares.items():
            if number not in self._kept:
                self._kept[number] = self._of_channel(number, block)
            kept = self._kept[number]
            if kept is not None:
                found = kept * share if found is None else found + kept * share
        return found

    def _of_channel(self, channel: int, block: Sampling) -> ModelVisibilities | None:
        """What an image channel's model predicts at its own frequency, [npol, row, 1]."""
        at = Sampling(block.uvw, self._frequency[channel : channel + 1], pointing=block.pointing)
        return predict_channel(self._planes, self._predict, channel - self._first, at)


def offset(seen: FieldImages, of: FieldImages) -> NDArray[np.float64]:
    """Where the centre of a field lies from another's: uvw of the other times it is the delay between them [m].

    Returns
    -------
    ndarray of float64, shape (3,)
        l, m and n - 1.
    """
    pole, direction = _cosines(of), _cosines(seen)
    lon, lat = np.arctan2(pole[1], pole[0]), np.arcsin(pole[2])
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    return np.array([direction @ east, direction @ north, direction @ pole - 1])


def _cosines(images: FieldImages) -> NDArray[np.float64]:
    lon, lat = images.coordinates.reference_direction
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def recentred(model: ModelVisibilities, block: Sampling, delay: NDArray[np.float64]) -> ModelVisibilities:
    """Visibilities about another centre, whose `offset` from the block's is `delay`, seen about the block's."""
    return model * phasor(-(block.uvw @ delay)[:, np.newaxis], block.freq).astype(np.complex64)
