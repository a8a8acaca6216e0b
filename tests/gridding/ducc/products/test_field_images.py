"""What the images of engine='ducc' tell besides their pixels is what tclean's tell: every keyword of every product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa
from tests.agreement.compare import is_image, products, read_image
from tests.gridding.dirty import CUBE, MFS, NAME, Imaged
from tests.gridding.ducc.test_gridder import run_ducc

CLEANED = {"vis": "filled.ms", "weighting": "briggs", "imsize": 80, "niter": 20, "restoration": True}
CONTINUUM = {**MFS, **CLEANED}
LINE = {**CUBE, **CLEANED, "start": "229.9985GHz", "nchan": 2}
IMAGES: dict[str, dict[str, Any]] = {
    "mfs": {**CONTINUUM, "pbcor": True},
    "mfs-dirty": {**CONTINUUM, "niter": 0, "restoration": False, "weighting": "natural"},
    "mfs-wproject": {**CONTINUUM, "gridder": "wproject", "wprojplanes": 4},
    "mfs-stokes": {**CONTINUUM, "vis": "full_stokes.ms", "stokes": "IQ"},
    "mfs-pb-mask": {**CONTINUUM, "usemask": "pb", "pbmask": 0.3},
    "mtmfs": {**CONTINUUM, "deconvolver": "mtmfs", "nterms": 2, "pbcor": True},
    "cube": {**LINE, "restoringbeam": "common", "pbcor": True, "mask": "circle[[40pix, 40pix], 20pix]"},
    "cube-multiscale": {**LINE, "deconvolver": "multiscale", "scales": [0, 5]},
    "cube-automask": {**LINE, "usemask": "auto-multithresh", "sidelobethreshold": 1.5, "minbeamfrac": 0.1},
    "cube-one-density": {**LINE, "perchanweightdensity": False},
    "cube-superuniform": {**LINE, "weighting": "superuniform", "pblimit": -0.2},
    "cubedata-uniform": {
        **LINE, "specmode": "cubedata", "outframe": "", "start": 1, "width": 1, "weighting": "uniform",
    },
}  # fmt: skip
LONG = {"mfs-dirty", "mfs-wproject", "mfs-pb-mask", "cube-multiscale", "cube-superuniform", "cubedata-uniform"}
ROWS = [pytest.param(name, id=name, marks=[pytest.mark.long] if name in LONG else []) for name in IMAGES]
PLACES = ("logtable", "mask")  # whose values are paths
MEMORY = "memavail"  # differs between two runs of tclean
ROUNDED = 1e-10  # widths are differences of frequencies, whose last bits are others in another process
BEAM = 2e-3  # CASA fits to the PSF that it has gridded
CONSTANT = 1e-6  # of weights: CASA's f2 is single
# tclean's model of several Stokes planes of a continuum image doesn't tell it, those of one or of a cube's do.
UNTOLD = ("mfs-stokes", ".model", ("miscinfo", "useweightimage"))


def leaves(record: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in record.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def told(path: Path) -> dict[tuple[str, ...], Any]:
    with casa.opened_table(str(path)) as table:
        return dict(leaves({**table.getkeywords(), "columns": table.colnames(), "info": table.info()}))


def same(key: tuple[str, ...], theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, (float, np.ndarray)) and np.asarray(theirs).dtype.kind == "f":
        is_beam = "imageinfo" in key
        tolerance = BEAM if is_beam else CONSTANT if key[0] == "miscinfo" else ROUNDED
        return bool(np.allclose(theirs, ours, rtol=tolerance, atol=90 * BEAM if key[-2] == "positionangle" else 0))
    return type(theirs) is type(ours) and bool(np.array_equal(theirs, ours))


@pytest.mark.parametrize("name", ROWS)
def test_every_keyword_is_tcleans(name: str, imaged: Callable[..., Imaged]) -> None:
    imaged(IMAGES[name])
    run_ducc(IMAGES[name])
    here, there = products(Path(), NAME), products(Path("ducc"), NAME)
    assert here.keys() == there.keys()
    found = []
    for suffix in filter(lambda suffix: is_image(here[suffix]), here):
        theirs, ours = told(here[suffix]), told(there[suffix])
        assert theirs["imageinfo", "objectname"] == "field0"
        unlike = {key for key in theirs.keys() ^ ours.keys() if (name, suffix, key) != UNTOLD}
        unlike |= {
            key
            for key in theirs.keys() & ours.keys()
            if key[-1] not in (*PLACES, MEMORY) and not same(key, theirs[key], ours[key])
        }
        found += [(suffix, *key, theirs.get(key), ours.get(key)) for key in sorted(unlike)]
    assert found == []


@pytest.mark.parametrize("name", ["cube-one-density", "cube-superuniform"])
def test_density_of_weights_is_tcleans(name: str, imaged: Callable[..., Imaged]) -> None:
    parameters = {**IMAGES[name], "niter": 0, "restoration": False}
    imaged(parameters)
    run_ducc(parameters)
    theirs, ours = (read_image(Path(folder, f"{NAME}.gridwt")) for folder in ("", "ducc"))
    assert theirs.pixels.max() > 0
    np.testing.assert_allclose(ours.pixels, theirs.pixels, rtol=1e-6)
