"""The images of one field that a gridder makes, on disk: laid out as CASA's, written some channels at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .... import casa
from ....config import PcleanConfig
from ....images.coordinates import ImageCoordinates
from ....images.information import keywords, put_information
from ....images.making import copy_pixel_mask, make_image
from ....images.pixels import WRITTEN_PIXELS, channel_groups, has_pixel_mask, pixels_at_once
from ....images.store import ImageStore, StoredImage, kept_pixels
from ....sections import ImageField
from ....traits import GRIDDERS
from .weight_division import divide_model, divide_residual


@dataclass(frozen=True)
class FieldImages:
    """What the images of a field have in common.

    Attributes
    ----------
    imagename : str
        Name of the images without their suffixes.
    shape : tuple of int
        (nx, ny, npol, nchan).
    coordinates : ImageCoordinates
    nterms : int
        Taylor terms of the model; 0 where the images have none.
    is_cube : bool
        Whether CASA's gridder would normalize the images itself.
    wide : bool
        Whether the gridder takes the term in w.
    is_mosaic : bool
        Whether the gridder joins pointings, and makes an image of their weights.
    pblimit, psfcutoff : float
        Level of the primary beam at the edge of the image, and of the PSF where the fit of its beam ends.
    normtype : str
        By what a mosaic's weights divide it: 'flatnoise', 'flatsky' or 'pbsquare'.
    store : ImageStore
        The images of the run.
    at_once : int
        Pixels of an image that may be in memory before they are written.
    """

    imagename: str
    shape: tuple[int, int, int, int]
    coordinates: ImageCoordinates
    nterms: int
    is_cube: bool
    wide: bool
    is_mosaic: bool
    pblimit: float
    psfcutoff: float
    normtype: str
    store: ImageStore
    at_once: int = WRITTEN_PIXELS

    @classmethod
    def of(
        cls, config: PcleanConfig, field: ImageField, imagename: str, coordinates: ImageCoordinates, store: ImageStore
    ) -> FieldImages:
        """The images of a field that CASA's gridder would make, with its coordinates."""
        return cls(
            imagename=imagename,
            shape=(*field.imsize, len(coordinates.stokes), coordinates.nchan),
            coordinates=coordinates,
            nterms=field.nterms if field.multiterm else 0,
            is_cube=field.is_cube,
            wide=GRIDDERS[field.gridder].takes_w,
            is_mosaic=GRIDDERS[field.gridder].joins_pointings,
            pblimit=config.gridding.pblimit,
            psfcutoff=config.gridding.psfcutoff,
            normtype=config.gridding.normtype,
            store=store,
            at_once=max(pixels_at_once(), kept_pixels()),
        )

    @property
    def channel_groups(self) -> list[range]:
        """The channels that are made together; all, where the store keeps them."""
        return channel_groups(self.shape, self.at_once)

    def information(self, kind: str) -> dict[str, Any]:
        """Keywords of an image of that kind, such as CASA writes: what it wrote to .pb, if that is there, all tell."""
        if self.exists("pb"):
            told = keywords(self.path("pb"))
        else:
            told = {
                "imageinfo": {"imagetype": "Intensity", "objectname": ""},
                "miscinfo": {"INSTRUME": self.coordinates.telescope, "distance": 0.0},
            }
        return told | {"miscinfo": told["miscinfo"] | {"useweightimage": self.is_mosaic}} if kind == "sumwt" else told

    def share_information(self) -> None:
        """Have the images made before .pb tell what that does."""
        for kind, terms in (("psf", self.psf_terms), ("sumwt", self.psf_terms), ("residual", self.model_terms)):
            for term in range(terms):
                if self.exists(kind, term):
                    put_information(self.path(kind, term), self.information(kind))

    @property
    def model_terms(self) -> int:
        """Images of the model, and of the residual."""
        return max(1, self.nterms)

    @property
    def psf_terms(self) -> int:
        """Images of the PSF, and of the sum of weights."""
        return max(1, 2 * self.nterms - 1)

    def path(self, kind: str, term: int = 0) -> str:
        """Where the image of that kind and Taylor term is."""
        return f"{self.imagename}.{kind}.tt{term}" if self.nterms else f"{self.imagename}.{kind}"

    def exists(self, kind: str, term: int = 0) -> bool:
        return Path(self.path(kind, term)).is_dir()

    def make(self, kind: str) -> None:
        """Make the images of a kind, such as 'psf', all zero; residuals that are there stay."""
        for term in range({"residual": self.model_terms, "pb": 1}.get(kind, self.psf_terms)):
            if kind == "residual" and self.exists(kind, term):
                continue
            shape = (1, 1, *self.shape[2:]) if kind == "sumwt" else self.shape
            make_image(self.path(kind, term), shape, self.coordinates.record, information=self.information(kind))

    def planes(self, count: int, kind: str = "") -> NDArray[np.float32]:
        """Room for some channels of a kind of image: zeros, float32 [chan, pol, y, x]."""
        nx, ny, npol, _ = self.shape
        return np.zeros((count, npol, *((1, 1) if kind == "sumwt" else (ny, nx))), dtype=np.float32)

    def image(self, kind: str, term: int = 0) -> StoredImage:
        """The image of that kind and Taylor term."""
        return self.store.image(self.path(kind, term))

    def put(self, kind: str, planes: NDArray[np.float32], start: int, term: int = 0) -> None:
        """Change channels from `start` on to float32 [chan, pol, y, x], which mustn't be used afterwards.

        Continuum images go to the disk, as CASA is still to normalize them.
        """
        image = self.image(kind, term)
        if self.is_cube:
            image.put_channels(planes, start)
        else:
            image.write_channels(planes, start)

    def divide_residual(self, planes: NDArray[np.float32], start: int) -> None:
        """Divide a mosaic's residuals [chan, pol, y, x] from channel `start` on by its weights, in place."""
        weights = self.image("weight")
        for chan, pol in np.ndindex(planes.shape[:2]):
            weight = weights.plane(start + chan, pol)
            planes[chan, pol] = divide_residual(planes[chan, pol], weight, self.normtype, self.pblimit)

    def sky(self, model: NDArray[np.float32], chan: int, pol: int) -> NDArray[np.float32]:
        """The sky's brightness of a plane [y, x] of a mosaic's model."""
        return divide_model(model, self.image("weight").plane(chan, pol), self.normtype, self.pblimit)

    def mask_residual(self) -> None:
        """Give a residual that has no pixel mask that of the primary beam, as SIImageStore::divideResidualByWeight."""
        beam = self.path("pb")
        for term in range(self.model_terms):
            residual = self.path("residual", term)
            if self.pblimit >= 0 and not has_pixel_mask(residual):
                copy_pixel_mask(beam, residual)

    def fit_beams(self) -> None:
        """Fit a Gaussian to every plane of the PSF, and keep the beams with it."""
        with self.store.on_disk("fitting the beams"), casa.tool("synthesisutils") as utilities:
            utilities.fitPsfBeam(imagename=self.imagename, nterms=max(1, self.nterms), psfcutoff=self.psfcutoff)
