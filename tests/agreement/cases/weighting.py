"""Rows about weights and polarisations."""

from __future__ import annotations

from .table import STOKES, Params, cube, mfs

# Two spws 20 GHz apart, in channels of 4 GHz: the fractional bandwidth shows in briggsbwtaper.
WIDE_BAND: Params = {"vis": "continuum.ms", "start": "221GHz", "width": "4GHz", "nchan": 6}

WEIGHTING = [
    mfs("mfs-uniform", weighting="uniform"),
    mfs("mfs-superuniform", weighting="superuniform", npixels=3),
    mfs("mfs-radial", weighting="radial"),
    mfs("mfs-briggs", weighting="briggs", robust=0.5),
    mfs("mfs-briggs-npixels", weighting="briggs", robust=-0.5, npixels=2),
    mfs("mfs-briggsabs", weighting="briggsabs", robust=0.5, noise="5Jy"),
    mfs("mfs-uvtaper", weighting="briggs", uvtaper=["2arcsec", "1.5arcsec", "30deg"]),
    mfs("mfs-uvtaper-klambda", uvtaper=["200klambda"]),
    cube("cube-uniform", weighting="uniform"),
    cube("cube-briggs", weighting="briggs", robust=0.5),
    cube("cube-briggs-one-density", weighting="briggs", robust=0.5, perchanweightdensity=False),
    cube("cube-briggsbwtaper", weighting="briggsbwtaper", robust=0.5, perchanweightdensity=True),
    cube("cube-briggs-wide-band", **WIDE_BAND, weighting="briggs"),
    cube("cube-briggsbwtaper-wide-band", **WIDE_BAND, weighting="briggsbwtaper"),
    cube("cube-briggsbwtaper-all-channels", weighting="briggsbwtaper", nchan=-1, start="", width="", outframe=""),
    cube("cube-briggsbwtaper-uvtaper", weighting="briggsbwtaper", robust=0.5, uvtaper=["1arcsec"]),
]

STOKES_ROWS = [
    mfs("mfs-stokes-iquv", **STOKES, stokes="IQUV", niter=200),
    mfs("mfs-stokes-iquv-mtmfs", **STOKES, stokes="IQUV", deconvolver="mtmfs", nterms=2),
    mfs("mfs-stokes-iquv-clarkstokes", **STOKES, stokes="IQUV", deconvolver="clarkstokes"),
    mfs("mfs-stokes-xx", **STOKES, stokes="XX"),
    mfs("mfs-stokes-xxyy", **STOKES, stokes="XXYY"),
    mfs("mfs-stokes-q", **STOKES, stokes="Q"),
    mfs("mfs-stokes-pseudo-i", **STOKES, stokes="pseudoI"),
    cube("cube-stokes-iquv", **STOKES, stokes="IQUV", nchan=3, start="229.998GHz"),
    cube("cube-stokes-iq", **STOKES, stokes="IQ", nchan=3, start="229.998GHz"),
]
