"""Visibilities as gridders want them: read once, weighted, in blocks that share their frequencies.

`read_visibilities` reads them for an image. Then `set_weights`; then a continuum image has `blocks()`, and a cube has
`channel(i)` and, for what is predicted from its models, `coupling(i)`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....config import PcleanConfig
from ....images.coordinates import ImageCoordinates
from ....recordvalues import DataSelection
from ....sections import ImageField
from ...data.casacore_memory import History
from ...data.memory import WORKING_VALUES, Arena
from ...data.pointings import pieces_of
from ...data.reading import Reader, Spectra, row_pieces
from ...data.selection import DataSet, find_data
from ...data.stokes import correlations_on_plane, products_of_stokes
from ...data.usable import Tally
from ...spectral.axis import SpectralAxis
from ..weights.density import Coverage, Density, DensityWeights, Scheme, UvGrid, radial_weights, tapered
from ..weights.uv_extent import Extent
from .block import Block, at_one_doppler, phasor
from .channel_group import CubeGroup
from .grouping import Channels, CubePlaces, cube_groups, exact_frequencies, has_data_around, needed_channels, samplings
from .other_field import OtherField
from .target_image import ImageOfData

CHUNK_ROWS = 4096


def read_visibilities(
    config: PcleanConfig,
    selections: Sequence[DataSelection],
    coordinates: ImageCoordinates,
    *,
    field: ImageField | None = None,
    channels: range | None = None,
    part: tuple[int, int] = (0, 1),
    folder: Path | None = None,
    limit: float | None = None,
) -> Visibilities:
    """Read the visibilities of an image; `set_weights` must follow.

    Parameters
    ----------
    config : PcleanConfig
    selections : sequence of DataSelection
    coordinates : ImageCoordinates
        Of the whole image.
    field : ImageField, optional
        By default the main one.
    channels : range, optional
        Channels of a cube that are imaged here; what they don't need is not read.
    part : tuple of int
        (i, n): read the i-th of n parts of the rows.
    folder, limit : Path, float, optional
        Where arrays go that are beyond the limit [bytes], see `memory.Arena`.

    Raises
    ------
    ParameterError
        Something is asked for that only engine='casa' does.
    SelectionError
        Nothing is selected.
    """
    sources = find_data(selections)
    ncorr = max(correlations_on_plane(config.frame.stokes, source.correlations) for source in sources)
    image = ImageOfData.of(config, field or config.fields[0], coordinates, channels, max(1, ncorr))
    arena = Arena(folder, limit)
    reader = Reader(image.target, arena, History(sources))
    if image.axis is not None and image.axis.nchan == 1 and image.scheme.by_channel:
        is_between = any(has_data_around(image, source, reader.integrations(source)) for source in sources)
        image = dataclasses.replace(image, pads_densities=is_between)
    found: list[tuple[Spectra, Channels]] = []
    for source in sources:
        own = dataclasses.replace(source, rows=np.array_split(source.rows, part[1])[part[0]])
        if len(own.rows):
            for piece in pieces_of(own, image.target, reader.observation(own.vis)):
                found.extend(_read(reader, piece, image))
    return Visibilities(image, found, arena)


def _read(reader: Reader, source: DataSet, image: ImageOfData) -> Iterator[tuple[Spectra, Channels]]:
    """Read a data set, in pieces where an image channel is sampled otherwise at one time than at another."""
    integrations = reader.integrations(source)
    exact = exact_frequencies(image, source.frequency, integrations)
    if image.axis is None:
        yield reader.read(source, integrations), Channels(source.frequency, 0, CubePlaces(), exact)
        return
    ways, way_of_each = samplings(image, source.frequency, integrations.doppler, exact)
    for way, sampling in enumerate(ways):
        own = way_of_each[integrations.number] == way
        piece = source if own.all() else dataclasses.replace(source, rows=source.rows[own])
        seen = integrations if own.all() else reader.integrations(piece)
        numbers = np.empty(len(seen.doppler), int)
        numbers[seen.number] = integrations.number[own]
        here = exact.at(numbers)
        needed = needed_channels(image, source.frequency, seen.doppler, sampling, here)
        if not len(needed):
            continue
        chosen = dataclasses.replace(piece, channels=source.channels[needed], frequency=source.frequency[needed])
        yield reader.read(chosen, seen), Channels(source.frequency, int(needed[0]), sampling, here)


class Visibilities:
    """The visibilities of one image; `read_visibilities` makes them."""

    def __init__(self, image: ImageOfData, data: Sequence[tuple[Spectra, Channels]], arena: Arena) -> None:
        self._image, self._data, self._arena = image, list(data), arena
        self._groups: list[tuple[range, CubeGroup]] = []
        self._kept: dict[int, list[Block]] = {}

    @property
    def axis(self) -> SpectralAxis | None:
        """The whole cube's channels in the frame in which data are gridded; None for a continuum image."""
        return self._image.axis

    @property
    def ncorr(self) -> int:
        """How many correlations make a visibility: .sumwt is so many times the sum of a plane's weights."""
        return self._image.target.ncorr

    @property
    def npol(self) -> int:
        return len(products_of_stokes(self._image.target.stokes))

    @property
    def grid(self) -> UvGrid:
        """The cells of densities."""
        return self._image.grid

    @property
    def sources(self) -> list[DataSet]:
        """What has been read."""
        return [spectra.source for spectra, _ in self._data]

    def reach(self, share: float = 1.0) -> NDArray[np.float64]:
        """Up to where along u and v so much of the rows is in the image's frame, shape (2,) [m]."""
        places = [np.abs(spectra.uvw[:, :2]) * spectra.row_doppler[:, np.newaxis] for spectra, _ in self._data]
        return np.quantile(np.concatenate(places), share, axis=0)

    @property
    def scheme(self) -> Scheme:
        """How they are weighted."""
        return self._image.scheme

    @property
    def warnings(self) -> list[str]:
        """What data sets have that can't be imaged, a line a MeasurementSet."""
        found: dict[tuple[str, str], Tally] = {}
        for spectra, _ in self._data:
            key = spectra.source.vis, spectra.source.column
            found[key] = found.get(key, Tally()) + spectra.tally
        return [tally.warning(*key) for key, tally in found.items() if tally.unusable]

    def density(self) -> Density | None:
        """The density of these visibilities, where the weights come from one density; workers' can be added."""
        if self.empty_density() is None:
            return None
        return self._density_of((spectra for spectra, _ in self._data), self._image.grid)

    def empty_density(self) -> Density | None:
        """An empty grid for the density of these visibilities; None where their weights need none."""
        scheme = self._image.scheme
        if not scheme.needs_density or scheme.by_channel or self._image.weighs_fields:
            return None
        return Density.empty(scheme.density_grid(self._image.grid))

    def set_weights(self, density: Density | None = None, grid: UvGrid | None = None) -> None:
        """Make imaging weights of the natural ones.

        Parameters
        ----------
        density : Density, optional
            Of all the data of the run, where these are a part of them. By default what `density` says.
        grid : UvGrid, optional
            The cells of each field's density, in a mosaic whose fields have densities of their own; by default the
            image's.
        """
        scheme = self._image.scheme
        if not scheme.by_channel:
            for data, own in self._densities(density, grid or self._image.grid):
                weigh = None if own is None else DensityWeights(scheme, own)
                for spectra in data:
                    _weigh(spectra, scheme, weigh)
        if self._image.axis is None:
            for spectra, _ in self._data:
                _finish(spectra, self._image.extent)
        else:
            self._groups = cube_groups(self._image, self._data)

    def field_densities(self) -> Mapping[tuple[str, int] | None, Density]:
        """The density of each field of each MeasurementSet, where a cube's weights come from these; else nothing."""
        image = self._image
        if image.axis is None or image.scheme.by_channel:
            return {}
        found = ((data, density) for data, density in self._densities(None, image.grid) if density is not None)
        return {data[0].source.field_of_vis: density for data, density in found}

    def _densities(self, density: Density | None, grid: UvGrid) -> Iterator[tuple[list[Spectra], Density | None]]:
        """Data that are weighed together, with their density where their weights rest on one."""
        data = [spectra for spectra, _ in self._data]
        if self._image.weighs_fields and self._image.scheme.needs_density:
            data.sort(key=lambda spectra: spectra.source.field_of_vis)
            for _, own in itertools.groupby(data, key=lambda spectra: spectra.source.field_of_vis):
                field = list(own)
                yield field, self._density_of(field, grid)
        elif self._image.scheme.needs_density:
            yield data, density or self.density() or Density.empty(self._image.grid)
        else:
            yield data, None

    def _density_of(self, data: Iterable[Spectra], image: UvGrid) -> Density:
        scheme = self._image.scheme
        density = Density.empty(scheme.density_grid(image))
        for spectra in data:
            density.add(_coverage(spectra), scheme.box)
        return density

    def blocks(self, at_once: int = WORKING_VALUES[1]) -> Iterator[Block]:
        """A continuum image's visibilities: each data set in blocks of rows, of so many visibilities at most."""
        for spectra, _ in self._data:
            mean_doppler = float(spectra.doppler.mean())
            npol, nrow, nchan = spectra.data.shape
            for rows in row_pieces(nrow, npol * nchan, at_once):
                at = at_one_doppler(
                    spectra.uvw[rows],
                    spectra.row_doppler[rows],
                    mean_doppler,
                    spectra.source.frequency,
                    spectra.source.pointing,
                )
                weight = spectra.weight[rows]
                yield Block(at.uvw, at.freq, spectra.data[:, rows], weight, weight, pointing=at.pointing)

    def channel(self, channel: int) -> list[Block]:
        """An image channel's visibilities: a block for each group of data sets that reach it.

        Blocks are kept while there is memory, and once all are, the data that they were made of are let go.
        """
        if channel in self._kept:
            return self._kept[channel]
        blocks = [group.block(channel) for reach, group in self._groups if channel in reach]
        if self._arena.takes(sum(map(_own_size, blocks))):
            self._kept[channel] = blocks
            if len(self._kept) == len(self._image.channels):
                for spectra, _ in self._data:
                    self._arena.release(spectra.data, spectra.weight)
                    spectra.forget()
        return blocks

    def groups(self, channel: int) -> list[tuple[int, CubeGroup]]:
        """The group that each block of `channel` is of, and its number.

        Blocks of a group whose data are interpolated have the same rows in all channels.
        """
        return [(number, group) for number, (reach, group) in enumerate(self._groups) if channel in reach]

    def as_other_field(self) -> OtherField:
        """A cube as it is seen from another field."""
        assert self.axis is not None
        return OtherField([member for _, group in self._groups for member in group.members], self.axis)

    def coupling(self, channel: int) -> list[dict[int, NDArray[Any]]]:
        """What to subtract from an image channel's visibilities, for each block of `channel`.

        The residual is data - sum of coupling[k] * prediction[k], where prediction[k], shape (row, 1), is of channel
        k's model at the block's uvw and at the frequency axis.frequency[k] (and coupling has shape (row, chan)).
        Where channels are not interpolated the prediction is at the block's own frequency, which is the same.
        """
        return [group.coupling(channel) for reach, group in self._groups if channel in reach]


