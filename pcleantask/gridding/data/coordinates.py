"""The coordinate systems of a run's images, as CASA makes them of the parameters and the data."""

from __future__ import annotations

from ... import casa
from ...toolrecords import Record, ToolRecords
from .casacore_memory import forget


def coordinate_key(csys: Record, kind: str) -> str:
    """The key of a coordinate, such as 'direction0', in the record of a coordinate system."""
    return next(name for name in csys if name.startswith(kind) and name[len(kind) :].isdigit())


def reference_frequency(csys: Record) -> float:
    """The frequency at an image's reference pixel [Hz].

    Channels that are evenly spaced in optical velocity have a table in place of an increment, one channel alone too.
    """
    spectral = csys[coordinate_key(csys, "spectral")]
    return float(spectral["wcs"]["crval"] if "wcs" in spectral else spectral["tabular"]["crval"][0])


def image_coordinates(records: ToolRecords, *, with_model: bool = False) -> list[tuple[Record, int]]:
    """Each field's coordinate system and number of channels, as CASA finds them in a process of its own.

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
            found.append((tool.getcsys()["coordsys"], int(tool.updatenchan())))
    return found
