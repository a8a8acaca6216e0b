"""CASA's gridder on some rows of a continuum image."""

from __future__ import annotations

from ..images.store import ImageStore
from ..toolrecords import ToolRecords
from ..traits import GRIDDERS
from .casa import CasaGridder
from .casa_evaluator import CasaEvaluator


class CasaRowGridder(CasaGridder):
    """A CasaGridder on a part of the rows, whose .pb is that of all data sets and fields: these may not all be here.

    Parameters
    ----------
    records : ToolRecords
        Of the part.
    whole : ToolRecords
        Of all rows, with the part's images.
    store : ImageStore
        The part's images.
    """

    def __init__(self, records: ToolRecords, whole: ToolRecords, store: ImageStore) -> None:
        super().__init__(records, store=store)
        self._whole = whole

    def make_pb(self) -> None:
        kinds = [GRIDDERS[record["gridder"]] for record in self._whole.gridpars]
        if any(kind.joins_pointings or kind.projects_aperture for kind in kinds):  # the beam comes with the weights
            super().make_pb()
        else:
            CasaEvaluator(self._whole).write_continuum_beams()