def _own_size(block: Block) -> int:
    """Bytes of a block's arrays but uvw, which others share."""
    return block.data.nbytes + block.weight.nbytes + (block.weight is not block.psf_weight) * block.psf_weight.nbytes


def _coverage(spectra: Spectra) -> Coverage:
    u, v = spectra.uv
    return Coverage(u, v, spectra.source.frequency, spectra.row_doppler, spectra.weight)


def _weigh(spectra: Spectra, scheme: Scheme, weigh: DensityWeights | None) -> None:
    """Put imaging weights in the place of natural ones."""
    coverage = _coverage(spectra)
    for rows in coverage.chunks():
        piece = coverage.part(rows)
        if weigh is not None:
            piece.weight[...] = weigh(piece)
        elif scheme.kind == "radial":
            piece.weight[...] = radial_weights(piece)
        if scheme.taper is not None:
            piece.weight[...] = tapered(piece.weight, scheme.taper, piece)


def _finish(spectra: Spectra, extent: Extent) -> None:
    """Make continuum data ready: what is not gridded weighs nothing, and data are shifted to the phase centre."""
    spectra.weight[spectra.dropped] = 0
    np.maximum(spectra.weight, 0, out=spectra.weight)
    if spectra.share != 1:
        spectra.weight *= np.float32(spectra.share)
    doppler = spectra.row_doppler
    all_inside = extent.holds_all(spectra.reach, spectra.source.frequency)
    for first in range(0, len(doppler), CHUNK_ROWS):
        rows = slice(first, first + CHUNK_ROWS)
        if not all_inside:
            inside = extent.holds(spectra.uvw[rows] * doppler[rows, np.newaxis], spectra.source.frequency)
            spectra.weight[rows] *= inside
        if spectra.delay is None:
            continue
        frequency = np.multiply.outer(doppler[rows], spectra.source.frequency)
        spectra.data[:, rows] *= phasor(spectra.delay[rows, np.newaxis], frequency)
