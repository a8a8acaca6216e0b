"""The table of agreement cases: a row a case. Add one here, and tclean judges it.

A row is one call or several in a row, in one folder, with the same parameters for tclean and pclean. `own` are
parameters only pclean has. Data are the names of conftest.DATASETS; a copy of each lies in the folder as NAME.ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Params = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes
    ----------
    name : str
    calls : tuple of dict
        tclean's parameters, call by call.
    own : dict
        Parameters that only pclean has, added to each of its calls.
    files : dict
        Text files that lie in the folder: name -> content.
    expect : dict
        Entries of the last return dictionary, e.g. stopcode: they say what the row is there for.
    fails : str
        What the error of the last call says, where tclean and pclean are to refuse it.
    refused : str
        What pclean's error says, where pclean on purpose refuses what tclean does.
    long : bool
        Left out unless pytest runs with --all.
    """

    name: str
    calls: tuple[Params, ...]
    own: Params = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    expect: Params = field(default_factory=dict)
    fails: str = ""
    refused: str = ""
    long: bool = True

    @property
    def data(self) -> list[str]:
        """Names of the MeasurementSets that the calls read."""
        paths = [path for call in self.calls for path in _as_list(call["vis"])]
        return sorted({path.removesuffix(".ms") for path in paths})

    @property
    def imagenames(self) -> list[str]:
        """Names of the images that the calls make, outliers apart."""
        return list(dict.fromkeys(call["imagename"] for call in self.calls))


def _as_list(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


COMMON: Params = {
    "imagename": "img",
    "imsize": 100,
    "cell": "0.4arcsec",
    "niter": 100,
    "gain": 0.2,
    "cycleniter": 40,
    "weighting": "natural",
}
MFS: Params = {**COMMON, "vis": "continuum.ms", "specmode": "mfs", "deconvolver": "hogbom"}
# LSRK is 2.8 MHz below TOPO: the six channels are inside the band, and all five lines are in them or near.
CUBE: Params = {
    **COMMON,
    "vis": "line.ms",
    "specmode": "cube",
    "deconvolver": "hogbom",
    "outframe": "LSRK",
    "start": "229.999GHz",
    "width": "1MHz",
    "nchan": 6,
    "niter": 300,
    "interpolation": "linear",
}
MOSAIC: Params = {
    "vis": "mosaic.ms",
    "gridder": "mosaic",
    "imsize": 144,
    "phasecenter": "J2000 10h00m00.0s -25d00m00.0s",
}
STOKES: Params = {"vis": "full_stokes.ms"}
WIDE: Params = {"vis": "wide.ms", "imsize": 144, "cell": "16arcsec"}

# Two blobs of CRTF: one on the source in the centre, one on the source at (4.2, 2.6) arcsec (in pixels).
CENTRE = "circle[[50pix,50pix],6pix]"
NEIGHBOUR = "circle[[39pix,56pix],5pix]"
CRTF = f"#CRTFv0\n{CENTRE}\n{NEIGHBOUR}\n"

OUTLIERS = """#CASA outliers
imagename=outlier
imsize=[40,40]
cell=[16.0arcsec,16.0arcsec]
phasecenter=J2000 10h00m50.4s 34d44m50.0s
"""
NEAR_OUTLIER = """imagename=outlier
imsize=[40,40]
cell=[0.4arcsec,0.4arcsec]
phasecenter=J2000 10h00m00.3s -25d00m03.0s
"""
OUTLIERS_MASKED = OUTLIERS + "mask=circle[[20pix,20pix],8pix]\n"


def mfs(name: str, expect: Params | None = None, **changes: Any) -> Case:
    """A continuum row: MFS with changes."""
    return Case(name, ({**MFS, **changes},), expect=expect or {})


def cube(name: str, expect: Params | None = None, **changes: Any) -> Case:
    """A cube row: CUBE with changes."""
    return Case(name, ({**CUBE, **changes},), expect=expect or {})


def steps(name: str, base: Params, *changes: Params, expect: Params | None = None) -> Case:
    """A row of several calls: `base` with each of `changes`."""
    return Case(name, tuple({**base, **change} for change in changes), expect=expect or {})


def with_files(case: Case, **files: str) -> Case:
    """The case with text files in its folder; `_` in a name stands for a dot."""
    return replace(case, files={name.replace("_", "."): text for name, text in files.items()})


def both_engines(cases: Iterable[Case]) -> list[Case]:
    """Each case twice: with pclean's own automask and with CASA's."""
    return [
        replace(case, name=f"{case.name}-{engine}", own={"automaskengine": engine})
        for case in cases
        for engine in ("numpy", "casa")
    ]


AUTO: Params = {
    "usemask": "auto-multithresh",
    "sidelobethreshold": 1.25,
    "noisethreshold": 4.25,
    "lownoisethreshold": 1.5,
    "negativethreshold": 0.0,
    "minbeamfrac": 0.3,
    "growiterations": 50,
}
# Where the noise sets the mask's threshold and ends the clean: tried so that each option of automask shows.
NOISY_AUTO: Params = {
    **AUTO,
    "vis": "noisy.ms",
    "niter": 1000,
    "cycleniter": -1,
    "threshold": "0.03Jy",
    "sidelobethreshold": 0.6,
    "noisethreshold": 3.5,
}
NOISY_MFS: Params = {**NOISY_AUTO, "spw": "0:5~6", "threshold": "0.02Jy"}

# Two spws 20 GHz apart, in channels of 4 GHz: the fractional bandwidth shows in briggsbwtaper.
WIDE_BAND: Params = {"vis": "continuum.ms", "start": "221GHz", "width": "4GHz", "nchan": 6}

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
]

