"""Imaging weights of images of any shape, drawn at random, are tclean's: .sumwt, and .psf where CASA grids well."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa
from tests.gridding.dirty import CUBE, MFS, Imaged, blocks_of, psf_at, total_weight
from tests.gridding.ducc.test_gridder import inner, pixels, run_ducc

SUMWT = 1e-6  # of each channel's
# The same where CASA adds parts of weights to the cells of a box, in single precision, or has data at the edge of its
# grid, where it leaves out a column of the seven on which a visibility is spread (FTMachine::findGridSector).
SUMWT_ROUNDED = 1e-5
REACHING = 0.25  # pixels larger than this have data beyond their uv grid [arcsec]
GRIDDED = 6e-4  # of the peak, over the inner three quarters: CASA's gridding
ORDINARY, MORE = range(1, 11), range(11, 131)
SEEDS = [*ORDINARY, *(pytest.param(seed, marks=pytest.mark.long) for seed in MORE)]


def drawn(seed: int) -> dict[str, Any]:
    """Parameters of an image, mostly with an odd side or two."""
    draw = random.Random(seed)
    sides = [2 * draw.randint(30, 65) + draw.choice([0, 1, 1]) for _ in range(2)]
    weighting = draw.choice(["uniform", "briggs", "briggs", "superuniform", "briggsabs", "briggsbwtaper", "radial"])
    found = {
        "vis": "filled.ms",
        "imsize": draw.choice([sides, sides[:1] * 2]),
        "cell": f"{draw.uniform(0.1, 0.3):.3f}arcsec",
        "weighting": weighting,
        "robust": draw.choice([-1.0, 0.0, 0.5, 1.0]),
        "noise": "5Jy",
        "calcres": False,
    }
    if weighting != "briggsbwtaper" and draw.random() < 0.3:
        return {**MFS, **found, "npixels": draw.choice([0, 0, 61, 80]) if weighting != "superuniform" else 2}
    per_channel = draw.random() < 0.7
    if per_channel and weighting in ("uniform", "briggs", "briggsabs"):
        found["npixels"] = draw.choice([0, 0, 1, 2])
    return {
        **CUBE,
        **found,
        "start": "229.9985GHz",
        "width": draw.choice(["1MHz", "1.37MHz", "2.2MHz"]),
        "nchan": 2,
        "interpolation": draw.choice(["linear", "nearest"]),
        "perchanweightdensity": per_channel,
    }


def direct_psf(tclean: Imaged, place: tuple[int, ...]) -> float:
    """The PSF at a pixel (x, y, pol, channel)."""
    visibilities = tclean.read()
    visibilities.set_weights()
    blocks = blocks_of(visibilities, place[3])
    steps = tclean.coordinates.cell
    sizes = tclean.config.fields[0].imsize
    offsets = [(at - size // 2) * step for at, size, step in zip(place[:2], sizes, steps, strict=True)]
    return psf_at(blocks, *offsets) / total_weight(blocks)


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_are_tcleans_whatever_the_shape(
    seed: int, imaged: Callable[..., Imaged], dataset: Callable[[str], Path]
) -> None:
    """What weighs each visibility is drawn as well. A PSF is tclean's or nearer to the direct Fourier sum."""
    parameters = drawn(seed)
    sys.stdout.write(f"seed {seed}: {parameters}\n")
    shutil.copytree(dataset("filled"), "filled.ms")
    with casa.opened_table("filled.ms", writable=True) as table:
        table.putcol("WEIGHT", np.random.default_rng(seed).uniform(0.1, 2.0, table.getcol("WEIGHT").shape))
    tclean = imaged(parameters)
    run_ducc(parameters)
    theirs, ours = tclean.images["sumwt"], pixels("ducc/img.sumwt")
    sys.stdout.write(f"sumwt {theirs.ravel()}, off by {abs(ours / theirs - 1).max():.1e} of it\n")
    assert theirs.min() > 0
    reaching = float(parameters["cell"].removesuffix("arcsec")) > REACHING
    tolerance = SUMWT_ROUNDED if reaching or parameters.get("npixels") else SUMWT
    np.testing.assert_allclose(ours, theirs, rtol=tolerance)
    psf, reference = pixels("ducc/img.psf"), tclean.images["psf"]
    difference = abs(inner(psf) - inner(reference))
    sys.stdout.write(f"PSF off by {difference.max():.1e}\n")
    if difference.max() > GRIDDED:
        shift = [size // 8 for size in psf.shape[:2]]
        worst = np.add(np.unravel_index(difference.argmax(), difference.shape), [*shift, 0, 0])
        place = tuple(int(at) for at in worst)
        truth = direct_psf(tclean, place)
        sys.stdout.write(f"at {place}: {truth}, ducc {psf[place]}, tclean {reference[place]}\n")
        assert abs(psf[place] - truth) < 1e-5 < abs(reference[place] - truth)
