"""Rows about what is read of the data, outlier fields, and models saved with the data."""

from __future__ import annotations

from .furnish import flagged_session, outlier_mask, sessions
from .table import (
    AUTO,
    GO_ON,
    MFS,
    MOSAIC,
    OUTLIERS,
    OUTLIERS_MASKED,
    WIDE,
    Params,
    after,
    cube,
    mfs,
    steps,
    with_files,
)

# For late.ms and line.ms, which are imaged in order of time.
LISTS: Params = {
    "field": ["0", "field0"],
    "spw": ["0:1~10", "0:2~11"],
    "antenna": ["0~9&", "!4"],
    "scan": ["1~3", ""],
    "timerange": ["", ">2021/01/24/06:10:00"],
    "uvrange": ["<500m", ">20klambda"],
    "observation": "0~1",
    "intent": ["", "*TARGET*"],
}

# Apart from the main field, as rounding decides which of two fields has the peak of a source that is in both.
SECOND_OUTLIER = "imagename=outlier2\nimsize=12\ncell=16arcsec\nphasecenter=J2000 09h59m35.6s 35d03m20s\n"

DATA = [
    mfs("two-ms", vis=["line.ms", "late.ms"], spw=["0:2~9", "0:1~7"], antenna=["", "0~9&"]),
    # A worker has nothing but flagged rows.
    after(mfs("two-ms-one-flagged", vis=["line.ms", "late.ms"], weighting="briggs"), flagged_session),
    cube("cube-two-ms", vis=["line.ms", "late.ms"], spw=["0", "0"]),
    cube("cube-two-ms-selection", vis=["line.ms", "late.ms"], spw=["0:2~11", "0"], antenna=["0~10&", ""],
         scan=["1", ""], weighting="briggsbwtaper"),
    mfs("selection", uvrange=">50klambda", antenna="0~9&", timerange="", intent="", spw="1"),
    mfs("selection-off", selectdata=False, uvrange=">50klambda"),
    mfs("datacolumn-data", vis="corrected.ms", datacolumn="data"),
    mfs("datacolumn-corrected", vis="corrected.ms"),
    mfs("datacolumn-empty", vis=["corrected.ms", "line.ms"], datacolumn=""),  # of which one has corrected data
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
    mfs("timerange", vis="line.ms", timerange="<2021/01/24/06:18:00", spw="0:3~8"),
    cube("cube-timerange", timerange=">2021/01/24/06:18:00"),
    after(mfs("observation", vis="line.ms", observation="1"), sessions),
    after(mfs("intent", vis="line.ms", intent="*PHASE*"), sessions),
    after(cube("cube-scan-intent-observation", scan="2~4", intent="OBSERVE*", observation="0"), sessions),
    after(mfs("two-ms-lists", vis=["late.ms", "line.ms"], **LISTS), sessions),
    after(cube("cube-two-ms-lists", vis=["late.ms", "line.ms"], **LISTS, weighting="briggs"), sessions),
    cube("cube-uvrange", uvrange="<300m", antenna="!3"),
    cube("cube-datacolumn-data", vis="corrected.ms", datacolumn="data", nchan=3, start=0, width=1, outframe=""),
    with_files(
        mfs("outliers-mtmfs", **{**WIDE, "imsize": 72}, outlierfile="outliers.txt", deconvolver="mtmfs", nterms=2),
        outliers_txt=OUTLIERS + "nterms=1\n",
    ),
    with_files(
        mfs("outliers-two", **{**WIDE, "imsize": 28}, outlierfile="outliers.txt", usemask="pb", pbmask=0.3),
        outliers_txt=OUTLIERS_MASKED + "usemask=user\n" + SECOND_OUTLIER,
    ),
    with_files(
        after(mfs("outliers-mask-image", **{**WIDE, "imsize": 72}, outlierfile="outliers.txt"), outlier_mask),
        outliers_txt=OUTLIERS + "mask=far.mask\n",
    ),
    with_files(
        cube("cube-outliers-masked", **{**WIDE, "imsize": 72}, outlierfile="outliers.txt", nchan=3, start=0, width=1,
             outframe="TOPO", mask="circle[[36pix,36pix],8pix], range=[0chan,1chan]"),
        outliers_txt=OUTLIERS_MASKED + "nchan=3\nspecmode=cube\n",
    ),
    with_files(
        cube("cube-outliers-auto", **{**WIDE, **AUTO, "imsize": 72}, outlierfile="outliers.txt", nchan=3, start=0,
             width=1, outframe="TOPO"),
        outliers_txt=OUTLIERS_MASKED + "nchan=3\nspecmode=cube\nusemask=user\n",
    ),
]  # fmt: skip

SAVED_MODELS = [
    mfs("savemodel-column", savemodel="modelcolumn"),
    mfs("savemodel-column-mtmfs", savemodel="modelcolumn", deconvolver="mtmfs", nterms=2),
    mfs("savemodel-column-nsigma", savemodel="modelcolumn", nsigma=3.0, niter=2000),
    mfs("savemodel-column-auto", **AUTO, savemodel="modelcolumn"),
    mfs("savemodel-virtual", savemodel="virtual"),
    cube("cube-savemodel-column", savemodel="modelcolumn"),
    steps("savemodel-afterwards", MFS, {}, {**GO_ON, "niter": 0, "restoration": False, "savemodel": "modelcolumn"}),
    cube("cube-savemodel-virtual", savemodel="virtual"),
    mfs("savemodel-virtual-mtmfs", savemodel="virtual", deconvolver="mtmfs", nterms=2),
    mfs("savemodel-mosaic-virtual", **MOSAIC, savemodel="virtual"),
    steps("savemodel-none-after-column", MFS, {"savemodel": "modelcolumn"}, {**GO_ON, "savemodel": "none"}),
]
