"""Rows about gridders, and where and how the image is laid out."""

from __future__ import annotations

from .table import MOSAIC, WIDE, cube, mfs

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
]
