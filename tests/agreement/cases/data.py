"""Rows about what is read of the data, outlier fields, and models saved with the data."""

from __future__ import annotations

from .table import AUTO, GO_ON, MFS, OUTLIERS, OUTLIERS_MASKED, WIDE, cube, mfs, steps, with_files

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

SAVED_MODELS = [
    mfs("savemodel-column", savemodel="modelcolumn"),
    mfs("savemodel-column-mtmfs", savemodel="modelcolumn", deconvolver="mtmfs", nterms=2),
    mfs("savemodel-column-nsigma", savemodel="modelcolumn", nsigma=3.0, niter=2000),
    mfs("savemodel-column-auto", **AUTO, savemodel="modelcolumn"),
    mfs("savemodel-virtual", savemodel="virtual"),
    cube("cube-savemodel-column", savemodel="modelcolumn"),
    steps("savemodel-afterwards", MFS, {}, {**GO_ON, "niter": 0, "restoration": False, "savemodel": "modelcolumn"}),
]
