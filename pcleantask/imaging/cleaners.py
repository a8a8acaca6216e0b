"""The kinds of deconvolver, and which of them a run gets."""

from __future__ import annotations

from collections.abc import Callable

from ..config import ImageField, PcleanConfig
from ..toolrecords import Record
from .deconvolver import Deconvolver
from .memory_deconvolver import ALGORITHMS, MemoryDeconvolver

AnyDeconvolver = Deconvolver | MemoryDeconvolver

# Kind -> what makes it, from an image name and the deconvolver's record.
DECONVOLVERS: dict[str, Callable[[str, Record], AnyDeconvolver]] = {
    "casa": Deconvolver,
    "memory": MemoryDeconvolver,
}


def deconvolver_kind(config: PcleanConfig, field: ImageField) -> str:
    """'memory' where MemoryDeconvolver can do what is asked, else 'casa'.

    With nsigma the thresholds of planes rest on what only CASA's own automask has measured.
    """
    by_automask = field.usemask == "auto-multithresh"
    can_mask = not by_automask or (config.run.automaskengine == "numpy" and config.iteration.nsigma <= 0)
    return "memory" if field.deconvolver in ALGORITHMS and can_mask else "casa"


def make_deconvolver(kind: str, imagename: str, decpars: Record) -> AnyDeconvolver:
    """A deconvolver of one of DECONVOLVERS, from the record of `masking.mask_decpars`."""
    return DECONVOLVERS[kind](imagename, decpars)
