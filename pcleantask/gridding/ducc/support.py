"""What a run's data have that engine='ducc' doesn't do, from the MeasurementSets' small tables."""

from __future__ import annotations

import dataclasses

import numpy as np

from ... import casa, measurementsets
from ...config import PcleanConfig
from ...sections import Selection
from ...traits import AUTO, CASA
from ..data.frames import moving_fields
from ..data.stokes import can_be_made, correlation_names, lacking_correlations, unknown_correlations


def with_data_seen(config: PcleanConfig) -> PcleanConfig:
    """The configuration less the data sets that its selections empty, its `engine` the one to take for the rest.

    For engine='auto' no visibilities are read, and of the main tables no column unless something unusual is in the
    small ones.

    Raises
    ------
    SelectionError
        Nothing is selected, or CASA can't make a selection.
    MissingInputError
        A MeasurementSet is damaged.
    """
    if config.emptied is not None:
        return config
    measurementsets.check_readable([selection.vis for selection in config.selections])
    kept, emptied = measurementsets.with_rows(config.selections)
    config = dataclasses.replace(config, selections=kept, emptied=emptied)
    if config.run.engine != AUTO or config.beyond_ducc:
        return config
    found = [words for selection in config.selections for words in _needs(selection, config.frame.stokes)]
    return dataclasses.replace(config, engine=CASA, beyond_ducc=", ".join(found)) if found else config


def _needs(selection: Selection, stokes: str) -> list[str]:
    """What the selected rows need, in the user's words."""
    vis, found = selection.vis, []
    moving = np.flatnonzero(moving_fields(vis))
    if len(moving):
        moving = np.intersect1d(moving, list(measurementsets.rows_of_fields(selection)))
        found += [f"fields that move ({vis!r}: {moving.tolist()})"] if len(moving) else []
    needs = _needs_of_correlations(vis, stokes)
    if needs:
        selected = measurementsets.rows_of_descriptions(selection)
        words = dict.fromkeys(needs[description] for description in needs.keys() & selected.keys())
        found += [f"{need} ({vis!r})" for need in words]
    return found


def _needs_of_correlations(vis: str, stokes: str) -> dict[int, str]:
    """DATA_DESC_ID -> what of its correlations ducc doesn't do, where there is something."""
    with casa.opened_table(f"{vis}/POLARIZATION") as table:
        types = [np.ravel(table.getcell("CORR_TYPE", row)).tolist() for row in range(table.nrows())]
    needs = [_need_of_types(entry, stokes) for entry in types]
    if not any(needs):
        return {}
    with casa.opened_table(f"{vis}/DATA_DESCRIPTION") as table:
        used = table.getcol("POLARIZATION_ID").tolist()
    return {description: needs[number] for description, number in enumerate(used) if needs[number]}


def _need_of_types(types: list[int], stokes: str) -> str:
    unknown = unknown_correlations(types)
    if unknown:
        return f"correlations of type {unknown}"
    there = correlation_names(types)
    is_partial = can_be_made(stokes, there) and lacking_correlations(stokes, there)
    return f"stokes={stokes!r} of {', '.join(there)} alone" if is_partial else ""
