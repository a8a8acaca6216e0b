"""CasaGridder: gridding with CASA's synthesisimager, the reference to the last bit."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import numpy as np

from .. import casa
from ..errors import ImagingError, ParameterError
from ..images.finite import channels_not_finite
from ..images.planes import is_image
from ..images.store import ImageStore
from ..measurementsets import written_at_once
from ..ownprocess import unbroken
from ..recordvalues import Record
from ..toolrecords import ToolRecords
from ..traits import GRIDDERS, makes_terms

NEWEST = {"awp2": (6, 7, 0)}  # gridders that a casatools before this one takes for standard, without a word
CF_FILE = re.compile("CFS*")  # the names that synthesisimager gives its convolution functions


class CasaGridder:
    """A Gridder on `synthesisimager`.

    Parameters
    ----------
    records : ToolRecords
        Selections and definitions of the images. The calls and their order follow casatasks' imager_base.py
        (initializeImagers, setWeighting).
    selpars : sequence of dict, optional
        Selections in place of the records' own, as for saving the model after the loop.
    store : ImageStore, optional
        The images of the run, where others have them in memory.

    Raises
    ------
    ImagingError
        The tool refuses a selection or an image definition; the message is CASA's.
    """

    def __init__(
        self, records: ToolRecords, selpars: tuple[Record, ...] | None = None, store: ImageStore | None = None
    ) -> None:
        self._records, self._store = records, store or ImageStore(keeps=False)
        self._has_warned = False
        self._selpars = selpars or records.selpars
        self._tool: Any = casa.load().synthesisimager()
        try:
            with self._store.on_disk("selecting the data and defining the images"), self._writing_at_once():
                with unbroken:  # columns may be made
                    for record in self._selpars:
                        self._tool.selectdata(record)
                for impars, gridpars in zip(records.impars, records.gridpars, strict=True):
                    self._tool.defineimage(impars, gridpars)
                self._tool.normalizerinfo(records.normpars[0])
                self._make_convolution_functions()
        except BaseException:
            self.close()
            raise

    @property
    def nchan(self) -> int:
        with self._store.in_scratch():
            return int(self._tool.updatenchan())

    def set_weighting(self) -> None:
        """Set the imaging weights; the images must be defined, as their cells are the weights' cells."""
        with self._store.on_disk("setting the imaging weights"):
            self._tool.setweighting(**self._records.weightpars)

    def weight_density(self) -> str:
        """Write the density from which uniform weights come as an image; its path, '' where the weights have none."""
        with self._store.on_disk("writing the density of weights"):
            return str(self._tool.getweightdensity())

    def use_weight_density(self, path: str = "") -> None:
        """Set the weights by a density on disk.

        Parameters
        ----------
        path : str
            An image that another gridder's `weight_density` has written, with the constants of its weighting; ''
            reads the image that this gridder's own has written, whatever is in it by now, and finds the constants anew.
        """
        with self._store.on_disk("setting the density of weights"):
            self._tool.setweightdensity(path)

    def make_psf(self) -> None:
        self._check_data()
        with self._store.on_disk("making the PSF"):
            self._tool.makepsf()
        self._warn_unless_finite("sumwt")

    def make_pb(self) -> None:
        """For cubes with the standard gridder there is nothing to do: CASA makes .pb along with the PSF."""
        made_with_psf = (
            "stand" in self._records.gridpars[0]["gridder"] and "cube" in self._records.impars[0]["specmode"]
        )
        if not made_with_psf:
            with self._store.on_disk("making the primary beam"):
                self._tool.makepb()

    def check_pb(self) -> None:
        with self._store.on_disk("checking the primary beam"):
            path = self._tool.getImageName(0, "PB")
        with casa.working_on("checking the primary beam"), casa.opened_image(path) as image:
            edge = image.getchunk()
        edge[1:-2, 1:-2] = 0
        if edge.max() > 0:
            place = [int(i) for i in np.unravel_index(edge.argmax(), edge.shape)]
            casa.post(
                f"The primary beam is not zero at the edge of the image ({edge.max()} at pixel {place}), "
                "which can alias; a larger imsize avoids it",
                "WARN",
            )

    def major_cycle(self, *, last: bool) -> None:
        self._check_data()
        writing = self._writing_at_once() if last else contextlib.nullcontext()
        with self._store.on_disk("running a major cycle"), writing:
            self._tool.executemajorcycle(controls={"lastcycle": last, "usemask": self._records.decpars[0]["usemask"]})
        self._warn_unless_finite("residual")

    def _warn_unless_finite(self, kind: str) -> None:
        """Warn, once, of images into which CASA has gridded NaN or Inf."""
        for impars, gridpars in zip(self._records.impars, self._records.gridpars, strict=True):
            term = ".tt0" if makes_terms(gridpars["deconvolver"]) else ""
            path = f"{impars['imagename']}.{kind}{term}"
            lost = [] if self._has_warned or not is_image(path) else channels_not_finite(path)
            if lost:
                self._has_warned = True
                casa.post(
                    f"{Path(path).name} isn't finite in channels {lost}: visibilities that aren't flagged are NaN or "
                    "Inf, or their weights are. flagdata(mode='clip') flags them; engine='ducc' leaves them out",
                    "WARN",
                )

    def predict(self, *, tuned: bool = False) -> None:
        with self._store.on_disk("predicting the model visibilities"), self._writing_at_once():
            if tuned:
                self._tool.tuneselectdata()
            self._tool.predictmodel()

    def _writing_at_once(self) -> contextlib.AbstractContextManager[None]:
        """A block in which CASA may write to the column of models."""
        return written_at_once(record["msname"] for record in self._selpars if record["usescratch"])

    def make_image(self, kind: str, path: str) -> None:
        """Write one image of the kind 'psf', 'observed', ... of the first field to `path`."""
        with self._store.on_disk(f"making the image {kind!r}"):
            self._tool.makeimage(kind, path, "", 0)

    def estimate_memory(self) -> float:
        with self._store.in_scratch():
            return float(self._tool.estimatememory())

    def unlock(self, number: int) -> None:
        """Release the locks on the images of field `number`."""
        with self._store.in_scratch():
            self._tool.unlockimages(number)

    def close(self) -> None:
        with self._store.in_scratch():
            self._tool.done()

    def _check_data(self) -> None:
        """Raise ImagingError where the data are gone.

        For cubes CASA opens them anew in each cycle. Where it can't, it leaves a message to itself half read, and the
        next cube of the process crashes.
        """
        for record in self._records.selpars:
            if not Path(record["msname"]).is_dir():
                raise ImagingError(f"vis {record['msname']!r} is no longer there; bring it back and start again")

    def _make_convolution_functions(self) -> None:
        """Fill the cache of A-projection's convolution functions, which cubes need before CASA partitions them."""
        gridpars = self._records.gridpars[0]
        if not (GRIDDERS[gridpars["gridder"]].keeps_cache and "cube" in self._records.impars[0]["specmode"]):
            return
        cache = Path(gridpars["cfcache"])
        if cache.is_dir():
            return
        self._tool.drygridding(cflist=[])
        functions = [entry.name for entry in cache.iterdir() if CF_FILE.match(entry.name)] if cache.is_dir() else []
        switches = (gridpars[name] for name in ("psterm", "aterm", "conjbeams"))
        self._tool.fillcfcache(functions, gridpars["gridder"], gridpars["cfcache"], *switches)
        self._tool.reloadcfcache()


def check_known(gridder: str) -> None:
    """Raise ParameterError where the casatools at hand hasn't that gridder."""
    first, version = NEWEST.get(gridder, ()), casa.version()
    if version < first:
        needed, found = (".".join(map(str, numbers)) for numbers in (first, version))
        raise ParameterError(
            f"gridder={gridder!r} needs casatools {needed} or newer, and here is {found}; install a newer one, or use "
            f"'awproject' or 'mosaic'"
        )
