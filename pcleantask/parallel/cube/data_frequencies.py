"""Which frequencies the data of a cube have, in the frame in which they are gridded."""

from __future__ import annotations

import numpy as np

from ... import casa
from ...gridding.data import frames
from ...gridding.data.reading import selected_rows
from ...gridding.data.selection import DataSet, find_data
from ...images.coordinates import ImageCoordinates
from ...toolrecords import ToolRecords
from .exactness import Coverage, Doubles

TIMES = 16  # of an observation of one field at which shifts are looked at, besides its ends


def cube_frequencies(coordinates: ImageCoordinates) -> Doubles:
    """The channels of a cube in the frame of gridding [Hz]."""
    return frames.spectral_axis(coordinates).frequency


def find_coverage(records: ToolRecords, *, moving: bool) -> list[Coverage]:
    """What the selected data cover; see `Coverage`.

    Parameters
    ----------
    records : ToolRecords
    moving : bool
        Whether the image's frame is one to which frequencies are converted, as `ImageCoordinates.is_moving` tells.

    Raises
    ------
    ParameterError
        A field moves.
    """
    numbers = {selection.vis: number for number, selection in enumerate(records.selections)}
    observations = {vis: frames.Observation(vis) for vis in numbers}
    found = []
    for source in find_data(records.selections):
        shifts = _shifts(source, observations[source.vis]) if moving else np.ones(1)
        found.append(Coverage(numbers[source.vis], source.frequency, shifts, _window_size(source)))
    return found


def _shifts(source: DataSet, observation: frames.Observation) -> Doubles:
    """Shifts at times spread over the observation, field by field."""
    with selected_rows(source) as table:
        times, fields = table.getcol("TIME"), table.getcol("FIELD_ID")
    found = []
    for field in np.unique(fields).tolist():
        own = np.unique(times[fields == field])
        places = np.unique(np.linspace(0, len(own) - 1, TIMES + 2).round().astype(int))
        found.append(observation.doppler_factors(field, own[places], source.frame))
    return np.concatenate(found)


def _window_size(source: DataSet) -> int:
    with casa.opened_table(f"{source.vis}/DATA_DESCRIPTION") as table:
        window = int(table.getcell("SPECTRAL_WINDOW_ID", source.description))
    with casa.opened_table(f"{source.vis}/SPECTRAL_WINDOW") as table:
        return int(table.getcell("NUM_CHAN", window))
