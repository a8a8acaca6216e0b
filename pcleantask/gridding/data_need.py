"""What a run's data have that engine='ducc' doesn't do, from the MeasurementSets' small tables."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import casa, measurementsets
from ..config import PcleanConfig, Selection
from ..engines import AUTO, beyond_ducc
from .frames import moving_fields
from .stokes import unknown_correlations


def with_data_seen(config: PcleanConfig) -> PcleanConfig:
    """The configuration less the data sets that its selections empty, its `engine` the one to take for the rest.

    For engine='auto' no visibilities are read, and of the main tables no column unless something unusual is in the
    small ones.

    Raises
    ------
    SelectionError
        Nothing is selected, or CASA can't make a selection.
    """
    if config.emptied is None:
        kept, emptied = measurementsets.with_rows(config.selections)
        config = dataclasses.replace(config, selections=kept, emptied=emptied)
    if config.run.engine != AUTO or config.data_need is not None or beyond_ducc(config):
        return config
    found = [words for selection in config.selections for words in _needs(selection)]
    return dataclasses.replace(config, data_need=", ".join(found))


def _needs(selection: Selection) -> list[str]:
    """What the selected rows need, in the user's words."""
    vis, found = selection.vis, []
    moving = np.flatnonzero(moving_fields(vis))
    if len(moving):
        moving = np.intersect1d(moving, list(measurementsets.rows_of_fields(selection)))
        found += [f"fields that move ({vis!r}: {moving.tolist()})"] if len(moving) else []
    unknown = _unknown_correlations(vis)
    if unknown:
        selected = measurementsets.rows_of_descriptions(selection)
        types = sorted({number for description in unknown.keys() & selected.keys() for number in unknown[description]})
        found += [f"correlations of type {types} ({vis!r})"] if types else []
    return found


def _unknown_correlations(vis: str) -> dict[int, list[int]]:
    """DATA_DESC_ID -> numbers of correlations that ducc doesn't know, where there are any."""
    with casa.opened_table(f"{vis}/POLARIZATION") as table:
        unknown = [
            unknown_correlations(np.ravel(table.getcell("CORR_TYPE", row)).tolist()) for row in range(table.nrows())
        ]
    if not any(unknown):
        return {}
    with casa.opened_table(f"{vis}/DATA_DESCRIPTION") as table:
        used = table.getcol("POLARIZATION_ID").tolist()
    return {description: unknown[number] for description, number in enumerate(used) if unknown[number]}
