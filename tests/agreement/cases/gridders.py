"""Rows about gridders, and where and how the image is laid out."""

from __future__ import annotations

from dataclasses import replace

from .furnish import dishes_of_two_sizes, voltage_pattern
from .table import MFS, MOSAIC, WIDE, Params, after, cube, mfs, steps

MOSAIC_MFS: Params = {name: value for name, value in MOSAIC.items() if name != "gridder"}
FOUR_MOSAIC: Params = {**MOSAIC, "nchan": 4, "start": "229.999GHz"}
# A-projection computes its convolution functions for a minute: few data, and one cycle.
AWPROJECT: Params = {**WIDE, "gridder": "awproject", "imsize": 72, "wprojplanes": 1, "spw": "0:0~1", "antenna": "0~5&",
                     "niter": 20, "cycleniter": 20}  # fmt: skip

GRIDDERS = [
    mfs("wproject", **WIDE, gridder="wproject", wprojplanes=8),
    mfs("wproject-auto-planes", **WIDE, gridder="wproject", wprojplanes=-1, deconvolver="clark"),
    mfs("facets", **WIDE, facets=2),
    cube("cube-wproject", **WIDE, gridder="wproject", wprojplanes=8, nchan=3, start=0, width=1, outframe="TOPO"),
    mfs("mosaic", **MOSAIC),
    mfs("mosaic-mtmfs", **MOSAIC, deconvolver="mtmfs", nterms=2, pbcor=True),
    mfs("mosaic-briggs", **MOSAIC, weighting="briggs", mosweight=False),
    mfs("mosaic-psfphasecenter", **MOSAIC, psfphasecenter="J2000 10h00m00.2s -25d00m02.0s"),
    cube("cube-mosaic", **MOSAIC, nchan=4, start="229.999GHz", pbcor=True),
    cube("cube-mosaic-briggs", **MOSAIC, nchan=4, start="229.999GHz", weighting="briggs"),
    cube("cube-mosaic-briggsbwtaper", **MOSAIC, nchan=4, start="229.999GHz", weighting="briggsbwtaper"),
    mfs("mosaic-field-standard", vis="mosaic.ms", field="1"),
    mfs("phasecenter", phasecenter="J2000 10h00m00.3s -25d00m03.0s"),
    mfs("phasecenter-field", vis="mosaic.ms", phasecenter=1),
    mfs("projection-rectangle", imsize=[120, 90], cell=["0.4arcsec", "0.5arcsec"]),
    mfs("widefield", **WIDE, gridder="widefield", facets=2, wprojplanes=4),
    mfs("ft", gridder="ft"),
    cube("cube-gridft", gridder="gridft"),
    mfs("wprojectft", **WIDE, gridder="wprojectft", wprojplanes=6),
    mfs("ftmosaic", **MOSAIC_MFS, gridder="ftmosaic"),
    mfs("mosaicft", **MOSAIC_MFS, gridder="mosaicft"),
    replace(mfs("imagemosaic", **MOSAIC_MFS, gridder="imagemosaic"), empty=True),
    mfs("mosaic-density-by-field", **MOSAIC, weighting="briggs", mosweight=True),
    cube("cube-mosaic-one-density", **FOUR_MOSAIC, weighting="briggs", mosweight=False),
    mfs("mosaic-flatsky", **MOSAIC, normtype="flatsky", pbcor=True),
    mfs("mosaic-pbsquare", **MOSAIC, normtype="pbsquare", pbcor=True),
    mfs("mosaic-usepointing", **MOSAIC, usepointing=True),
    cube("cube-mosaic-usepointing", **FOUR_MOSAIC, usepointing=True),
    mfs("mosaic-conjbeams", **MOSAIC, conjbeams=True, deconvolver="mtmfs", nterms=2),
    after(mfs("mosaic-two-dishes", **MOSAIC, pbcor=True), dishes_of_two_sizes),
    after(cube("cube-mosaic-two-dishes", **FOUR_MOSAIC, weighting="briggsbwtaper"), dishes_of_two_sizes),
    after(mfs("mosaic-vptable", **MOSAIC, vptable="beams.tab", pbcor=True), voltage_pattern),
    after(cube("cube-mosaic-vptable", **FOUR_MOSAIC, vptable="beams.tab", pbcor=True), voltage_pattern),
    after(mfs("standard-vptable", vptable="beams.tab", pbcor=True), voltage_pattern),
    cube("cube-mosaic-psfphasecenter", **FOUR_MOSAIC, psfphasecenter=1),
    cube("cube-mosaic-flatsky", **FOUR_MOSAIC, normtype="flatsky", pbcor=True),
    mfs("awproject", **AWPROJECT),
    steps(
        "awproject-filled-cache",
        {**MFS, **AWPROJECT, "gridder": "awprojectft", "cfcache": "cache.cf"},
        {"imagename": "first"},
        {},
    ),
    mfs("awproject-psterm", **AWPROJECT, psterm=True, aterm=False),
    mfs("awproject-conjbeams", **AWPROJECT, conjbeams=True, deconvolver="mtmfs", nterms=2, pbcor=True),
    mfs(
        "awproject-narrow-band",
        **AWPROJECT,
        wbawp=False,
        computepastep=30.0,
        rotatepastep=3.0,
        usepointing=True,
        pointingoffsetsigdev=[300.0, 30.0],
    ),
    cube("cube-awproject", **AWPROJECT, nchan=2, start=0, width=1, outframe="TOPO"),
    mfs("awp2", **{**AWPROJECT, "gridder": "awp2"}, mosweight=False),
    cube("cube-awp2", **{**AWPROJECT, "gridder": "awp2"}, nchan=2, start=0, width=1, outframe="TOPO"),
    mfs("phasecenter-icrs", phasecenter="ICRS 10h00m00.2s -25d00m02.0s"),
    mfs("phasecenter-galactic", phasecenter="GALACTIC 260.69766deg 23.4878deg", niter=60),
    cube("cube-phasecenter-b1950", phasecenter="B1950 09h57m42.0s -24d45m40s"),
    cube("cube-phasecenter-field", vis="mosaic.ms", phasecenter=2, nchan=4),
    mfs("projection-tan", **WIDE, projection="TAN"),
    mfs("projection-ncp", **WIDE, projection="NCP"),
    cube("cube-projection-arc", projection="ARC"),
    cube("cube-projection-rectangle", imsize=[90, 120], cell=["0.5arcsec", "0.4arcsec"], nchan=3),
]
