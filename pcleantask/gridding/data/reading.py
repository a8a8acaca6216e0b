"""One pass over a MeasurementSet: visibilities of the products wanted, their weights, and where they were measured."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import casa
from ..spectral.interpolation import Exact
from .casacore_memory import History
from .directions import Direction, Rotation
from .frames import Observation
from .memory import Arena
from .selection import DataSet
from .stokes import coefficients, correlations_on_plane
from .usable import Tally, tallied, unusable_data, unusable_weights

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
FLAGGED = np.float32(-1)  # weight of a flagged visibility, unlike that of one that weighs nothing
VALUES = 1 << 21  # complex numbers that are read at once


@dataclass
class Spectra:
    """Visibilities of one data description, as they were measured.

    Attributes
    ----------
    source : DataSet
        With the channels that were read.
    uv : ndarray of float64, shape (2, row)
        As the MeasurementSet has them [m].
    uvw : ndarray of float64, shape (row, 3)
        Rotated to the image's phase centre [m]; in mosaics those of the plane images that are laid into it, with w = 0.
    turned : ndarray of float64, shape (2, row)
        u and v rotated to the image's phase centre, in mosaics as well [m].
    delay : ndarray of float64, shape (row,), or None
        By which data are shifted to the phase centre [m]; None where they stay.
    integration : ndarray of int64, shape (row,)
        Number of the integration.
    doppler : ndarray of float64, shape (integration,)
        What frequencies are multiplied with to be in the image's frame.
    flag_row : ndarray of bool, shape (row,)
        Rows that are flagged as a whole. They still count for the one density of a run.
    dropped : ndarray of bool, shape (row,)
        Rows that are not gridded: these, and autocorrelations, which count for all densities.
    data : ndarray of complex64, shape (product, row, chan)
        0 where flagged. The memory order may be that of (product, chan, row).
    weight : ndarray of float32, shape (row, chan)
        FLAGGED where that is so; same order.
    ncorr : int
        How many correlations fall on a plane of the image.
    share : float
        What imaging weights are multiplied with, where other data of the run have more.
    tally : Tally
        How many visibilities count as flagged because nothing can be made of them.
    """

    source: DataSet
    uv: Doubles
    uvw: Doubles
    turned: Doubles
    delay: Doubles | None
    integration: NDArray[np.int64]
    doppler: Doubles
    flag_row: NDArray[np.bool_]
    dropped: NDArray[np.bool_]
    data: NDArray[np.complex64]
    weight: Floats
    ncorr: int
    share: float
    tally: Tally

    def forget(self) -> None:
        """Let go of the visibilities."""
        self.data, self.weight = self.data[:, :0], self.weight[:0]

    @property
    def row_doppler(self) -> Doubles:
        return self.doppler[self.integration]

    @property
    def reach(self) -> Doubles:
        """The longest u and v in the image's frame, shape (2,) [m]."""
        return np.abs(self.uvw[:, :2]).max(axis=0, initial=0) * float(self.doppler.max(initial=1))


@dataclass(frozen=True)
class Target:
    """What data are read for.

    Attributes
    ----------
    stokes : str
    centre : Direction
        Of the image's centre.
    moving : bool
        Whether frequencies are converted to the gridding frame.
    by_channel : bool
        Whether memory order is channel by channel, as cubes want it.
    ncorr : int
        The most correlations that fall on a plane of the image, in all data of the run.
    joins_pointings : bool
        Whether the image is a mosaic: data stay about the phase centres of their own fields.
    """

    stokes: str
    centre: Direction
    moving: bool
    by_channel: bool
    ncorr: int
    joins_pointings: bool = False