SPECTRAL = [
    cube("cube-channels", nchan=5, start=3, width=1),
    cube("cube-channels-all", nchan=-1, start="", width=""),
    cube("cube-channels-wide", nchan=4, start=1, width=2),
    cube("cube-channels-reversed", nchan=5, start=9, width=-1),
    cube("cube-frequency-topo", outframe="TOPO", start="230.003GHz"),
    cube("cube-frequency-bary", outframe="BARY", start="229.990GHz"),
    cube("cube-frequency-reversed", start="230.005GHz", width="-1MHz"),
    cube("cube-frequency-odd", start="229.998GHz", width="1.3MHz"),
    cube("cube-frequency-wide", start="229.999GHz", width="2MHz", nchan=4),
    cube("cube-velocity", start="8km/s", width="-1.32km/s", restfreq="230.005GHz"),
    cube("cube-velocity-up", start="0km/s", width="1.32km/s", restfreq="230.005GHz"),
    cube("cube-velocity-optical", start="8km/s", width="-1.32km/s", restfreq="230.005GHz", veltype="optical"),
    cube("cube-nearest", interpolation="nearest"),
    cube("cube-nearest-odd", interpolation="nearest", start="229.998GHz", width="1.3MHz"),
    cube("cube-cubic", interpolation="cubic"),
    cube("cube-beyond-the-band", start="229.993GHz", nchan=8),
    cube("cube-one-channel", nchan=1, start="230.003GHz"),
    cube("cube-flagged-channel", vis="flagged.ms", nchan=-1, start="", width=""),
    cube("cubedata", specmode="cubedata", start=2, width=1, nchan=6),
    cube("cubedata-frequency", specmode="cubedata", start="230.003GHz", width="1MHz", nchan=6),
    cube("cubesource", vis="planet.ms", specmode="cubesource", phasecenter="URANUS", nchan=-1, start="", width=""),
    cube("cube-spw-selection", spw="0:2~9"),
    cube("mfs-line", specmode="mfs", spw="0:3~8", nchan=-1, start="", width="", niter=100),
]

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

