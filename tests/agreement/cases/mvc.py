"""Rows of Taylor terms by way of a cube, specmode='mvc'."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .masks import NOISY_MFS, both_engines
from .restarts import DIRTY
from .table import (
    AUTO,
    CENTRE,
    GO_ON,
    MFS,
    MOSAIC,
    NEAR_OUTLIER,
    NEIGHBOUR,
    STOKES,
    WIDE,
    Case,
    Params,
    steps,
    with_files,
)

# Both spws of the data in four channels of the cube, of which the middle ones have no data.
MVC: Params = {**MFS, "specmode": "mvc", "deconvolver": "mtmfs", "nterms": 2, "nchan": 4}
MVC_MOSAIC: Params = {**MVC, **MOSAIC, "vis": "wide_mosaic.ms"}


def mvc(name: str, expect: Params | None = None, **changes: Any) -> Case:
    """A row of Taylor terms by way of a cube: MVC with changes."""
    return Case(name, ({**MVC, **changes},), expect=expect or {})


BY_CUBE = [
    mvc("mvc", {"stopcode": 1}, pbcor=True),
    mvc("mvc-nterms3", nterms=3, nchan=12, scales=[0, 4]),
    mvc("mvc-reffreq", nchan=3, reffreq="231GHz", start="220GHz", width="10GHz", niter=60),
    mvc("mvc-channels-of-data", nchan=-1, outframe="", savemodel="modelcolumn"),
    mvc("mvc-briggs", weighting="briggs"),
    mvc("mvc-briggsbwtaper", weighting="briggsbwtaper"),
    mvc("mvc-spw", spw="1", nchan=3, restoringbeam=["2.0arcsec", "1.5arcsec", "20deg"]),
    mvc("mvc-two-ms", vis=["line.ms", "late.ms"], spw=["0:2~9", "0:1~7"]),
    mvc("mvc-correlation", **STOKES, stokes="XX"),
    mvc("mvc-mask-list", mask=[CENTRE, NEIGHBOUR], fullsummary=True),
    mvc("mvc-mask-pb", usemask="pb", pbmask=0.4),
    mvc("mvc-pblimit-negative", pblimit=-0.1),
    mvc("mvc-nsigma", {"stopcode": 8}, niter=3000, nsigma=3.0, savemodel="modelcolumn"),
    mvc("mvc-nmajor-zero", {"stopcode": 9}, nmajor=0),
    mvc("mvc-niter-zero", niter=0),
    mvc("mvc-wproject", gridder="wproject", wprojplanes=4),
    *both_engines([
        mvc("mvc-auto", **AUTO, niter=400, savemodel="virtual"),
        mvc("mvc-auto-nsigma", **{**NOISY_MFS, "spw": ""}, nsigma=5.0),
    ]),
    Case("mvc-mosaic", ({**MVC_MOSAIC, "pbcor": True},)),
    Case("mvc-mosaic-flatsky", ({**MVC_MOSAIC, "normtype": "flatsky", "savemodel": "modelcolumn"},)),
    Case("mvc-mosaic-awp2", ({**MVC, **WIDE, "vis": "wide_band.ms", "imsize": 128, "nchan": 3, "niter": 40,
                              "gridder": "awp2"},)),
    Case("mvc-awproject", ({**MVC, **WIDE, "vis": "wide_band.ms", "imsize": 128, "nchan": 3, "niter": 40,
                            "gridder": "awproject", "cfcache": "img.cf.dir"},)),
    with_files(
        mvc("mvc-outliers", imsize=64, outlierfile="outliers.txt", mask="circle[[32pix,32pix],8pix]"),
        outliers_txt=NEAR_OUTLIER + "reffreq=225GHz\nspecmode=mfs\n",
    ),
    with_files(mvc("mvc-outliers-auto", imsize=64, **AUTO, outlierfile="outliers.txt"), outliers_txt=NEAR_OUTLIER),
    steps("mvc-restart-from-dirty", MVC, DIRTY, GO_ON),
    steps("mvc-restart-goes-on", MVC, {}, {**GO_ON, "niter": 60}),
    steps("mvc-restart-with-calcres", MVC, {}, {"niter": 60, "calcpsf": False}),
    steps("mvc-restart-with-calcpsf", MVC, {}, {"niter": 60}),
    steps("mvc-restart-mosaic", MVC_MOSAIC, DIRTY, GO_ON),
    steps("mvc-restart-false", MVC, {}, {"restart": False, "niter": 60}),
    steps("mvc-savemodel-afterwards", MVC, {}, {**GO_ON, **DIRTY, "savemodel": "modelcolumn"}),
    replace(
        steps("mvc-restart-other-channels", MVC, {"niter": 10}, {"nchan": 5}),
        fails="[100, 100, 1, 4]",
    ),
]  # fmt: skip
