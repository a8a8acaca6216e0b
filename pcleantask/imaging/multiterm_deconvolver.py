"""Deconvolver of Taylor terms in memory: MT-MFS as CASA's synthesisdeconvolver does it, on the same images."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ImagingError
from ..images.store import Key, Pixels
from .deconvolver import Deconvolver
from .memory_deconvolver import MemoryDeconvolver
from .mtmfs import principal_solution
from .mtmfs_making import MtmfsMaker
from .restoration import restore
from .spectral_index import write_spectral_index

UNMASKED = {"usemask": "user", "mask": "", "startmodel": "", "nsigma": 0.0}


class MultiTermMemoryDeconvolver(MemoryDeconvolver):
    """Deconvolution of the Taylor terms of one image field with the planes in memory; see `MemoryDeconvolver`.

    Images are corrected for the primary beam by CASA's tool, which does so for ALMA alone.
    """

    def _make_maker(self) -> MtmfsMaker:
        self._maker = MtmfsMaker(self._settings)
        return self._maker

    def restore(self) -> None:
        """Write .image, .alpha, .alpha.error and .beta of the Taylor terms.

        Follows SDAlgorithmMSMFS::restore (casatools 6.7).
        """
        self._store.look()
        self._need_model()
        residuals = {key: self._solution(key) for key in self._field.keys}
        restore(self._field, self._settings.restoringbeam, residuals.__getitem__)
        write_spectral_index(self._field, residuals)

    def _solution(self, key: Key) -> Sequence[Pixels]:
        """What is added to the models; the residuals as they are, where the data don't tell the terms apart."""
        residuals = [image.plane(*key) for image in self._field.terms("residual")]
        try:
            return principal_solution(residuals, self._maker.products(self._field, key))
        except ImagingError:
            return residuals

    def pbcor(self) -> None:
        """Write .image.tt0.pbcor, ..., where CASA does."""
        deconvolver = Deconvolver(self.imagename, {**self._decpars, **UNMASKED}, store=self._store)
        try:
            deconvolver.pbcor()
        finally:
            deconvolver.close()