class Reader:
    """Reads the data of MeasurementSets.

    Parameters
    ----------
    target : Target
    arena : Arena
        Where the arrays are.
    history : History
        Of all data of the run.
    """

    def __init__(self, target: Target, arena: Arena, history: History) -> None:
        self._target, self._arena, self._history = target, arena, history
        self._observations: dict[str, Observation] = {}

    def observation(self, vis: str) -> Observation:
        """The observation of a MeasurementSet."""
        if vis not in self._observations:
            self._observations[vis] = Observation(vis)
        return self._observations[vis]

    def integrations(self, source: DataSet) -> Integrations:
        """When the rows were measured, and what that does to their frequencies and coordinates."""
        with selected_rows(source) as table:
            return Integrations.of(table, source, self.observation(source.vis), self._target, self._history)

    def read(self, source: DataSet, integrations: Integrations) -> Spectra:
        """Read the visibilities of a data set."""
        products = coefficients(self._target.stokes, source.correlations)
        nrow, nchan = len(source.rows), len(source.channels)
        data = self._empty((len(products), nrow, nchan), np.complex64)
        weight = self._empty((nrow, nchan), np.float32)
        with selected_rows(source) as table, casa.working_on(f"reading {source.column} of {source.vis!r}"):
            uvw = np.ascontiguousarray(table.getcol("UVW").T)
            flag_row = table.getcol("FLAG_ROW")
            dropped = flag_row | (table.getcol("ANTENNA1") == table.getcol("ANTENNA2"))
            tally = Tally()
            for rows in row_pieces(nrow, nchan * len(source.correlations)):
                tally += _read_piece(table, source, products, rows, data[:, rows], weight[rows], flag_row[rows])
        rotated, delay = integrations.rotate(uvw)
        ncorr = correlations_on_plane(self._target.stokes, source.correlations)
        return Spectra(
            source=source,
            uv=uvw[:, :2].T.copy(),
            uvw=rotated,
            turned=integrations.turned(uvw, rotated),
            delay=delay,
            integration=integrations.number,
            doppler=integrations.doppler,
            flag_row=flag_row,
            dropped=dropped,
            data=data,
            weight=weight,
            ncorr=ncorr,
            share=ncorr / self._target.ncorr,
            tally=tally,
        )

    def _empty(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        if not self._target.by_channel:
            return self._arena.array(shape, dtype)
        return np.swapaxes(self._arena.array((*shape[:-2], shape[-1], shape[-2]), dtype), -1, -2)


@dataclass(frozen=True)
class Integrations:
    """The times at which rows were measured, field by field.

    Attributes
    ----------
    number : ndarray of int64, shape (row,)
        Number of each row's integration.
    doppler : ndarray of float64, shape (integration,)
    """

    number: NDArray[np.int64]
    doppler: Doubles
    _fields: NDArray[np.int64]
    _rotations: dict[int, Rotation]
    _times: dict[int, Doubles]
    _observation: Observation
    _source: DataSet
    _history: History
    _joins_pointings: bool

    @classmethod
    def of(
        cls, table: Any, source: DataSet, observation: Observation, target: Target, history: History
    ) -> Integrations:
        times, fields = table.getcol("TIME"), table.getcol("FIELD_ID")
        number = np.empty(len(times), int)
        doppler: list[Doubles] = []
        rotations, all_times = {}, {}
        for field in np.unique(fields).tolist():
            own = fields == field
            when, place = np.unique(times[own], return_inverse=True)
            number[own] = place + sum(len(entry) for entry in doppler)
            moved = observation.doppler_factors(field, when, source.frame) if target.moving else np.ones(len(when))
            doppler.append(moved)
            all_times[field] = when
            rotations[field] = observation.rotation(field, float(when[0]), target.centre)
        turns = fields, rotations, all_times
        return cls(number, np.concatenate(doppler), *turns, observation, source, history, target.joins_pointings)

    def exact(self, frequency: Doubles, wanted: NDArray[np.int64]) -> Exact:
        """Frequencies in the image's frame at some integrations, as CASA rounds them."""
        kind = np.full(len(self.doppler), -1)
        if (self.doppler == 1).all():
            kind[wanted] = 0
            return Exact(frequency[np.newaxis][: len(wanted)], kind)
        kind[wanted] = np.arange(len(wanted))
        first, found = 0, [np.empty((0, len(frequency)))]
        for field, times in self._times.items():
            own = wanted[(wanted >= first) & (wanted < first + len(times))] - first
            if len(own):
                moments = self._history.moments(self._source, field, times[own])
                found.append(self._observation.converted(frequency, field, moments, self._source.frame))
            first += len(times)
        return Exact(np.concatenate(found), kind)

    def rotate(self, uvw: Doubles) -> tuple[Doubles, Doubles | None]:
        """uvw about the image's centre, and the paths by which data are to be shifted (None: nothing is).

        In a mosaic each field is a plane image about its own centre that is laid into the image's plane
        (FTMachine::girarUVW of CASA's TransformMachines2/FTMachine.cc).
        """
        if self._joins_pointings:
            flat = np.zeros_like(uvw)
            for own, rotation in self._turns():
                flat[own, :2] = uvw[own, :2] @ rotation.matrix[:2, :2]
            return flat, None
        if all(rotation.is_nothing for rotation in self._rotations.values()):
            return uvw, None
        rotated, delay = np.empty_like(uvw), np.empty(len(uvw))
        for own, rotation in self._turns():
            rotated[own] = uvw[own] @ rotation.matrix
            delay[own] = rotated[own] @ rotation.phase
        return rotated, delay

    def turned(self, uvw: Doubles, rotated: Doubles) -> Doubles:
        """u and v about the image's centre, shape (2, row), of uvw that `rotate` has `rotated`."""
        if not self._joins_pointings:
            return rotated[:, :2].T
        found = np.empty((2, len(uvw)))
        for own, rotation in self._turns():
            found[:, own] = (uvw[own] @ rotation.matrix[:, :2]).T
        return found

    def _turns(self) -> Iterator[tuple[NDArray[np.bool_], Rotation]]:
        """Each field's rows and rotation."""
        for field, rotation in self._rotations.items():
            yield self._fields == field, rotation


def _read_piece(
    table: Any,
    source: DataSet,
    products: NDArray[np.complex128],
    rows: slice,
    data: NDArray[np.complex64],
    weight: Floats,
    flag_row: NDArray[np.bool_],
) -> Tally:
    """Read some rows into their places; what can't be imaged counts as flagged."""
    if not products.any():  # none of them can be made of these correlations
        data[...], weight[...] = 0, FLAGGED
        return Tally()
    measured = cells(table, source.column, source, rows)
    flags = functools.reduce(np.logical_or, np.moveaxis(cells(table, "FLAG", source, rows), -1, 0))
    weights = _ends_of_weights(table, source, rows)
    with np.errstate(over="ignore", invalid="ignore"):  # of what is found to be unusable
        for place, terms in zip(data, products, strict=True):
            place[...] = _product(measured, terms)
        weight[...] = (weights[..., 0] + weights[..., -1]) / 2
    tally, flags = tallied(flags, flag_row, unusable_data(data), unusable_weights(weights))
    if flags.any():
        data[:, flags] = 0
        weight[flags] = FLAGGED
    return tally


def _ends_of_weights(table: Any, source: DataSet, rows: slice) -> NDArray[Any]:
    """The weights of the first and the last correlation, which broadcast to (row, chan, correlation).

    Their mean is the weight of all (VisImagingWeight::unPolChanWeight).
    """
    if source.has_weight_spectrum:
        weights = cells(table, "WEIGHT_SPECTRUM", source, rows)
    else:
        weights = table.getcol("WEIGHT", rows.start, rows.stop - rows.start).T[:, np.newaxis]
    return weights if weights.shape[-1] <= 2 else weights[..., [0, -1]]


def _product(measured: NDArray[np.complex128], terms: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """The sum of correlations times their coefficients, over the last axis."""
    factors = [
        (number, terms[number] if terms[number].imag else terms[number].real) for number in np.flatnonzero(terms)
    ]
    (first, factor), *others = factors
    total = measured[..., first] * factor
    for number, factor in others:
        total += measured[..., number] * factor
    return total


def cells(table: Any, column: str, source: DataSet, rows: slice) -> NDArray[Any]:
    """Some rows of a column of spectra, shape (row, chan, correlation)."""
    first, last = int(source.channels[0]), int(source.channels[-1])
    ends = [0, first], [len(source.correlations) - 1, last]
    found = table.getcolslice(column, *ends, [1, 1], rows.start, rows.stop - rows.start).T
    if len(source.channels) < last - first + 1:
        found = found[:, source.channels - first]
    return np.asarray(found)


def row_pieces(nrow: int, values: int, limit: int = VALUES) -> Iterator[slice]:
    """Pieces of rows that have at most `limit` numbers, or one row; a row has so many `values`."""
    step = max(1, limit // max(1, values))
    for first in range(0, nrow, step):
        yield slice(first, min(nrow, first + step))


@contextlib.contextmanager
def selected_rows(source: DataSet, *, writable: bool = False) -> Iterator[Any]:
    """The table of the rows of a data set."""
    with casa.opened_table(source.vis, writable=writable) as table:
        if len(source.rows) == table.nrows():
            yield table
            return
        chosen = table.selectrows(source.rows.tolist())
        try:
            yield chosen
        finally:
            chosen.close()
