"""Gridders behind one protocol, and the one place that knows all kinds of them."""

from __future__ import annotations

from collections.abc import Callable

from ..config import PcleanConfig
from ..engines import CASA, DUCC
from ..toolrecords import Record, ToolRecords
from .base import Gridder
from .casa import CasaGridder
from .ducc.gridder import DuccGridder, for_saving

Maker = Callable[[PcleanConfig, ToolRecords], Gridder]
GRIDDERS: dict[str, Maker] = {CASA: lambda _, records: CasaGridder(records), DUCC: DuccGridder}


def make_gridder(config: PcleanConfig, records: ToolRecords, selpars: tuple[Record, ...] | None = None) -> Gridder:
    """The gridder of the run's engine, with the data selected and the images defined.

    Parameters
    ----------
    config : PcleanConfig
    records : ToolRecords
    selpars : tuple of dict, optional
        Selections with which the final model may be saved: then the gridder is for that.
    """
    if selpars is None:
        return GRIDDERS[config.engine](config, records)
    if config.engine == DUCC:
        return DuccGridder(config, for_saving(records, selpars), reads=False)
    return CasaGridder(records, selpars)
