"""The coordinate systems of a run's images, as CASA makes them of the parameters and the data."""

from __future__ import annotations

from ... import casa
from ...images.coordinates import ImageCoordinates
from ...toolrecords import ToolRecords
from .casacore_memory import forget


def image_coordinates(records: ToolRecords, *, with_model: bool = False) -> list[ImageCoordinates]:
    """Each field's coordinate system, as CASA finds it in a process of its own.

    Parameters
    ----------
    records : ToolRecords
    with_model : bool
        Copy the starting model, where there is one, to the image's .model on the way, as CASA does in serial runs.
    """
    left_out = {} if with_model else {"startmodel": ""}
    found = []
    if any("cube" in impars["specmode"] for impars in records.impars):
        forget()
    for impars, gridpars in zip(records.impars, records.gridpars, strict=True):
        with casa.tool("synthesisimager") as tool, casa.working_on("defining the image"):
            for record in records.selpars:
                tool.selectdata(record)
            tool.defineimage({**impars, **left_out}, gridpars)
            found.append(ImageCoordinates(tool.getcsys()["coordsys"], int(tool.updatenchan())))
    return found
