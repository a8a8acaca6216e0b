"""briggsbwtaper in parts of a cube: the weights' fractional bandwidth must be that of the whole cube.

`synthesisimager.setweighting` takes the bandwidth from the largest image defined at that moment, and images defined
later change nothing in it. So a dummy image is defined first, whose channels run over the whole cube's band.
"""

from __future__ import annotations

import copy
import dataclasses
import shutil
from pathlib import Path
from typing import Any

from .. import casa
from ..gridding.casa_gridder import CasaGridder
from ..images.products import products
from ..toolrecords import Record, ToolRecords
from .partition import spectral_axis

DUMMY_SIZE = 16  # pixels on a side
DUMMY_CELL = 100  # times the part's: hardly any visibility falls on the dummy's grid, so that it costs next to nothing


def dummy_coordinates(coordinates: Record, nchan: int, size: int) -> Record:
    """Coordinates of a dummy with `size` channels from the first channel of a cube of `nchan` channels to its last."""
    record = copy.deepcopy(coordinates)
    spectral = spectral_axis(record)
    spectral["crval"] -= spectral["crpix"] * spectral["cdelt"]
    spectral["crpix"] = 0.0
    spectral["cdelt"] *= (nchan - 1) / (size - 1)
    direction = record[next(name for name in record if name.startswith("direction"))]
    direction["cdelt"] = direction["cdelt"] * DUMMY_CELL
    direction["crpix"] = direction["crpix"] * 0 + DUMMY_SIZE // 2
    return record


class WholeBandGridder(CasaGridder):
    """A CasaGridder on a part of a cube, whose weights are the whole cube's.

    Parameters
    ----------
    records : ToolRecords
        Of the part.
    coordinates : dict
        The main field's coordinate system of the whole cube.
    nchan : int
        Number of the whole cube's channels.
    psfcutoff : float
        Level of the PSF down to which beams are fitted.
    """

    def __init__(self, records: ToolRecords, coordinates: Record, nchan: int, psfcutoff: float) -> None:
        self._psfcutoff = psfcutoff
        self._part_names = [str(record["imagename"]) for record in records.impars]
        self._dummy = self._part_names[0] + ".band"
        impars = {
            **records.impars[0],
            "imagename": self._dummy,
            "imsize": [DUMMY_SIZE, DUMMY_SIZE],
            "startmodel": "",
            "csys": dummy_coordinates(coordinates, nchan, records.impars[0]["nchan"]),
        }
        gridpars = {**records.gridpars[0], "imagename": self._dummy}
        super().__init__(dataclasses.replace(records, impars=(impars,), gridpars=(gridpars,)))
        try:
            super().set_weighting()
            self._records = records
            with casa.working_on("defining the images"):
                for record, grid in zip(records.impars, records.gridpars, strict=True):
                    self._tool.defineimage(record, grid)
                self._tool.normalizerinfo(records.normpars[0])
        except BaseException:
            self.close()
            raise

    def set_weighting(self) -> None:
        """The weights are set when the dummy alone is defined."""

    def make_psf(self) -> None:
        """Make the PSFs; CASA stores the beams of the first image, so the parts' are fitted here."""
        super().make_psf()
        with casa.tool("synthesisutils") as utilities, casa.working_on("fitting the beams"):
            for name in self._part_names:
                utilities.fitPsfBeam(imagename=name, nterms=1, psfcutoff=self._psfcutoff)

    def major_cycle(self, *, last: bool) -> None:
        self._make_dummy_model()
        super().major_cycle(last=last)

    def close(self) -> None:
        super().close()
        for path, _ in list(products(self._dummy)):
            shutil.rmtree(path, ignore_errors=True)

    def _make_dummy_model(self) -> None:
        """As soon as the part has a model the dummy needs one, all zero; before that it must not have one."""
        model = self._dummy + ".model"
        if Path(model).exists() or not Path(self._part_names[0] + ".model").exists():
            return
        with casa.opened_image(self._dummy + ".psf") as psf:
            shape, coordinates = [int(size) for size in psf.shape()], psf.coordsys()
        image = casa.load().image()
        image.fromshape(outfile=model, shape=shape, csys=coordinates.torecord(), log=False)
        image.close()
        coordinates.done()


def is_needed(weightpars: dict[str, Any]) -> bool:
    """Whether the weights depend on the whole cube's bandwidth."""
    return weightpars["rmode"] == "bwtaper"
