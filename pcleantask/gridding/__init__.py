"""Gridders behind one protocol, and the registry of all kinds of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from ..config import PcleanConfig
from ..images.store import ImageStore
from ..recordvalues import Record
from ..toolrecords import ToolRecords
from ..traits import CASA, DUCC
from .base import Gridder, RowGridder, WholeCube
from .casa import CasaGridder
from .casa_evaluator import CasaEvaluator
from .casa_rows import CasaRowGridder
from .casa_slab import make_slab_gridder
from .ducc.gridder import DuccGridder


@dataclass(frozen=True)
class Makers:
    """What makes an engine's gridders; all open the data and define the images of the records.

    Attributes
    ----------
    whole : callable
        (config, records, images): of a whole image.
    slab : callable
        (config, records, images, whole cube): of some channels of a cube.
    rows : callable
        (config, records of some rows, images, records of all rows, whether it makes .pb): of a part of a continuum
        image's rows.
    saving : callable
        (config, records, images, selections): saves the models that are on the disk, and reads nothing.
    """

    whole: Callable[[PcleanConfig, ToolRecords, ImageStore], Gridder]
    slab: Callable[[PcleanConfig, ToolRecords, ImageStore, WholeCube], Gridder]
    rows: Callable[[PcleanConfig, ToolRecords, ImageStore, ToolRecords, bool], RowGridder]
    saving: Callable[[PcleanConfig, ToolRecords, ImageStore, tuple[Record, ...]], Gridder]


ENGINE_MAKERS: dict[str, Makers] = {
    CASA: Makers(
        whole=lambda _, records, store: CasaGridder(records, store=store),
        slab=lambda _, records, store, whole: make_slab_gridder(records, whole, store),
        rows=lambda _, records, store, all_rows, __: CasaRowGridder(records, all_rows, store),
        saving=lambda _, records, store, selpars: CasaGridder(records, selpars, store),
    ),
    DUCC: Makers(
        whole=lambda config, records, store: DuccGridder(config, CasaEvaluator(records), store),
        slab=lambda config, records, store, whole: DuccGridder(config, CasaEvaluator(records), store, whole),
        rows=lambda config, records, store, all_rows, makes_pb: DuccGridder(
            config, CasaEvaluator(records, all_rows), store, makes_pb=makes_pb
        ),
        saving=lambda config, records, store, selpars: DuccGridder(
            config, CasaEvaluator(dataclasses.replace(records, selpars=selpars).for_saving()), store, reads=False
        ),
    ),
}


def makers(config: PcleanConfig) -> Makers:
    """What makes the gridders of a run's engine."""
    return ENGINE_MAKERS[config.engine]
