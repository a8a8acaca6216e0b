"""The models' visibilities in the column MODEL_DATA, for savemodel='modelcolumn'."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import casa
from ...measurementsets import written_at_once
from ...recordvalues import DataSelection
from ..data.casacore_memory import History
from ..data.frames import Observation
from ..data.memory import WORKING_VALUES
from ..data.pointings import pieces_of
from ..data.reading import Integrations, cells, row_pieces, selected_rows
from ..data.selection import DataSet, find_data
from ..data.stokes import correlations_of
from ..spectral.axis import SpectralAxis
from .model.at_data import ModelAtData, Tracks
from .model.prediction import ModelVisibilities

COLUMN = "MODEL_DATA"
MARGIN = 1.5  # channels beyond the ends of a cube whose data are still near it


def save_models(
    models: Sequence[ModelAtData],
    selections: Sequence[DataSelection],
    make_columns: Callable[[], None],
    *,
    tuned: bool = False,
    at_once: int = WORKING_VALUES[1],
) -> None:
    """Write what the models of all fields predict to MODEL_DATA of the selected rows and channels.

    It is written to flagged data, too, where CASA writes 0.

    Parameters
    ----------
    models : sequence of ModelAtData
    selections : sequence of DataSelection
    make_columns : callable
        Makes the column where it isn't there.
    tuned : bool
        Leave alone what is in channels of the data that are far from a cube's.
    at_once : int
        How many visibilities of a model are worked on at the same time.
    """
    with written_at_once(selection.vis for selection in selections), casa.working_on("saving the model"):
        make_columns()
        sources = find_data(selections)
        history = History(sources)
        for source in sources:
            for piece in pieces_of(source, models[0].image.target, Observation(source.vis)):
                with selected_rows(piece, writable=True) as table:
                    _save(table, piece, models, history, tuned=tuned, at_once=at_once)


def _save(
    table: Any, source: DataSet, models: Sequence[ModelAtData], history: History, *, tuned: bool, at_once: int
) -> None:
    """Write the model of a data set to the table of its rows."""
    main = models[0].image
    matrix = correlations_of(main.target.stokes, source.correlations)
    tracks = _tracks(table, source, models, history)
    kept = None
    if tuned and main.axis is not None:
        kept = ~near(main.axis, source, tracks[0].doppler)[tracks[0].integration]
    for rows in row_pieces(len(source.rows), len(source.frequency) * matrix.shape[1], at_once):
        found = [model.at(own.at(rows)) for model, own in zip(models, tracks, strict=True)]
        values = [entry for entry in found if entry is not None]
        shape = (matrix.shape[1], rows.stop - rows.start, len(source.frequency))
        total = sum(values[1:], values[0]) if values else np.zeros(shape, np.complex64)
        _write(table, source, rows, matrix, total, None if kept is None else kept[rows])


def _tracks(table: Any, source: DataSet, models: Sequence[ModelAtData], history: History) -> list[Tracks]:
    """Where the rows are, as each model sees them."""
    uvw = np.ascontiguousarray(table.getcol("UVW").T)
    observation = Observation(source.vis)
    targets = [Integrations.of(table, source, observation, model.image.target, history) for model in models]
    return [Tracks.of(model.image, source, times, uvw) for model, times in zip(models, targets, strict=True)]


def near(axis: SpectralAxis, source: DataSet, doppler: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which channels of the data are near a cube's, [integration, chan].

    Follows SynthesisImager::tuneSelectData and SpectralWindowChannels::getIntersection
    (CASA's ImagerObjects/SynthesisImager.cc and MSVis/VisibilityIteratorImpl2.cc).
    """
    low, high = sorted([axis.frequency[0] - MARGIN * axis.width, axis.frequency[-1] + MARGIN * axis.width])
    lower, upper = low / doppler[:, np.newaxis], high / doppler[:, np.newaxis]
    return (source.frequency + source.width / 2 >= lower) & (source.frequency - source.width / 2 <= upper)


def _write(
    table: Any,
    source: DataSet,
    rows: slice,
    matrix: NDArray[np.complex128],
    model: ModelVisibilities,
    kept: NDArray[np.bool_] | None,
) -> None:
    """Write products [npol, row, chan] of some rows as correlations, but for channels that are `kept` [row, chan]."""
    for piece in row_pieces(rows.stop - rows.start, len(source.frequency) * len(matrix)):
        place = slice(rows.start + piece.start, rows.start + piece.stop)
        values = np.moveaxis(model[:, piece], 0, -1) @ matrix.T  # [row, chan, correlation]
        if kept is not None and kept[piece].any():
            values = np.where(kept[piece, :, np.newaxis], cells(table, COLUMN, source, place), values)
        for run in _runs(source.channels):
            ends = [0, int(source.channels[run.start])], [len(matrix) - 1, int(source.channels[run.stop - 1])]
            own = np.ascontiguousarray(values[:, run])
            table.putcolslice(COLUMN, own.T, *ends, [1, 1], place.start, place.stop - place.start)


def _runs(channels: NDArray[np.int64]) -> Iterator[slice]:
    """Places of channels that follow each other without a gap."""
    breaks = np.flatnonzero(np.diff(channels) > 1) + 1
    bounds = [0, *breaks.tolist(), len(channels)]
    for first, last in itertools.pairwise(bounds):
        yield slice(first, last)
