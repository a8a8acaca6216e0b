"""Taylor-term images from the images of a cube, and a cube's model from Taylor terms; by CASA's synthesisutils."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import casa

PIXELS = {"float": "f", "double": "d", "complex": "c", "dcomplex": "cd"}  # types of pixels, in getting and in making
KINDS = {"psf": 0, "residual": 1, "pb": 2, "sumwt": 3}  # the numbers that cube_to_taylor_sum has for kinds of images
CUBES = frozenset({".psf", ".pb", ".weight", ".residual", ".model"})  # suffixes of the cubes beside the terms
MASKED = ("pb", "residual")  # kinds whose terms have a pixel mask, as the primary beam wants it


@dataclass(frozen=True)
class TaylorTerms:
    """The Taylor terms `<imagename>.<kind>.tt<n>` beside the cubes `<imagename>.<kind>` of one image field.

    Term n of an image is the mean of the cube's channels times ((nu - reffreq) / reffreq)^n, each weighted with its
    primary beam over the mean one, and zero where that one is below pblimit. Follows PyMtmfsViaCubeSynthesisImager of
    casatasks' imager_mtmfs_via_cube.py (6.7.0): cube2tt, tt2cube.

    Attributes
    ----------
    imagename : str
        Name of all the images without their suffixes.
    nterms : int
        Terms of the model.
    reffreq : str
        The frequency about which they are expanded, a quantity.
    pblimit : float
        The level of the primary beam that ends the images; a negative one makes no pixel masks.
    """

    imagename: str
    nterms: int
    reffreq: str
    pblimit: float

    def make(self, *kinds: str) -> None:
        """Make the terms of these kinds anew, and sum them up; the first time of a run, `pb` must be the first kind."""
        for kind in kinds:
            for path in self._paths(kind):
                if Path(path).exists():
                    shutil.rmtree(path)
                make_term(f"{self.imagename}.{kind}", path)
                if kind in MASKED and self.pblimit > 0:
                    self._mask(path)
        self.sum_up(*kinds)

    def sum_up(self, *kinds: str) -> None:
        """Sum the cubes of these kinds up in their terms, which are there."""
        for kind in kinds:
            self._call(
                "cube_to_taylor_sum", nterms=self.nterms, reffreq=self.reffreq, imtype=KINDS[kind], **self._level
            )

    def flatten_residual(self) -> None:
        """Give all channels of the residual cube the one primary beam of the terms, in place of their own."""
        self._call("remove_freq_dep_pb", **self._level)

    def write_model(self) -> None:
        """Write the cube's model from the terms of the model, each channel with its own primary beam."""
        self._call("taylor_coeffs_to_cube", nterms=self.nterms, reffreq=self.reffreq)
        self._call("apply_freq_dep_pb", **self._level)

    @property
    def _level(self) -> dict[str, float]:
        return {"pblimit": abs(self.pblimit)}

    def _paths(self, kind: str) -> list[str]:
        """The terms of a kind: of what the PSF gives there are more, as products of two terms need them."""
        counts = {"pb": 1, "residual": self.nterms}
        return [f"{self.imagename}.{kind}.tt{term}" for term in range(counts.get(kind, 2 * self.nterms - 1))]

    def _mask(self, path: str) -> None:
        with casa.opened_image(path) as image:
            image.calcmask(f'"{self.imagename}.pb.tt0">{abs(self.pblimit)}')

    def _call(self, method: str, **arguments: Any) -> None:
        with casa.tool("synthesisutils") as utilities:
            getattr(utilities, method)(cubename=self.imagename, mtname=self.imagename, **arguments)


def make_term(cube: str, path: str) -> None:
    """Make an image of zeros at `path` whose one channel is all of a cube's, with what else the cube has but beams."""
    with casa.opened_image(cube) as image:
        shape, pixels, information = image.shape(), image.pixeltype(), image.miscinfo()
        coordinates = image.coordsys()
    try:
        _widen_channel(coordinates, int(shape[3]))
        with casa.tool("image") as image:
            blank = np.zeros([*shape[:3], 1], dtype=np.dtype(PIXELS[pixels].replace("cd", "D").replace("c", "F")))
            image.fromarray(path, pixels=blank, csys=coordinates.torecord(), type=PIXELS[pixels])
    finally:
        coordinates.done()
    _copy_information(cube, path)
    with casa.opened_image(path) as image:
        image.setmiscinfo({**image.miscinfo(), **information})


def _widen_channel(coordinates: Any, nchan: int) -> None:
    """Make one channel of `nchan`, in the middle of them."""
    ends = [coordinates.toworld([0, 0, 0, channel])["numeric"][3] for channel in (0, nchan - 1)]
    increment = coordinates.increment(type="spectral")
    increment["numeric"] *= nchan
    coordinates.setincrement(increment, type="spectral")
    centre = coordinates.referencevalue(type="spectral")
    centre["numeric"] = sum(ends) / 2.0
    coordinates.setreferencevalue(centre, type="spectral")
    coordinates.setreferencepixel(0.0, "spectral")


def _copy_information(cube: str, path: str) -> None:
    """What CASA calls the information of an image, the beams of channels apart."""
    with casa.opened_table(cube) as table:
        information = table.getkeyword("imageinfo")
    information.pop("perplanebeams", None)
    with casa.opened_table(path, writable=True) as table:
        own = table.getkeyword("imageinfo") if "imageinfo" in table.keywordnames() else {}
        table.putkeyword("imageinfo", {**own, **information})
