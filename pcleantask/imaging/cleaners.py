"""Which deconvolver a run gets: CASA's, or the one in memory."""

from __future__ import annotations

from ..config import PcleanConfig
from ..images.store import ImageStore
from ..recordvalues import CleanSettings, Record
from ..sections import ImageField
from ..traits import ALGORITHMS, ENGINES
from .deconvolver import Deconvolver
from .memory_deconvolver import MemoryDeconvolver
from .multiterm_deconvolver import MultiTermMemoryDeconvolver

AnyDeconvolver = Deconvolver | MemoryDeconvolver


def is_in_memory(config: PcleanConfig, field: ImageField) -> bool:
    """Whether a field is cleaned by MemoryDeconvolver.

    With nsigma the thresholds of planes rest on what only CASA's own automask has measured.
    """
    by_automask = field.usemask == "auto-multithresh"
    can_mask = not by_automask or (config.run.automaskengine == "numpy" and config.iteration.nsigma <= 0)
    return ENGINES[config.engine].holds_planes and ALGORITHMS[field.deconvolver].in_memory and can_mask


def make_deconvolver(imagename: str, decpars: Record, store: ImageStore, *, in_memory: bool) -> AnyDeconvolver:
    """A deconvolver from the record of `masking.mask_decpars`."""
    if not in_memory:
        return Deconvolver(imagename, decpars, store=store)
    kind = MultiTermMemoryDeconvolver if CleanSettings.of(decpars).nterms else MemoryDeconvolver
    return kind(imagename, decpars, store=store)