MASKS = [
    steps("mask-image", MFS, {"imagename": "first", "mask": CENTRE, "niter": 5}, {"mask": "first.mask"}),
    steps(
        "mask-image-regridded",
        MFS,
        {"imagename": "first", "mask": CENTRE, "niter": 5},
        {"mask": "first.mask", "imsize": 108, "cell": "0.5arcsec"},
    ),
    steps(
        "mask-image-on-cube",
        CUBE,
        {"imagename": "first", "mask": CENTRE, "nchan": 1, "niter": 5},
        {"mask": "first.mask"},
    ),
    with_files(mfs("mask-region-file", mask="region.crtf"), region_crtf=CRTF),
    mfs("mask-region-string", mask=CENTRE),
    mfs("mask-list", mask=[CENTRE, NEIGHBOUR]),
    with_files(cube("cube-mask-region-file", mask="region.crtf"), region_crtf=CRTF),
    cube("cube-mask-region-channels", mask="circle[[50pix,50pix],6pix], range=[1chan,3chan]"),
    mfs("mask-pb", usemask="pb", pbmask=0.4),
    cube("cube-mask-pb", usemask="pb", pbmask=0.4),
    mfs("mask-pb-default", usemask="pb"),
    mfs("mask-user-pbmask", mask=CENTRE, pbmask=0.3),
    mfs("mask-mtmfs", mask=[CENTRE, NEIGHBOUR], deconvolver="mtmfs", nterms=2),
]

AUTOMASKS = both_engines(
    [
        mfs("auto-mfs", **AUTO, niter=400, threshold="0.05Jy"),
        mfs("auto-mfs-slow-noise", **NOISY_MFS, fastnoise=False),
        mfs("auto-mfs-noise", **NOISY_MFS),
        mfs("auto-mfs-mtmfs", **AUTO, deconvolver="mtmfs", nterms=2),
        mfs("auto-mfs-nsigma", **NOISY_MFS, nsigma=5.0),
        mfs("auto-mfs-pbmask", **NOISY_MFS, pbmask=0.4),
        mfs("auto-mfs-negative", **{**AUTO, "negativethreshold": 5.0}, nmajor=4),
        mfs("auto-mfs-no-prune", **{**AUTO, "minbeamfrac": 0.0}, smoothfactor=1.5, cutthreshold=0.05),
        mfs("auto-mfs-stokes", **AUTO, **STOKES, stokes="IQUV"),
        cube("auto-cube", **NOISY_AUTO),
        cube("auto-cube-slow-noise", **NOISY_AUTO, fastnoise=False),
        cube("auto-cube-minpercentchange", **NOISY_AUTO, minpercentchange=5.0),
        cube("auto-cube-pbmask", **NOISY_AUTO, pbmask=0.4),
        cube("auto-cube-negative", **{**NOISY_AUTO, "negativethreshold": 3.0}, fastnoise=False),
        cube("auto-cube-nsigma", **{**NOISY_AUTO, "threshold": "0Jy"}, nsigma=4.0, fastnoise=False),
        cube("auto-cube-nsigma-frozen", **{**NOISY_AUTO, "threshold": "0.08Jy"}, nsigma=1.5, minpercentchange=30.0),
        cube(
            "auto-cube-nsigma-frozen-slow-noise",
            **{**NOISY_AUTO, "threshold": "0.08Jy"},
            nsigma=1.5,
            minpercentchange=30.0,
            fastnoise=False,
        ),
        cube("auto-cube-no-grow", **{**NOISY_AUTO, "growiterations": 0}, dogrowprune=False),
        cube("auto-cube-flagged", **AUTO, vis="flagged.ms", nchan=5, start=3, width=1, niter=400),
        cube("auto-cube-stokes", **AUTO, **STOKES, stokes="IQUV", nchan=3, start="229.998GHz"),
        cube("auto-cube-common-beam", **AUTO, restoringbeam="common", weighting="briggsbwtaper"),
        cube("auto-mosaic-cube", **{**AUTO, **MOSAIC}, nchan=4, start="229.999GHz", niter=400),
    ]
)

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
]

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

