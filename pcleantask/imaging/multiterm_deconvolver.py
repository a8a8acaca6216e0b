"""Deconvolver of Taylor terms in memory: MT-MFS as CASA's synthesisdeconvolver does it, on the same images."""

from __future__ import annotations

from .deconvolver import Deconvolver
from .memory_deconvolver import MemoryDeconvolver
from .mtmfs_making import MtmfsMaker


class MultiTermMemoryDeconvolver(MemoryDeconvolver):
    """Deconvolution of the Taylor terms of one image field with the planes in memory; see `MemoryDeconvolver`."""

    def _make_maker(self) -> MtmfsMaker:
        self._maker = MtmfsMaker(self._settings)
        return self._maker

    def restore(self) -> None:
        self._by_casa("restore")

    def pbcor(self) -> None:
        self._by_casa("pbcor")

    def _by_casa(self, method: str) -> None:
        deconvolver = Deconvolver(self.imagename, {**self._decpars, "startmodel": ""}, store=self._store)
        deconvolver.init_record()
        getattr(deconvolver, method)()
        deconvolver.close()
