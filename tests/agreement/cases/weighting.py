"""Rows about weights and polarisations."""

from __future__ import annotations

from dataclasses import replace

from .table import STOKES, WIDE, Params, cube, mfs

# Two spws 20 GHz apart, in channels of 4 GHz: the fractional bandwidth shows in briggsbwtaper.
WIDE_BAND: Params = {"vis": "continuum.ms", "start": "221GHz", "width": "4GHz", "nchan": 6}

THREE: Params = {"nchan": 3, "start": "229.998GHz"}

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
    mfs("mfs-briggs-uniform", weighting="briggs", robust=-2.0),
    cube("cube-superuniform", weighting="superuniform", npixels=2),
    cube("cube-radial", weighting="radial"),
    cube("cube-briggsabs", weighting="briggsabs", robust=0.5, noise="2Jy"),
    cube("cube-briggsabs-one-density", weighting="briggsabs", robust=0.5, noise="2Jy", perchanweightdensity=False),
    cube("cube-briggs-npixels", weighting="briggs", npixels=2, uvtaper=["1.5arcsec"]),
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
    mfs("mfs-stokes-i", **STOKES, weighting="briggs"),
    mfs("mfs-stokes-u", **STOKES, stokes="U"),
    mfs("mfs-stokes-v", **STOKES, stokes="V"),
    mfs("mfs-stokes-yy", **STOKES, stokes="YY"),
    mfs("mfs-stokes-iv", **WIDE, stokes="IV"),
    replace(mfs("mfs-clarkstokes-exp", deconvolver="clarkstokes_exp"), fails="model.shape()(3) == 1"),
    replace(mfs("mfs-stokes-qu", **STOKES, stokes="QU"), empty=True),
    mfs("mfs-stokes-iq", **STOKES, stokes="IQ", deconvolver="multiscale", scales=[0, 4]),
    mfs("mfs-stokes-uv", **STOKES, stokes="UV"),
    mfs("mfs-stokes-rr", **WIDE, stokes="RR"),
    mfs("mfs-stokes-ll", **WIDE, stokes="LL"),
    mfs("mfs-stokes-rrll", **WIDE, stokes="RRLL"),
    cube("cube-stokes-v", **STOKES, **THREE, stokes="V"),
    cube("cube-stokes-xxyy", **STOKES, **THREE, stokes="XXYY", weighting="briggs"),
    cube("cube-stokes-pseudo-i", **STOKES, **THREE, stokes="pseudoI"),
    cube("cube-stokes-quv", **STOKES, **THREE, stokes="UV", deconvolver="clarkstokes"),
    cube("cube-stokes-rr", **WIDE, stokes="RR", nchan=3, start=0, width=1, outframe="TOPO"),
]