DATA = [
    mfs("two-ms", vis=["line.ms", "late.ms"], spw=["0:2~9", "0:1~7"], antenna=["", "0~9&"]),
    cube("cube-two-ms", vis=["line.ms", "late.ms"], spw=["0", "0"]),
    cube("cube-two-ms-selection", vis=["line.ms", "late.ms"], spw=["0:2~11", "0"], antenna=["0~10&", ""],
         scan=["1", ""], weighting="briggsbwtaper"),
    mfs("selection", uvrange=">50klambda", antenna="0~9&", timerange="", intent="", spw="1"),
    mfs("selection-off", selectdata=False, uvrange=">50klambda"),
    mfs("datacolumn-data", vis="corrected.ms", datacolumn="data"),
    mfs("datacolumn-corrected", vis="corrected.ms"),
    with_files(mfs("outliers", **{**WIDE, "imsize": 72}, outlierfile="outliers.txt"), outliers_txt=OUTLIERS),
    with_files(
        mfs("outliers-masked", **{**WIDE, "imsize": 72}, outlierfile="outliers.txt", mask="circle[[36pix,36pix],8pix]"),
        outliers_txt=OUTLIERS_MASKED,
    ),
    with_files(
        cube("cube-outliers", **{**WIDE, "imsize": 72}, outlierfile="outliers.txt", nchan=3, start=0, width=1,
             outframe="TOPO"),
        outliers_txt=OUTLIERS + "nchan=3\nspecmode=cube\n",
    ),
]  # fmt: skip

DIRTY: Params = {"niter": 0, "restoration": False}
GO_ON: Params = {"calcres": False, "calcpsf": False}
RESTARTS = [
    steps("restart-from-dirty", MFS, DIRTY, GO_ON),
    steps("restart-goes-on", MFS, {}, {**GO_ON, "niter": 60}),
    steps("restart-with-calcres", MFS, {}, {"niter": 60, "calcpsf": False}),
    steps("restart-mtmfs", {**MFS, "deconvolver": "mtmfs", "nterms": 2}, DIRTY, GO_ON),
    steps("restart-cube-from-dirty", CUBE, DIRTY, GO_ON),
    steps("restart-cube-goes-on", CUBE, {}, {**GO_ON, "niter": 200}),
    steps("restart-cube-auto", {**CUBE, **AUTO}, DIRTY, GO_ON, {**GO_ON, "niter": 100}),
    steps("restart-false", MFS, {}, {"restart": False, "niter": 60}),
    steps("restart-mosaic", {**CUBE, **MOSAIC, "nchan": 4, "start": "229.999GHz"}, DIRTY, GO_ON),
    steps("restore-only", MFS, {"restoration": False}, {**GO_ON, "niter": 0}),
    replace(
        steps("restart-changed-mask", MFS, {"mask": CENTRE}, {**GO_ON, "mask": NEIGHBOUR}),
        fails="a specific input mask of",
    ),
    steps("startmodel", MFS, {"imagename": "first"}, {"startmodel": "first.model", "niter": 60}),
    steps("startmodel-cube", CUBE, {"imagename": "first"}, {"startmodel": "first.model", "niter": 100}),
    steps(
        "startmodel-mtmfs",
        {**MFS, "deconvolver": "mtmfs", "nterms": 2},
        {"imagename": "first"},
        {"startmodel": ["first.model.tt0", "first.model.tt1"], "niter": 40},
    ),
]

SAVED_MODELS = [
    mfs("savemodel-column", savemodel="modelcolumn"),
    mfs("savemodel-column-mtmfs", savemodel="modelcolumn", deconvolver="mtmfs", nterms=2),
    mfs("savemodel-column-nsigma", savemodel="modelcolumn", nsigma=3.0, niter=2000),
    mfs("savemodel-column-auto", **AUTO, savemodel="modelcolumn"),
    mfs("savemodel-virtual", savemodel="virtual"),
    cube("cube-savemodel-column", savemodel="modelcolumn"),
    steps("savemodel-afterwards", MFS, {}, {**GO_ON, "niter": 0, "restoration": False, "savemodel": "modelcolumn"}),
]

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

REFUSALS = [
    replace(mfs("niter-minus-one", niter=-1), refused="niter must not be negative, got -1"),
]

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
]
