"""The table of agreement cases: a row a case, by theme. Add one there, and tclean judges it."""

from __future__ import annotations

from dataclasses import replace

from .data import DATA, SAVED_MODELS
from .deconvolution import DECONVOLVERS, ITERATION, RESTORATION
from .gridders import GRIDDERS
from .installed import has_gridder
from .masks import AUTOMASKS, MASKS
from .mvc import BY_CUBE, MVC
from .refusals import REFUSALS
from .restarts import RESTARTS
from .spectral import SPECTRAL
from .table import (
    AUTO,
    CRTF,
    CUBE,
    GO_ON,
    MFS,
    MOSAIC,
    NOISY_AUTO,
    OUTLIERS,
    STOKES,
    WIDE,
    Case,
    Params,
    cube,
    mfs,
    steps,
    with_files,
)
from .weighting import STOKES_ROWS, WEIGHTING

__all__ = [
    "AUTO", "CASES", "CRTF", "CUBE", "GO_ON", "MFS", "MOSAIC", "MVC", "NOISY_AUTO", "OUTLIERS", "STOKES", "WIDE",
    "Case", "Params", "cube", "mfs", "steps", "with_files",
]  # fmt: skip

# Rows that run by default: one of each kind. The others need --all.
SHORT = {
    "mfs-hogbom",
    "mfs-clark",
    "mfs-mtmfs",
    "cube-hogbom",
    "cube-velocity",
    "cube-briggsbwtaper-wide-band",
    "mfs-stokes-iquv",
    "mask-region-file",
    "mask-list-of-forms",
    "cubesource-trackfield",
    "two-ms-lists",
    "auto-mfs-numpy",
    "auto-cube-slow-noise-numpy",
    "auto-cube-minpercentchange-casa",
    "cube-nsigma-full",
    "cube-beam-common",
    "cube-mosaic",
    "outliers",
    "restart-cube-from-dirty",
    "savemodel-column",
    "mvc",
    "mvc-mosaic",
    "mvc-restart-from-dirty",
}

CASES = [
    replace(case, long=case.name not in SHORT)
    for case in [
        *DECONVOLVERS,
        *SPECTRAL,
        *WEIGHTING,
        *STOKES_ROWS,
        *MASKS,
        *AUTOMASKS,
        *ITERATION,
        *RESTORATION,
        *GRIDDERS,
        *DATA,
        *RESTARTS,
        *SAVED_MODELS,
        *BY_CUBE,
        *REFUSALS,
    ]
    if all(map(has_gridder, case.calls))
]
