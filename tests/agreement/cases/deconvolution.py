"""Rows about the minor cycle: deconvolvers, when to stop, and what is made of the model."""

from __future__ import annotations

from dataclasses import replace

from .table import cube, mfs

DECONVOLVERS = [
    mfs("mfs-hogbom", {"stopcode": 1}),
    mfs("mfs-hogbom-threshold", {"stopcode": 2}, threshold="0.1Jy", niter=2000),
    mfs("mfs-clark", deconvolver="clark", threshold="0.05Jy", niter=1000),
    mfs("mfs-clarkstokes", deconvolver="clarkstokes"),
    mfs("mfs-multiscale", deconvolver="multiscale", scales=[0, 4, 10], smallscalebias=0.2),
    mfs("mfs-mtmfs", deconvolver="mtmfs", nterms=2, scales=[0, 4], pbcor=True),
    mfs("mfs-mtmfs-nterms1", deconvolver="mtmfs", nterms=1),
    mfs("mfs-mtmfs-nterms3", deconvolver="mtmfs", nterms=3, reffreq="231GHz"),
    mfs("mfs-asp", deconvolver="asp", niter=30, fusedthreshold=0.01, largestscale=10),
    mfs("mfs-mem", deconvolver="mem", niter=20),
    cube("cube-hogbom", {"stopcode": 1}),
    cube("cube-clark", deconvolver="clark"),
    cube("cube-multiscale", deconvolver="multiscale", scales=[0, 4]),
    replace(mfs("mfs-clark-exp", deconvolver="clark_exp"), fails="model.shape()(3) == 1"),
    mfs("mfs-mtmfs-bias", deconvolver="mtmfs", nterms=2, scales=[0, 6], smallscalebias=0.4),
    mfs("mfs-multiscale-no-bias", deconvolver="multiscale", scales=[0, 6], smallscalebias=-0.3),
    cube("cube-multiscale-bias", deconvolver="multiscale", scales=[0, 3, 8], smallscalebias=0.3),
    cube("cube-asp", deconvolver="asp", nchan=3, niter=30, fusedthreshold=0.01, largestscale=10),
    cube("cube-mem", deconvolver="mem", nchan=3, niter=20),
    cube("cube-clarkstokes", deconvolver="clarkstokes", nchan=3),
]

ITERATION = [
    mfs("nsigma", {"stopcode": 8}, niter=3000, nsigma=3.0),
    cube("cube-nsigma", {"stopcode": 8}, vis="noisy.ms", niter=5000, nsigma=5.0),
    cube("cube-nsigma-full", vis="noisy.ms", niter=5000, nsigma=5.0, fullsummary=True),
    cube("cube-threshold", {"stopcode": 2}, niter=5000, threshold="0.15Jy"),
    mfs("nmajor", {"stopcode": 9}, niter=2000, nmajor=2),
    cube("cube-nmajor", {"stopcode": 9}, niter=5000, nmajor=2),
    mfs("nmajor-zero", niter=100, nmajor=0),
    mfs("threshold-empty", threshold="", niter=60),
    mfs("threshold-number", {"stopcode": 2}, threshold=0.1, niter=2000),
    mfs("cycleniter", niter=60, cycleniter=15),
    cube("cube-cycleniter", niter=60, cycleniter=5),
    mfs("cyclefactor", niter=500, cycleniter=-1, cyclefactor=3.0, minpsffraction=0.1, maxpsffraction=0.5),
    mfs("gain-high", niter=500, gain=0.6, cycleniter=-1, threshold="0.2mJy"),
    mfs("full-summary", niter=100, fullsummary=True),
    cube("cube-full-summary", niter=300, fullsummary=True),
    mfs("full-summary-mtmfs", deconvolver="mtmfs", nterms=2, fullsummary=True),
    mfs("empty-mask", {"stopcode": 7}, usemask="auto-multithresh", sidelobethreshold=50.0, noisethreshold=5000.0),
    cube("cube-cyclefactor", niter=2000, cycleniter=-1, cyclefactor=2.5, threshold="0.05Jy"),
    cube("cube-psf-fractions", niter=2000, cycleniter=-1, minpsffraction=0.3, maxpsffraction=0.4),
    mfs("maxpsffraction", niter=500, cycleniter=-1, maxpsffraction=0.1, cyclefactor=5.0),
    cube("cube-gain", niter=500, gain=0.05),
    mfs("full-summary-stokes", vis="full_stokes.ms", stokes="IQUV", fullsummary=True),
    mfs("niter-zero-full-summary", niter=0, fullsummary=True),
]

RESTORATION = [
    cube("cube-beam-common", restoringbeam="common", pbcor=True),
    cube("cube-beam-fixed", restoringbeam=["2.0arcsec", "1.5arcsec", "20deg"]),
    cube("cube-beam-single", restoringbeam=["2.0arcsec"]),
    cube("cube-pbcor", pbcor=True),
    cube("cube-no-restoration", restoration=False),
    mfs("mfs-beam-fixed", restoringbeam=["2.0arcsec", "1.5arcsec", "20deg"], pbcor=True),
    mfs("mfs-pbcor-flatsky", normtype="flatsky", pbcor=True, pblimit=0.1),
    mfs("mfs-pblimit-negative", pblimit=-0.1),
    mfs("mfs-psfcutoff", psfcutoff=0.5),
    mfs("niter-zero", niter=0),
    mfs("niter-zero-no-restoration", niter=0, restoration=False),
    mfs("niter-zero-mtmfs", niter=0, deconvolver="mtmfs", nterms=2),
    cube("cube-niter-zero", niter=0),
    cube("cube-niter-zero-no-restoration", niter=0, restoration=False),
    mfs("niter-zero-no-psf", niter=0, calcres=False, restoration=False),
    mfs("mfs-pbsquare", normtype="pbsquare", pbcor=True),
    cube("cube-flatsky", normtype="flatsky", pbcor=True),
    cube("cube-pblimit-negative", pblimit=-0.1, pbcor=True),
    cube("cube-pblimit-high", pblimit=0.6, pbcor=True, niter=200),
    mfs("mfs-pblimit-negative-pbcor", pblimit=-0.5, pbcor=True, usemask="pb", pbmask=0.5),
    cube("cube-psfcutoff", psfcutoff=0.6),
    mfs("mfs-mtmfs-beam-fixed", deconvolver="mtmfs", nterms=2, restoringbeam=["2.0arcsec"], psfcutoff=0.6),
]
