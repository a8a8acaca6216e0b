"""Passes over the visibilities: PSFs and residuals of all image fields, plane by plane onto the disk."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...images.pixels import ACCESS_BYTES
from ..data.memory import WORKING_VALUES
from .channels.block import Block, Sampling
from .channels.visibilities import Visibilities
from .measurement import Measurement
from .model.prediction import CubeModel, ModelPlanes, offset, predict_continuum, recentred, taylor_weights
from .products.field_images import FieldImages

Doubles = NDArray[np.float64]

OVERSAMPLING = 2 * 2.0**2  # of ducc0's grids of complex numbers, at most about


def nothing() -> None:
    """What is done meanwhile where there is nothing to do."""


@dataclass(frozen=True)
class GriddedField:
    """An image field: its images, its visibilities, and the measurement operator between the two.

    Attributes
    ----------
    first : int
        The channel of the visibilities that is the images' first.
    nthreads : int
        How many channels are worked on at the same time.
    guards : set of int
        Channels of the images whose residual stays zero.
    at_once : int
        How many visibilities of a continuum image are worked on at the same time; as many for all fields of a run.
    """

    images: FieldImages
    visibilities: Visibilities
    measurement: Measurement
    first: int = 0
    nthreads: int = 1
    guards: frozenset[int] = frozenset()
    at_once: int = WORKING_VALUES[1]

    def blocks(self, channel: int) -> Iterator[Block]:
        """The visibilities of an image channel."""
        if self.visibilities.axis is None:
            yield from self.visibilities.blocks(self.at_once)
        else:
            yield from self.visibilities.channel(channel + self.first)

    def working_memory(self) -> float:
        """Bytes that a pass takes, beside the visibilities: planes, their way to the disk, and ducc0's grids."""
        nx, ny, npol, _ = self.images.shape
        group = max(map(len, self.images.channel_groups))
        kinds = 1 + self.images.is_mosaic  # the PSF, and the weight of a mosaic
        planes = 4 * npol * group * self.images.psf_terms * kinds + ACCESS_BYTES * npol * group
        return nx * ny * (planes + 4 * OVERSAMPLING * self.nthreads) + self.measurement.kept_bytes

    def share_out(
        self, channels: range, work: Callable[[int, range], None], meanwhile: Callable[[], None] = nothing
    ) -> None:
        """Call `work` in each thread with the thread's number and its share of the channels, which are neighbours.

        This thread calls `meanwhile`.
        """
        bounds = [channels.start + len(channels) * number // self.nthreads for number in range(self.nthreads + 1)]
        shares = [range(*ends) for ends in itertools.pairwise(bounds)]
        if self.nthreads == 1:
            meanwhile()
            work(0, shares[0])
            return
        with ThreadPoolExecutor(self.nthreads) as pool:
            done = pool.map(work, range(self.nthreads), shares)
            meanwhile()
            list(done)


def make_psf(field: GriddedField, meanwhile: Callable[[], None] = nothing) -> None:
    """Write .psf, without beams, .sumwt and, of a mosaic, .weight; this thread calls `meanwhile` while others grid."""
    images = field.images
    kinds = ["psf", "sumwt"] + ["weight"] * images.is_mosaic
    for kind in kinds:
        images.make(kind)
    for channels in images.channel_groups:
        made: dict[str, Any] = {
            kind: [images.planes(len(channels), kind) for _ in range(images.psf_terms)] for kind in kinds
        }

        def work(_: int, share: range, group: range = channels, made: dict[str, Any] = made) -> None:
            for channel in share:
                for kind, planes in _psf(field, channel).items():
                    for term, plane in enumerate(planes):
                        made[kind][term][channel - group.start] = plane

        field.share_out(channels, work, meanwhile if channels.start == 0 else nothing)
        for kind, terms in made.items():
            for term, planes in enumerate(terms):
                images.put(kind, planes, channels.start, term)


def _psf(field: GriddedField, channel: int) -> dict[str, NDArray[Any]]:
    """The products of a channel that are the weights' alone, for each Taylor term: 'psf', 'sumwt' and 'weight'."""
    images, factor = field.images, field.visibilities.ncorr
    planes = field.measurement.blank(images.psf_terms)
    squares = field.measurement.blank(images.psf_terms if images.is_mosaic else 0)
    sums = np.zeros((images.psf_terms, 1, 1))
    for block in field.blocks(channel):
        weights = [_tapered(block.psf_weight, block, images, term) for term in range(images.psf_terms)]
        field.measurement.add_psf(planes, block, weights)
        if field.measurement.sees(block):
            sums[:, 0, 0] += [weight.sum(dtype=float) for weight in weights]
        if images.is_mosaic:
            field.measurement.add_squared_beam(squares, block, weights)
    planes = field.measurement.finished(planes)
    found = {"psf": planes * np.float32(factor), "sumwt": sums * factor}
    if images.is_cube:
        peak = planes[0].max()
        found["psf"] = planes / peak if peak > 0 else planes
    if images.is_mosaic:
        squares = field.measurement.finished(squares)
        found["weight"] = squares / np.float32(sums[0, 0, 0] or 1) if images.is_cube else squares * np.float32(factor)
    return found


def _tapered(weight: NDArray[np.float32], block: Block, images: FieldImages, term: int) -> NDArray[np.float32]:
    """Weights of a Taylor term."""
    if term == 0:
        return weight
    return weight * taylor_weights(block.freq, images.coordinates.reference_frequency, term).astype(np.float32)


def make_residuals(fields: Sequence[GriddedField], ahead: ResidualsAhead | None = None) -> None:
    """Write .residual of every field: the data less what the models of all fields predict.

    Where there are no models, the planes may have been made `ahead`.
    """
    for field in fields:
        field.images.make("residual")
    models = [ModelPlanes(field.images, field.measurement.sky_plane) for field in fields]
    ready = ahead.planes() if ahead is not None and not any(model.exists for model in models) else None
    for number, field in enumerate(fields):
        if ready is not None:
            _write_residual(field.images, ready[number], 0)
        else:
            _make_residual(field, fields, models)
        if field.images.is_cube:
            field.images.mask_residual()


def _make_residual(field: GriddedField, sources: Sequence[GriddedField], models: Sequence[ModelPlanes]) -> None:
    predictions = [_Predictions(field, sources, models) for _ in range(field.nthreads)]
    for channels in field.images.channel_groups:
        for model in models:
            model.hold(channels)
        _write_residual(field.images, _residual_planes(field, predictions, channels), channels.start)


def _write_residual(images: FieldImages, planes: Sequence[NDArray[np.float32]], start: int) -> None:
    for term, pixels in enumerate(planes):
        if images.is_mosaic and images.is_cube:
            images.divide_residual(pixels, start)
        images.put("residual", pixels, start, term)


def _residual_planes(
    field: GriddedField, predictions: Sequence[_Predictions], channels: range, stop: threading.Event | None = None
) -> list[NDArray[np.float32]]:
    """The residuals of some channels, float32 [chan, pol, y, x] for each Taylor term."""
    images = field.images
    planes = [images.planes(len(channels)) for _ in range(images.model_terms)]

    def work(number: int, share: range) -> None:
        for channel in sorted(set(share) - field.guards):
            if stop is not None and stop.is_set():
                return
            for term, plane in enumerate(_residual(field, predictions[number], channel)):
                planes[term][channel - channels.start] = plane

    field.share_out(channels, work)
    return planes


class ResidualsAhead:
    """The first residuals, which need no PSF, made by threads while this one makes PSFs' beams and primary beams.

    CASA does those on one core. `wanted` says for which fields it can be of use.
    """

    def __init__(self, fields: Sequence[GriddedField]) -> None:
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._future = self._pool.submit(self._make, fields)

    @staticmethod
    def wanted(fields: Sequence[GriddedField]) -> bool:
        """Whether all are cubes that are worked on as a whole and have no model yet."""
        return all(
            field.images.is_cube and len(field.images.channel_groups) == 1 and not field.images.exists("model")
            for field in fields
        )

    def _make(self, fields: Sequence[GriddedField]) -> list[list[NDArray[np.float32]]]:
        found = []
        for field in fields:
            nothing = [_Predictions(field, (), ()) for _ in range(field.nthreads)]
            found.append(_residual_planes(field, nothing, range(field.images.shape[3]), self._stop))
        return found

    def planes(self) -> list[list[NDArray[np.float32]]]:
        """The residuals of each field, for each Taylor term, when they are made."""
        return self._future.result()

    def close(self) -> None:
        """Let the threads end, whether they have done their work or not."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)


def _residual(field: GriddedField, predictions: _Predictions, channel: int) -> NDArray[np.float32]:
    """The residual of a channel, [term, pol, y, x]."""
    images, factor = field.images, field.visibilities.ncorr
    planes = field.measurement.blank(images.model_terms, images.shape[2])
    total_weight = 0.0
    for block, model in predictions.of(channel):
        data = block.data if model is None else block.data - model
        weights = [_tapered(block.weight, block, images, term) for term in range(images.model_terms)]
        field.measurement.add_dirty(planes, block, list(data), weights)
        if field.measurement.sees(block):
            total_weight += float(block.psf_weight.sum(dtype=float))
    planes = field.measurement.finished(planes)
    if images.is_cube:
        return planes / np.float32(total_weight) if total_weight > 0 else planes
    return planes * np.float32(factor)


class _Predictions:
    """What the models of all fields predict at the visibilities of one.

    Parameters
    ----------
    field : GriddedField
    sources : sequence of GriddedField
    models : sequence of ModelPlanes
        Models of the sources.
    """

    def __init__(self, field: GriddedField, sources: Sequence[GriddedField], models: Sequence[ModelPlanes]) -> None:
        self._field = field
        self._sources = [_Source(field, *both) for both in zip(sources, models, strict=True) if both[1].exists]

    def of(self, channel: int) -> Iterator[tuple[Block, NDArray[np.complex64] | None]]:
        """The field's blocks of an image channel, each with what is to be subtracted; channels in rising order."""
        views_of_each = [source.views(channel) for source in self._sources]
        for block, *views in zip(self._field.blocks(channel), *views_of_each, strict=False):
            found = [source.model(block, view) for source, view in zip(self._sources, views, strict=True)]
            models = [model for model in found if model is not None]
            yield block, sum(models[1:], models[0]) if models else None


class _View(NamedTuple):
    """What a source's model is predicted with at a block: its rows about the source's own centre, if that is another.

    Predictions are kept for the blocks of a group, where these have the same rows.
    """

    block: Sampling | None
    group: int | None = 0
    shares: Mapping[int, NDArray[Any]] = MappingProxyType({})


class _Source:
    """A field's model, as it is seen from the same or another field."""

    def __init__(self, seen_from: GriddedField, field: GriddedField, planes: ModelPlanes) -> None:
        self._field, self._planes, self._seen_from = field, planes, seen_from
        self._is_own = field is seen_from
        is_shifted = not self._is_own and not field.images.is_mosaic  # else both are about the pointing
        self._path = offset(field.images, seen_from.images) if is_shifted else None
        self._other = field.visibilities.as_other_field() if field is not seen_from and field.images.is_cube else None
        self._cubes: dict[int, CubeModel] = {}

    def views(self, channel: int) -> Iterator[_View]:
        """One for each block of the channel."""
        visibilities = self._field.visibilities
        if visibilities.axis is None:
            at_once = self._field.at_once
            yield from itertools.repeat(_View(None)) if self._is_own else map(_View, visibilities.blocks(at_once))
            return
        groups = self._seen_from.visibilities.groups(channel + self._field.first)
        if self._other is None:
            shares = visibilities.coupling(channel + self._field.first)
            yield from (_View(None, number, share) for (number, _), share in zip(groups, shares, strict=True))
            return
        for number, group in groups:
            at, share = self._other.at(group, channel + self._field.first)
            yield _View(at, number if group.has_same_rows else None, share)

    def model(self, block: Block, view: _View) -> NDArray[np.complex64] | None:
        """The model at a block of the field from which it is seen; None where it is empty."""
        own, axis = view.block or block, self._field.visibilities.axis
        if axis is None:
            found = predict_continuum(self._planes, self._field.measurement.predict, own, block.weight > 0)
        else:
            cube = self._cubes.get(view.group) if view.group is not None else None
            if cube is None:
                cube = CubeModel(self._planes, self._field.measurement.predict, axis.frequency, self._field.first)
            if view.group is not None:
                self._cubes[view.group] = cube
            found = cube.at(own, view.shares)
        return found if found is None or self._path is None else recentred(found, block, self._path)
