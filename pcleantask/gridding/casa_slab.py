"""CASA's gridder on a slab of a cube. With briggsbwtaper the weights' fractional bandwidth must be the whole cube's.

`synthesisimager.setweighting` takes the bandwidth from the largest image that `defineimage` was called with, and keeps
it. CASA notes an image's size and coordinates before it makes its gridding machine, so that an image whose machine
can't be made leaves nothing behind but these. Such images, hardly larger than the part, tell CASA the whole cube's
coordinates before the weights are set, and the part's again after it.
Source: CASA's SynthesisImagerVi2.cc (defineImage, weight, nSubCubeFitInMemory).
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import casa
from ..errors import ImagingError
from ..images.coordinates import ImageCoordinates
from ..images.store import ImageStore
from ..recordvalues import Record
from ..toolrecords import ToolRecords
from .base import WholeCube
from .casa import CasaGridder

COMPLAINTS = ("Error in setting up FTMachine()", "is not an efficient imagesize")
NO_MACHINE: Record = {"deconvolver": "mtmfs"}  # a gridding machine of taylor terms...
NO_TERMS: Record = {"deconvolver": "mtmfs", "nterms": 0, "startmodel": ""}  # ...can't be made of none


class WholeBandGridder(CasaGridder):
    """A CasaGridder on a part of a cube, whose weights are the whole cube's.

    Parameters
    ----------
    records : ToolRecords
        Of the part.
    coordinates : sequence of ImageCoordinates
        Each field's, of the whole cube.
    store : ImageStore
        The part's images.
    """

    def __init__(self, records: ToolRecords, coordinates: Sequence[ImageCoordinates], store: ImageStore) -> None:
        super().__init__(records, store=store)
        areas = [nx * ny for nx, ny in (record["imsize"] for record in records.impars)]
        self._largest = areas.index(max(areas))
        whole = coordinates[self._largest]
        self._whole: Record = {"csys": whole.record, "nchan": whole.nchan}

    def set_weighting(self) -> None:
        self._tell_of_image(self._whole, rows=1)
        super().set_weighting()
        self._tell_of_image({}, rows=2)

    def _tell_of_image(self, changes: Record, rows: int) -> None:
        """Have CASA note size and coordinates of the largest image, with changes and some more rows of pixels."""
        impars, gridpars = (found[self._largest] for found in (self._records.impars, self._records.gridpars))
        nx, ny = impars["imsize"]
        try:
            with casa.working_on("noting the band"), casa.without_messages(*COMPLAINTS):
                self._tool.defineimage(
                    {**impars, **changes, **NO_TERMS, "imsize": [nx, ny + rows]}, {**gridpars, **NO_MACHINE}
                )
        except ImagingError:
            return
        raise ImagingError("CASA has made an image that is only to tell it of a cube's band; use parallel=False")


def make_slab_gridder(records: ToolRecords, whole: WholeCube, store: ImageStore) -> CasaGridder:
    """The gridder of a slab: where the weights depend on the whole cube's bandwidth, one that knows it."""
    if records.densities.by_bandwidth:
        return WholeBandGridder(records, whole.coordinates, store)
    return CasaGridder(records, store=store)
