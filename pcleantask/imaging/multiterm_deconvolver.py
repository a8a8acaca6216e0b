"""Deconvolver of Taylor terms in memory: MT-MFS as CASA's synthesisdeconvolver does it, on the same images."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ImagingError
from ..images.store import Key, Pixels
from ..toolrecords import restoring_only
from .deconvolver import Deconvolver
from .memory_deconvolver import MemoryDeconvolver
from .mtmfs import principal_solution
from .mtmfs_making import MtmfsMaker
from .restoration import restore
from .spectral_index import write_spectral_index


class MultiTermMemoryDeconvolver(MemoryDeconvolver):
    """Deconvolution of the Taylor terms of one image field with the planes in memory; see `MemoryDeconvolver`.

    Images are corrected for the primary beam by CASA's tool, which does so for ALMA alone.
    """

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
        assert isinstance(self._make, MtmfsMaker)
        residuals = [image.plane(*key) for image in self._field.terms("residual")]
        try:
            return principal_solution(residuals, self._make.products(self._field, key))
        except ImagingError:
            return residuals

    def pbcor(self) -> None:
        """Write .image.tt0.pbcor, ..., where CASA does."""
        deconvolver = Deconvolver(self.imagename, restoring_only(self._decpars), store=self._store)
        try:
            deconvolver.pbcor()
        finally:
            deconvolver.close()

    def _planes(self, nx: int, ny: int) -> int:
        """Follows SDAlgorithmMSMFS::estimateRAM (casatools 6.7): patches of PSFs are of 100 x 100 pixels."""
        scales, terms = max(1, len(self._settings.scales)), self._settings.nterms
        patches = scales * (scales + 1) // 2 * (terms * (terms + 1) // 2) + scales
        return super()._planes(nx, ny) + 5 * terms + 2 * terms * scales + int(100 / nx * 100 / ny * patches)
