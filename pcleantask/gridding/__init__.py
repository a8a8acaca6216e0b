"""Gridders behind one protocol, and the one place that knows all kinds of them."""

from __future__ import annotations

from ..toolrecords import Record, ToolRecords
from .base import Gridder
from .casa_gridder import CasaGridder

GRIDDERS = {"casa": CasaGridder}


def make_gridder(engine: str, records: ToolRecords, selpars: tuple[Record, ...] | None = None) -> Gridder:
    """The gridder of that engine, with the data selected and the images defined."""
    return GRIDDERS[engine](records, selpars)
