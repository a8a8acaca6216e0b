"""Rows about images of a run before: gone on with, or given as models."""

from __future__ import annotations

from dataclasses import replace

from .table import AUTO, CENTRE, CUBE, GO_ON, MFS, MOSAIC, NEIGHBOUR, Params, steps

DIRTY: Params = {"niter": 0, "restoration": False}

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
