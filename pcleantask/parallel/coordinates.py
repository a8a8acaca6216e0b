"""The coordinate systems of a run's images, as CASA makes them of the parameters and the data."""

from __future__ import annotations

from typing import Any

from ..config import PcleanConfig
from ..gridding.data import coordinates
from ..recordvalues import Record
from ..toolrecords import tool_records


def image_coordinates(config: dict[str, Any], names: list[str], with_model: bool = False) -> list[tuple[Record, int]]:
    """What each field's `ImageCoordinates` are made of: CASA's record, and the number of channels.

    Called in a worker: the last bits of frequencies that CASA's measures give depend on what its process has converted
    before, and the workers' must be those of the images' axis.

    Parameters
    ----------
    config : dict
        A `PcleanConfig.to_dict`.
    names : list of str
        Each field's image name.
    with_model : bool
        Copy the starting model, where there is one, to the image's .model on the way, as CASA does in serial runs.
    """
    records = tool_records(PcleanConfig.from_dict(config), tuple(names))
    found = coordinates.image_coordinates(records, with_model=with_model)
    return [(image.record, image.nchan) for image in found]
