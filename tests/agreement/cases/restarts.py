"""Rows about images of a run before: gone on with, or given as models."""

from __future__ import annotations

from dataclasses import replace

from .table import AUTO, CENTRE, CUBE, GO_ON, MFS, MOSAIC, NEIGHBOUR, Params, steps

DIRTY: Params = {"niter": 0, "restoration": False}
BY_PB: Params = {"usemask": "pb", "pbmask": 0.4}

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
    steps("restart-psf-only", MFS, {}, {"niter": 60, "calcres": False}),
    steps("restart-cube-psf-only", CUBE, {}, {"niter": 200, "calcres": False}),
    steps("restart-cube-with-calcres", CUBE, {}, {"niter": 200, "calcpsf": False}),
    steps("restart-cube-with-calcpsf", CUBE, {}, {"niter": 200}),
    steps("restart-cube-mosaic-goes-on", {**CUBE, **MOSAIC, "nchan": 4}, {}, {"niter": 200, "calcpsf": False}),
    steps("restart-nothing-to-do", MFS, {}, {**GO_ON, "niter": 0, "restoration": False}),
    steps("restart-false-twice", MFS, {"niter": 20}, {"restart": False}, {"restart": False, "niter": 60}),
    steps("restart-false-cube", CUBE, {}, {"restart": False, "niter": 100, "mask": CENTRE}),
    steps("restart-same-mask", MFS, {"mask": CENTRE}, {**GO_ON, "niter": 60}),
    steps("restart-user-then-auto", MFS, {"mask": CENTRE, "niter": 40}, {**GO_ON, **AUTO, "mask": ""}),
    steps(
        "restart-user-then-pb",
        MFS,
        {"mask": CENTRE, "niter": 40},
        {**GO_ON, **BY_PB},
    ),
    steps("restart-auto-then-user", MFS, {**AUTO, "niter": 40}, {**GO_ON, "usemask": "user"}),
    steps("restart-auto-then-pb", MFS, {**AUTO, "niter": 40}, {**GO_ON, **BY_PB}),
    steps("restart-pb-then-auto", MFS, {**BY_PB, "niter": 40}, {**GO_ON, **AUTO}),
    steps("restart-pb-then-user", MFS, {**BY_PB, "niter": 40}, {**GO_ON, "usemask": "user"}),
    steps("restart-mask-kept", MFS, {"mask": CENTRE, "niter": 40}, {**GO_ON, "mask": ""}),
    steps("restart-cube-mask-kept", CUBE, {"mask": CENTRE, "niter": 40}, {**GO_ON, "mask": ""}),
    steps("restart-cube-user-then-auto", CUBE, {"mask": CENTRE, "niter": 40}, {**GO_ON, **AUTO, "mask": ""}),
    steps("restart-cube-auto-then-user", CUBE, {**AUTO, "niter": 40}, {**GO_ON, "usemask": "user"}),
    steps("restart-cube-auto-then-pb", CUBE, {**AUTO, "niter": 40}, {**GO_ON, **BY_PB}),
    steps("restart-cube-pb-then-auto", CUBE, {**BY_PB, "niter": 40}, {**GO_ON, **AUTO}),
    steps("restart-cube-pb-then-user", CUBE, {**BY_PB, "niter": 40}, {**GO_ON, "usemask": "user"}),
    steps("restart-mask-after-none", MFS, DIRTY, {**GO_ON, "mask": CENTRE}),
    steps("restart-cube-mask-after-none", CUBE, DIRTY, {**GO_ON, "mask": CENTRE}),
    steps(
        "startmodel-other-grid",
        MFS,
        {"imagename": "first", "imsize": 80, "cell": "0.5arcsec"},
        {"startmodel": "first.model", "niter": 60},
    ),
    steps(
        "startmodel-other-place",
        MFS,
        {"imagename": "first", "phasecenter": "J2000 10h00m00.2s -25d00m02.0s"},
        {"startmodel": "first.model", "niter": 60},
    ),
    steps(
        "startmodel-cube-other-grid",
        CUBE,
        {"imagename": "first", "imsize": 80, "cell": "0.5arcsec"},
        {"startmodel": "first.model", "niter": 100},
    ),
    steps(
        "startmodel-cube-other-channels",
        CUBE,
        {"imagename": "first", "nchan": 5, "width": "2MHz", "start": "229.997GHz"},
        {"startmodel": "first.model", "niter": 100},
    ),
]
