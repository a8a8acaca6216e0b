"""The PSFs' beams in a part of a cube: which planes have their own, and the whole cube's for those that have none."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence

from ...config import PcleanConfig
from ...imaging.field_statistics import PSF_CUTOFF
from ...imaging.psf_beams import fitted_beams, largest_beam, plane_beams, refitted_beams, replace_beams
from ...recordvalues import Record
from ...traits import ENGINES
from ..partition import Slab


class SlabBeams:
    """The beams of the PSFs with these image names, field by field."""

    def __init__(self, config: PcleanConfig, slab: Slab, imagenames: Sequence[str]) -> None:
        self._config, self._slab, self._imagenames = config, slab, imagenames
        self._engine = ENGINES[config.engine]
        self._given: dict[str, dict[tuple[int, int], Record]] = {}

    def fitted(self, number: int) -> list[list[Record | None]]:
        """The beams [own channel][pol] of field `number`; None for a plane that has no own one."""
        npol = self._config.npol
        pols = range(1 if self._are_copied(number) else npol)
        found = fitted_beams(self._imagenames[number], self._psfcutoff(number), self._slab.own, pols)
        return [row * (npol // len(pols)) for row in found]

    def largest(self, number: int) -> Record | None:
        """The largest beam that CASA finds in own planes of field `number`; None where it finds none."""
        find = refitted_beams if self._are_copied(number) else fitted_beams
        pols = range(self._config.npol)
        found = find(self._imagenames[number], self._psfcutoff(number), self._slab.own, pols)
        return largest_beam(itertools.chain(*found))

    def give(self, number: int, where: list[tuple[int, int]], beam: Record) -> None:
        """Give planes (channel, pol) of field `number` another beam."""
        self._given[self._imagenames[number] + ".psf"] = dict.fromkeys(where, beam)
        self.give_again()

    def give_again(self) -> None:
        """Write all that were given, as CASA takes them back."""
        for path, beams in self._given.items():
            replace_beams(path, beams)

    @contextlib.contextmanager
    def replaced(self, number: int, beams: Mapping[tuple[int, int], Record]) -> Iterator[None]:
        """Meanwhile, planes (channel, pol) of field `number` have other beams; with ducc0 they keep theirs."""
        if not beams or self._engine.has_own_beams:
            yield
            return
        path = self._imagenames[number] + ".psf"
        former = plane_beams(path)
        replace_beams(path, beams)
        try:
            yield
        finally:
            replace_beams(path, {(chan, pol): former[chan][pol] for chan, pol in beams})

    def _are_copied(self, number: int) -> bool:
        """Whether all polarisations have the first one's beams: in the main field, by CASA."""
        return not self._engine.has_own_beams and number == 0 and self._config.npol > 1

    def _psfcutoff(self, number: int) -> float:
        """What the beams of field `number` were fitted with: CASA asks for the parameter in the main field alone."""
        is_asked = self._engine.has_own_beams or number == 0
        return self._config.gridding.psfcutoff if is_asked else PSF_CUTOFF
