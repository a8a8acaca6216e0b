"""Gridders behind one protocol, and the registry of all kinds of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..config import PcleanConfig
from ..toolrecords import Record, ToolRecords
from ..traits import CASA, DUCC
from .base import Gridder, RowGridder, WholeCube
from .casa import CasaGridder
from .casa_rows import CasaRowGridder
from .casa_slab import make_slab_gridder
from .ducc.gridder import DuccGridder, for_saving


@dataclass(frozen=True)
class Makers:
    """What makes an engine's gridders; all open the data and define the images of the records.

    Attributes
    ----------
    whole : callable
        (config, records): of a whole image.
    slab : callable
        (config, records, whole cube): of some channels of a cube.
    rows : callable
        (config, records of some rows, those of all, whether it makes .pb): of a part of a continuum image's rows.
    saving : callable
        (config, records, selections): saves the models that are on the disk, and reads nothing.
    """

    whole: Callable[[PcleanConfig, ToolRecords], Gridder]
    slab: Callable[[PcleanConfig, ToolRecords, WholeCube], Gridder]
    rows: Callable[[PcleanConfig, ToolRecords, ToolRecords, bool], RowGridder]
    saving: Callable[[PcleanConfig, ToolRecords, tuple[Record, ...]], Gridder]


ENGINE_MAKERS: dict[str, Makers] = {
    CASA: Makers(
        whole=lambda _, records: CasaGridder(records),
        slab=lambda _, records, whole: make_slab_gridder(records, whole),
        rows=lambda _, records, all_rows, __: CasaRowGridder(records, all_rows),
        saving=lambda _, records, selpars: CasaGridder(records, selpars),
    ),
    DUCC: Makers(
        whole=DuccGridder,
        slab=lambda config, records, whole: DuccGridder(config, records, whole=whole),
        rows=lambda config, records, all_rows, makes_pb: DuccGridder(
            config, records, makes_pb=makes_pb, beam_selpars=all_rows.selpars
        ),
        saving=lambda config, records, selpars: DuccGridder(config, for_saving(records, selpars), reads=False),
    ),
}


def makers(config: PcleanConfig) -> Makers:
    """What makes the gridders of a run's engine."""
    return ENGINE_MAKERS[config.engine]
