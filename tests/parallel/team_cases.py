"""The rows of the agreement table that parallel runs are judged by, and some that only matter to them."""

from __future__ import annotations

from dataclasses import replace

from tests.agreement.cases import (
    AUTO,
    CASES,
    CUBE,
    GO_ON,
    MFS,
    MOSAIC,
    NOISY_AUTO,
    OUTLIERS,
    STOKES,
    WIDE,
    Case,
    cube,
    mfs,
    steps,
    with_files,
)

WHOLE = {"nchan": -1, "start": "", "width": "", "outframe": ""}  # all 12 channels
FOUR = {"nchan": 4, "start": 0, "width": 1, "outframe": ""}
CIRCLE = "circle[[50pix,50pix],6pix]"
SOME, OTHERS = "range=[1chan,3chan]", "range=[7chan,8chan]"
PARTLY = f"{CIRCLE}, {SOME}"  # leaves whole parts of the cube empty
WIDE_MOSAIC = {**MOSAIC, "vis": "wide_mosaic.ms", "deconvolver": "mtmfs"}
REGIONS = f"#CRTFv0\nglobal coord=J2000\n{PARTLY}\ncircle[[39pix,56pix],5pix], range=[6chan,7chan]\n"

MORE_CUBES = [
    cube("mask-in-some-channels", **WHOLE, mask=PARTLY),
    cube("mask-in-some-channels-threshold", **{**WHOLE, "niter": 5000}, threshold="0.05Jy", mask=f"{CIRCLE}, {OTHERS}"),
    cube("mask-in-some-channels-nsigma", vis="noisy.ms", **WHOLE, nsigma=3.0, mask=f"{CIRCLE}, {OTHERS}"),
    with_files(cube("mask-file-in-some-channels", **WHOLE, mask="region.crtf"), region_crtf=REGIONS),
    with_files(
        cube("mask-file-frequencies", **WHOLE, mask="region.crtf"),
        region_crtf=f"#CRTFv0\n{CIRCLE}, range=[230.0009GHz,230.0031GHz]\n",
    ),
    cube("mask-list-in-some-channels", **WHOLE, mask=[PARTLY, f"circle[[39pix,56pix],5pix], {OTHERS}"]),
    steps("mask-cube", {**CUBE, **WHOLE}, {"imagename": "first", "niter": 5, "mask": PARTLY}, {"mask": "first.mask"}),
    steps("restart-with-mask-in-some-channels", {**CUBE, **WHOLE}, {"mask": PARTLY, "niter": 40}, GO_ON),
    cube("mask-empty", {"stopcode": 7}, **{**AUTO, **WHOLE, "sidelobethreshold": 50.0, "noisethreshold": 5000.0}),
    cube("auto-all-channels", **{**NOISY_AUTO, **WHOLE}, fullsummary=True),
    cube("auto-all-channels-nsigma", **{**NOISY_AUTO, **WHOLE, "threshold": "0Jy"}, nsigma=3.0),
    cube("auto-flagged-all-channels", **{**AUTO, **WHOLE}, vis="flagged.ms"),
    cube("flagged-common-beam", **WHOLE, vis="flagged.ms", restoringbeam="common", pbcor=True),
    cube("fewer-channels-than-workers", nchan=2),
    cube("aligned-channels", nchan=4, start=2, width="", outframe=""),  # a second guard decides about the last bit
    cube("cubic-all-channels", **WHOLE, interpolation="cubic"),
    cube("uniform-one-density", weighting="uniform", perchanweightdensity=False),
    cube("stokes-full-summary", **STOKES, **FOUR, stokes="IQUV", fullsummary=True),
    cube("stokes-common-beam", **STOKES, **FOUR, stokes="IQ", restoringbeam="common"),
    cube("niter-zero-mask", **{**WHOLE, "niter": 0}, mask=PARTLY),
    steps("startmodel-whole", {**CUBE, **WHOLE}, {"imagename": "first"}, {"startmodel": "first.model", "niter": 100}),
    with_files(
        cube("outlier-of-wider-channels", **{**WIDE, "imsize": 72}, **WHOLE, outlierfile="outliers.txt"),
        outliers_txt=OUTLIERS + "nchan=-1\nwidth=2MHz\nspecmode=cube\n",
    ),
    cube("wproject-auto-planes-cube", **WIDE, gridder="wproject", wprojplanes=-1, **{**FOUR, "nchan": 3}),
    cube("savemodel-column-late", savemodel="modelcolumn", nsigma=3.0),
    cube("savemodel-column-niter-zero", savemodel="modelcolumn", niter=0),
    cube("savemodel-column-threshold", savemodel="modelcolumn", niter=5000, threshold="0.15Jy"),
    steps(
        "startmodel-briggsbwtaper",
        {**CUBE, **WHOLE, "weighting": "briggsbwtaper"},
        {"imagename": "first"},
        {"startmodel": "first.model", "niter": 100},
    ),
    cube("mosaic-auto", **{**AUTO, **MOSAIC}, nchan=4, start="229.999GHz", restoringbeam="common", pbcor=True),
]
MORE_CONTINUUM = [
    mfs("briggs-two-ms", vis=["line.ms", "late.ms"], weighting="briggs"),
    mfs("briggs-scan-and-antennas", scan="1", antenna="0~6&", weighting="briggs"),
    mfs("briggs-fields-and-antennas", **MOSAIC, field="0,2", antenna="1,3,5&", weighting="briggs"),
    mfs("mosaic-density-by-field-uniform", **MOSAIC, weighting="uniform", nsigma=3.0),
    mfs("mosaic-one-density", **MOSAIC, weighting="uniform", mosweight=False),
    mfs("briggsabs-mtmfs", weighting="briggsabs", noise="5Jy", deconvolver="mtmfs"),
    mfs("narrow-band-mtmfs", vis="line.ms", deconvolver="mtmfs", niter=300, cycleniter=-1),  # tt1 is of thousands
    mfs("stokes-briggs", **STOKES, stokes="IQUV", weighting="briggs"),
    with_files(
        mfs("outliers-briggs", **{**WIDE, "imsize": 72}, outlierfile="outliers.txt", weighting="briggs"),
        outliers_txt=OUTLIERS,
    ),
    mfs("wproject-briggs", **WIDE, gridder="wproject", wprojplanes=8, weighting="briggs"),
    steps("restart-briggs", {**MFS, "weighting": "briggs"}, {}, {**GO_ON, "niter": 60}),
    steps(
        "startmodel-mosaic",
        {**MFS, **MOSAIC},
        {"imagename": "first"},
        {"startmodel": "first.model", "weighting": "briggs"},
    ),
    steps("restart-with-calcpsf", MFS, {}, {"niter": 60}),
    steps("restart-mosaic-goes-on", {**MFS, **MOSAIC}, {}, {**GO_ON, "niter": 60}),
    steps("restart-mosaic-with-calcpsf", {**MFS, **MOSAIC}, {}, {"niter": 60}),
    steps("restart-mosaic-mtmfs", {**MFS, **WIDE_MOSAIC}, {}, {"niter": 60}),
    mfs("selection-fixed-beam", uvrange=">50klambda", antenna="0~9&", spw="1", restoringbeam=["1.5arcsec"]),
    mfs("mosaic-mtmfs-wide-band", **WIDE_MOSAIC, weighting="briggs", pbcor=True, niter=300),
    mfs("mosaic-mtmfs-flatsky", **WIDE_MOSAIC, nterms=3, normtype="flatsky", savemodel="modelcolumn"),
    mfs("mosaic-mtmfs-save", **WIDE_MOSAIC, savemodel="modelcolumn"),
    mfs("mosaic-save", **MOSAIC, savemodel="modelcolumn"),
    mfs("briggs-save", weighting="briggs", vis=["continuum.ms", "late.ms"], savemodel="modelcolumn"),
]

