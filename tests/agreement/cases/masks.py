"""Rows about masks: the user's in all forms, the primary beam's, and auto-multithresh."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from .furnish import masks_in_many_forms
from .table import (
    AUTO,
    CENTRE,
    CRTF,
    CUBE,
    MFS,
    MOSAIC,
    NEIGHBOUR,
    NOISY_AUTO,
    STOKES,
    Case,
    Params,
    after,
    cube,
    mfs,
    steps,
    with_files,
)


def both_engines(cases: Iterable[Case]) -> list[Case]:
    """Each case twice: with pclean's own automask and with CASA's."""
    return [
        replace(case, name=f"{case.name}-{engine}", own={"automaskengine": engine})
        for case in cases
        for engine in ("numpy", "casa")
    ]


NOISY_MFS: Params = {**NOISY_AUTO, "spw": "0:5~6", "threshold": "0.02Jy"}

# Masks that are made in a row's folder, see furnish.masks_in_many_forms, by the row's name.
FORMS: dict[str, str | list[str]] = {
    "mask-image-made": "plain.mask",
    "mask-image-icrs": "icrs.mask",
    "mask-image-tf": "tf.mask",
    "mask-region-record": "box.rgn",
    "mask-list-of-forms": ["plain.mask", NEIGHBOUR, "box.rgn"],
}
CUBE_FORMS: dict[str, str | list[str]] = {
    "mask-image-channels": "cube.mask",
    "mask-image-coarse-channels": "coarse_cube.mask",
    "mask-image-concatenated": "concat.mask",
    "mask-region-record-channels": "channels.rgn",
}


def formed(kind: Callable[..., Case], name: str, mask: str | list[str], **changes: Any) -> Case:
    """A row with one of the masks that are made in its folder."""
    return after(kind(name, mask=mask, **changes), masks_in_many_forms)


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
    *(formed(mfs, name, mask) for name, mask in FORMS.items()),
    *(formed(cube, f"cube-{name}", mask) for name, mask in {**FORMS, **CUBE_FORMS}.items()),
    replace(formed(mfs, "mask-image-flat", "flat.mask"), fails="has no spectral coordinate"),
    formed(cube, "cube-mask-image-flat", "flat.mask"),
    formed(mfs, "mask-image-coarse", "coarse.mask"),
    replace(formed(cube, "cube-mask-image-coarse", "coarse.mask"), fails="Failed AlwaysAssert shapeIn.isEqual"),
    formed(mfs, "mask-image-two-stokes", "plain.mask", **STOKES, stokes="IQ"),
    formed(cube, "cube-mask-image-two-stokes", "plain.mask", **STOKES, stokes="IQ", nchan=3, start="229.998GHz"),
    steps(
        "mask-image-galactic",
        MFS,
        {"imagename": "first", "mask": CENTRE, "niter": 5, "phasecenter": "GALACTIC 260.69766deg 23.4878deg"},
        {"mask": "first.mask"},
        expect={"stopcode": 7},  # CASA can't regrid it, and cleans nothing
    ),
    steps(
        "cube-mask-image-other-frame",
        CUBE,
        {
            "imagename": "first",
            "mask": f"{CENTRE}, range=[1chan,3chan]",
            "niter": 5,
            "outframe": "TOPO",
            "start": "230.002GHz",
        },
        {"mask": "first.mask"},
    ),
    steps(
        "cube-mask-image-other-channels",
        CUBE,
        {"imagename": "first", "mask": f"{CENTRE}, range=[1chan,2chan]", "niter": 5, "width": "2MHz", "nchan": 4},
        {"mask": "first.mask"},
    ),
    steps(
        "cube-mask-image-other-cell",
        CUBE,
        {"imagename": "first", "mask": f"{CENTRE}, range=[1chan,3chan]", "niter": 5, "cell": "0.5arcsec"},
        {"mask": "first.mask"},
    ),
    mfs("mask-ellipse-sky", mask="ellipse[[10h00m00.0s, -25d00m00.0s], [3arcsec, 2arcsec], 30deg]"),
    mfs("mask-box", mask="box[[44pix,44pix],[56pix,56pix]]"),
    mfs("mask-polygon", mask="poly[[44pix,44pix],[56pix,44pix],[50pix,58pix]]"),
    cube("cube-mask-frequency-range", mask=f"{CENTRE}, range=[230.000GHz,230.003GHz]"),
    cube(
        "cube-mask-velocity-range",
        mask=f"{CENTRE}, range=[2km/s,6km/s], restfreq=230.005GHz, frame=LSRK, veltype=RADIO",
    ),
    with_files(
        mfs("mask-region-file-box", mask="boxes.crtf"),
        boxes_crtf="#CRTFv0\nbox[[44pix,44pix],[56pix,56pix]]\n-circle[[50pix,50pix],2pix]\n",
    ),
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
        mfs("auto-mfs-low-noise", **{**NOISY_MFS, "lownoisethreshold": 2.5}, verbose=True),
        cube("auto-cube-low-noise", **{**NOISY_AUTO, "lownoisethreshold": 2.5}, verbose=True),
        cube("auto-mosaic-cube", **{**AUTO, **MOSAIC}, nchan=4, start="229.999GHz", niter=400),
    ]
)