# Rows that run by default; the others need --all.
SHORT_CUBES = {
    "cube-briggs",
    "mask-in-some-channels",
    "auto-all-channels",
    "flagged-common-beam",
}
SHORT_CONTINUUM = {
    "mfs-hogbom",
    "mfs-mtmfs",
    "briggs-scan-and-antennas",
    "mosaic-mtmfs-wide-band",
}

BEAMLESS = {"selection"}  # CASA's fit of the beam doesn't converge, so that rounding decides about it


def is_cube(case: Case) -> bool:
    return "cube" in case.calls[-1]["specmode"]


def is_whole(case: Case) -> bool:
    """Whether one process images it: the result is the serial one, however many workers there might be."""
    return case.calls[-1]["specmode"] == "mvc"


def is_imaged(case: Case) -> bool:
    return not (case.refused or case.fails or case.name in BEAMLESS)


IMAGED = [case for case in CASES if is_imaged(case)]
CUBES = [
    replace(case, long=case.name not in SHORT_CUBES)
    for case in [*(row for row in IMAGED if is_cube(row) or is_whole(row)), *filter(is_imaged, MORE_CUBES)]
]
CONTINUUM = [
    replace(case, long=case.name not in SHORT_CONTINUUM)
    for case in [*(row for row in IMAGED if not (is_cube(row) or is_whole(row))), *filter(is_imaged, MORE_CONTINUUM)]
]
