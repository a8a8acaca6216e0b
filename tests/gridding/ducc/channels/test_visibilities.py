"""Visibilities and weights against tclean: .sumwt, and direct Fourier sums at some pixels of .psf and .residual.

CASA spreads each visibility on seven by seven cells, which costs it some 3e-4 of the peak; the sums have no such error.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulate import simulate_ms

from pcleantask import casa
from pcleantask.gridding.ducc.channels.block import Block
from pcleantask.gridding.ducc.channels.visibilities import Visibilities
from tests.agreement import casa_gridding
from tests.gridding import dirty
from tests.gridding.dirty import CUBE, MFS, Imaged

SUMWT = 1e-5  # CASA sums in single precision
ROUNDED = 1e-5  # of the peak: what is left when these visibilities are gridded as CASA grids them
GRIDDED = 5e-4  # of the peak: the error of CASA's gridding
WIDE_BAND = {**CUBE, "vis": "continuum.ms", "start": "221GHz", "width": "4GHz"}
SHIFTED = {"phasecenter": "J2000 10h00m00.3s -25d00m03.0s"}
POLARISED = {"vis": "full_stokes.ms"}
LOWER = {"vis": "lower.ms"}  # frequencies fall
ALIGNED = {"start": "", "nchan": -1, "width": ""}
FLAGGED = {"vis": "flagged.ms", "nchan": 10, "start": "229.9983GHz"}

WEIGHTS: dict[str, dict[str, Any]] = {
    "natural": {},
    "uniform": {"weighting": "uniform"},
    "superuniform": {"weighting": "superuniform", "npixels": 2},
    "superuniform-default-box": {"weighting": "superuniform"},
    "briggs": {"weighting": "briggs", "robust": 0.5},
    "briggs-nearly-uniform": {"weighting": "briggs", "robust": -1.0},
    "briggsabs": {"weighting": "briggsabs", "robust": 0.5, "noise": "5Jy"},
    "radial": {"weighting": "radial"},
    "taper": {"weighting": "briggs", "uvtaper": ["0.8arcsec", "0.5arcsec", "120deg"]},
    "taper-round": {"uvtaper": ["0.8arcsec"]},
    "taper-klambda": {"uvtaper": ["200klambda"]},
}
CONTINUUM_WEIGHTS = {"briggs-coarse-grid": {"weighting": "briggs", "robust": -0.5, "npixels": 40}}
CUBE_WEIGHTS = {
    "briggs-box": {"weighting": "briggs", "npixels": 1},
    "briggs-one-density": {"weighting": "briggs", "perchanweightdensity": False},
    "uniform-one-density": {"weighting": "uniform", "perchanweightdensity": False},
    "briggsbwtaper": {"weighting": "briggsbwtaper"},
}
ROWS: dict[str, dict[str, Any]] = {
    **{f"mfs-{name}": {**MFS, **weights} for name, weights in {**WEIGHTS, **CONTINUUM_WEIGHTS}.items()},
    **{f"cube-{name}": {**CUBE, **weights} for name, weights in {**WEIGHTS, **CUBE_WEIGHTS}.items()},
    "cube-wide-band": {**WIDE_BAND, "weighting": "briggs"},
    "cube-wide-band-bwtaper": {**WIDE_BAND, "weighting": "briggsbwtaper"},
    "cube-wide-band-one-density": {**WIDE_BAND, "weighting": "briggs", "perchanweightdensity": False},
    "cube-aligned": {**CUBE, **ALIGNED},
    # The channels begin where the data's are at one time, and end where the last bits say whether there are data.
    "cube-aligned-setting": {**CUBE, **ALIGNED, "vis": "setting.ms"},
    "cube-aligned-bary": {**CUBE, **ALIGNED, "outframe": "BARY"},
    "cube-aligned-topo": {**CUBE, **ALIGNED, "outframe": "TOPO", "spw": "0:2~8"},
    "cube-aligned-flagged": {**CUBE, **ALIGNED, "vis": "flagged.ms", "spw": "0:2~8"},
    "cube-aligned-wide": {**CUBE, **ALIGNED, "width": 2, "weighting": "briggs"},
    "cube-aligned-wide-topo": {**CUBE, **ALIGNED, "width": 2, "outframe": "TOPO"},
    "cube-aligned-wide-flagged": {**CUBE, **ALIGNED, "vis": "flagged.ms", "width": 3},
    "cube-aligned-in-the-middle": {**CUBE, **ALIGNED, "vis": "setting.ms", "start": 3, "nchan": 5},
    "cube-nearest": {**CUBE, "interpolation": "nearest", "weighting": "briggs"},
    "cube-nearest-odd": {**CUBE, "interpolation": "nearest", "start": "229.998GHz", "width": "1.3MHz"},
    "cube-topo": {**CUBE, "outframe": "TOPO", "start": "230.0024GHz"},
    "cube-bary": {**CUBE, "outframe": "BARY", "start": "229.9904GHz"},
    "cube-geo": {**CUBE, "outframe": "GEO", "start": "230.0024GHz", "weighting": "briggs"},
    "cube-odd": {**CUBE, "start": "229.998GHz", "width": "1.3MHz", "weighting": "briggs"},
    "cube-wide": {**CUBE, "width": "2.2MHz", "nchan": 4, "weighting": "briggs"},
    "cube-reversed": {**CUBE, "start": "230.005GHz", "width": "-1MHz"},
    "cube-wide-reversed": {**CUBE, "start": "230.005GHz", "width": "-2.3MHz", "nchan": 4},
    "cube-beyond-the-band": {**CUBE, "start": "229.993GHz", "nchan": 8},
    "cube-velocity": {**CUBE, "start": "8km/s", "width": "-1.32km/s", "restfreq": "230.005GHz"},
    "cube-optical": {
        **CUBE, "start": "8km/s", "width": "-1.32km/s", "restfreq": "230.005GHz", "veltype": "optical",
    },
    "cube-one-channel": {**CUBE, "nchan": 1, "start": "230.003GHz", "weighting": "briggs"},
    "cube-flagged": {**CUBE, **FLAGGED},
    "cube-flagged-briggs": {**CUBE, **FLAGGED, "weighting": "briggs"},
    "cube-channels-selected": {**CUBE, "spw": "0:2~9"},
    "cube-gap-selected": {**CUBE, "spw": "0:1~4;6~10"},
    "cubedata": {**CUBE, "specmode": "cubedata", "start": 2, "width": 1},
    "cubedata-between": {**CUBE, "specmode": "cubedata", "start": "230.0033GHz", "weighting": "briggs"},
    "cube-shifted": {**CUBE, **SHIFTED, "weighting": "briggs"},
    "cube-iquv": {**CUBE, **POLARISED, "stokes": "IQUV", "nchan": 3, "start": "229.9984GHz"},
    "cube-iq-uniform": {**CUBE, **POLARISED, "stokes": "IQ", "nchan": 3, "weighting": "uniform"},
    "cube-two-ms": {**CUBE, "vis": ["line.ms", "late.ms"], "weighting": "briggs"},
    "cube-one-hand-and-two": {**CUBE, "vis": ["line.ms", "one_hand.ms"], "weighting": "briggs"},
    "mfs-one-hand": {**MFS, "vis": "one_hand.ms", "weighting": "briggs"},
    "cube-two-fields": {**CUBE, "vis": "mosaic.ms", "field": "0,2", "phasecenter": 1},
    "cube-lower": {**CUBE, **LOWER, "weighting": "briggs"},
    "cube-lower-reversed": {**CUBE, **LOWER, "start": "230.005GHz", "width": "-1MHz"},
    "cube-lower-aligned": {**CUBE, **LOWER, **ALIGNED},
    "cube-lower-aligned-reversed": {**CUBE, **LOWER, **ALIGNED, "start": 2, "width": -1},
    "cube-lower-wide": {**CUBE, **LOWER, "width": "2.2MHz", "nchan": 4, "weighting": "briggs"},
    "cube-lower-wide-reversed": {**CUBE, **LOWER, "start": "230.005GHz", "width": "-2.3MHz", "nchan": 4},
    "cube-lower-velocity": {**CUBE, **LOWER, "start": "0km/s", "width": "2.64km/s", "restfreq": "230.005GHz"},
    "cube-lower-nearest": {**CUBE, **LOWER, "interpolation": "nearest", "width": "1.3MHz"},
    "cube-lower-gap-selected": {**CUBE, **LOWER, "spw": "0:1~4;6~10"},
    "cube-both-sidebands": {**CUBE, "vis": ["lower.ms", "late.ms"], "width": "2.2MHz", "weighting": "briggs"},
    "mfs-sidebands": {**MFS, "vis": "sidebands.ms", "weighting": "briggs"},
    "mfs-lower": {**MFS, **LOWER, "spw": "0:2~9"},
    "mfs-shifted": {**MFS, **SHIFTED, "weighting": "briggs"},
    "mfs-field": {**MFS, "vis": "mosaic.ms", "field": "1"},
    "mfs-three-fields": {**MFS, "vis": "mosaic.ms", "phasecenter": 1},
    "mfs-vla": {**MFS, "vis": "wide.ms", "cell": "10arcsec", "weighting": "briggs"},
    "mfs-coarse": {**MFS, "cell": "0.4arcsec", "weighting": "briggs"},
    "mfs-iquv": {**MFS, **POLARISED, "stokes": "IQUV"},
    "mfs-uv": {**MFS, **POLARISED, "stokes": "UV", "weighting": "briggs"},
    "mfs-xx": {**MFS, **POLARISED, "stokes": "XX"},
    "mfs-xxyy": {**MFS, **POLARISED, "stokes": "XXYY"},
    "mfs-rr": {**MFS, "vis": "wide.ms", "cell": "10arcsec", "stokes": "RR"},
    "mfs-rrll": {**MFS, "vis": "wide.ms", "cell": "10arcsec", "stokes": "RRLL"},
    "mfs-iv-circular": {**MFS, "vis": "wide.ms", "cell": "10arcsec", "stokes": "IV"},
    "mfs-corrected": {**MFS, "vis": "corrected.ms", "datacolumn": "corrected"},
    "mfs-corrected-not-there": {**MFS, "datacolumn": "corrected"},
    "mfs-two-ms": {**MFS, "vis": ["line.ms", "late.ms"], "spw": ["0:2~9", "0:1~7"], "antenna": ["", "0~9&"]},
    "mfs-selection": {**MFS, "uvrange": ">50klambda", "antenna": "0~9&", "spw": "1", "timerange": ">02:00:00"},
    "mfs-spw-range": {**MFS, "spw": "0:1~2,1:3", "weighting": "briggs"},
}  # fmt: skip

SHORT = {
    "mfs-briggs",
    "mfs-superuniform",
    "mfs-taper",
    "mfs-iquv",
    "mfs-shifted",
    "mfs-two-ms",
    "cube-natural",
    "cube-aligned-bary",
    "cube-aligned-wide",
    "cube-aligned-wide-flagged",
    "cube-nearest",
    "cube-topo",
    "cube-wide",
    "cube-wide-band-bwtaper",
    "cube-briggs-one-density",
    "cube-flagged-briggs",
    "cube-shifted",
    "cube-lower-reversed",
    "cube-lower-velocity",
    "cube-both-sidebands",
    "mfs-sidebands",
    "cubedata-between",
}
COUPLED = {
    "cube": CUBE,
    "cube-briggs": {**CUBE, "weighting": "briggs"},
    "cube-nearest": {**CUBE, "interpolation": "nearest"},
    "cube-wide": {**CUBE, "width": "2.2MHz", "nchan": 4},
    "cube-wide-reversed": {**CUBE, "start": "230.005GHz", "width": "-2.3MHz", "nchan": 4},
    "cube-odd": {**CUBE, "start": "229.998GHz", "width": "1.3MHz"},
    "cube-reversed": {**CUBE, "start": "230.005GHz", "width": "-1MHz"},
    "cube-beyond-the-band": {**CUBE, "start": "229.9935GHz", "nchan": 8},
    "cube-flagged-briggs": {**CUBE, **FLAGGED, "weighting": "briggs"},
    "cube-shifted": {**CUBE, **SHIFTED},
    "cube-iquv": {**CUBE, **POLARISED, "stokes": "IQUV", "nchan": 3, "start": "229.9984GHz"},
    "cube-two-ms": {**CUBE, "vis": ["line.ms", "late.ms"]},
    "cube-one-channel": {**CUBE, "nchan": 1, "start": "230.003GHz"},
    "cube-lower": {**CUBE, **LOWER, "weighting": "briggs"},
    "cube-lower-reversed": {**CUBE, **LOWER, "start": "230.005GHz", "width": "-1MHz"},
    "cube-lower-wide": {**CUBE, **LOWER, "width": "2.2MHz", "nchan": 4},
    "cube-lower-wide-reversed": {**CUBE, **LOWER, "start": "230.005GHz", "width": "-2.3MHz", "nchan": 4},
    "cube-both-sidebands": {**CUBE, "vis": ["lower.ms", "late.ms"]},
    "mfs": MFS,
    "mfs-sidebands": {**MFS, "vis": "sidebands.ms"},
    "mfs-shifted": {**MFS, **SHIFTED},
}
COUPLED_SHORT = {"cube", "cube-wide", "cube-shifted", "cube-lower-wide-reversed", "mfs"}


def rows(table: dict[str, dict[str, Any]], short: set[str]) -> list[Any]:
    """Names of a table's rows; those that are not in `short` run with --all alone."""
    return [pytest.param(name, marks=() if name in short else pytest.mark.long) for name in table]


def off_casas_gridding(found: Imaged, visibilities: Visibilities) -> float:
    """By how much tclean's images differ from CASA's gridding of these visibilities, of the peak."""
    shape, cell = found.config.fields[0].imsize, found.coordinates.cell
    inner = tuple(slice(size // 8, size - size // 8) for size in shape)
    peak, errors = np.abs(found.images["residual"]).max(), []
    for channel in range(found.images["psf"].shape[3]):
        blocks = dirty.blocks_of(visibilities, channel)
        if dirty.total_weight(blocks) > 0:
            psf, residual = casa_gridding.images(blocks, tuple(shape), tuple(cell))
            errors.append(np.abs(psf - found.images["psf"][:, :, 0, channel])[inner].max())
            theirs = np.moveaxis(found.images["residual"][..., channel], -1, 0)
            errors.append(np.abs(residual - theirs)[(slice(None), *inner)].max() / peak)
    return max(errors)


def worst(found: Imaged, visibilities: Visibilities) -> tuple[float, float, float]:
    """Largest differences from tclean in .sumwt (relative), .psf and .residual (of its peak)."""
    sumwt, psf, residual = (found.images[name] for name in ("sumwt", "psf", "residual"))
    assert sumwt.max() > 0
    peak = np.abs(residual).max()
    assert peak > 0.01
    errors = []
    for channel in range(sumwt.shape[3]):
        blocks = dirty.blocks_of(visibilities, channel)
        weight = dirty.total_weight(blocks)
        expected = sumwt[0, 0, 0, channel]
        assert (sumwt[0, 0, :, channel] == expected).all()
        errors.append([abs(weight * visibilities.ncorr - expected) / sumwt.max(), 0, 0])
        for (x, y), l, m in found.offsets if weight > 0 else ():
            in_psf = dirty.psf_at(blocks, l, m) / weight - psf[x, y, 0, channel]
            in_sky = dirty.sky_at(blocks, l, m) / weight - residual[x, y, :, channel]
            errors.append([0, abs(in_psf), np.abs(in_sky).max() / peak])
    return tuple(np.max(errors, axis=0))


@pytest.mark.parametrize("name", rows(ROWS, SHORT))
def test_sums_over_visibilities_are_tclean_images(name: str, imaged: Callable[..., Imaged]) -> None:
    found = imaged(ROWS[name])
    visibilities = found.read()
    visibilities.set_weights()
    sumwt, psf, residual = worst(found, visibilities)
    gridded = off_casas_gridding(found, visibilities)
    figures = f"sumwt {sumwt:.1e}, psf {psf:.1e}, residual {residual:.1e}, by CASA's gridding {gridded:.1e} of the peak"
    print(f"{name}: {figures}")  # noqa: T201  for who asks with -s
    assert sumwt < SUMWT
    assert psf < GRIDDED
    assert residual < GRIDDED
    assert gridded < ROUNDED


DAYS = ("2015/02/16", "2012/08/13", "2019/05/24", "2021/01/24")


@pytest.mark.parametrize("frame", ["LSRK", pytest.param("BARY", marks=pytest.mark.long)])
def test_channels_counted_in_those_of_the_data_have_what_tclean_puts_there(
    frame: str, imaged: Callable[..., Imaged]
) -> None:
    """Last bits decide on data at the cube's ends, and how often whole-number widths are sampled."""
    border = []
    for number, day in enumerate(DAYS):
        name = f"{number}.ms"
        simulate_ms(
            name, antennas=4, nintegrations=5, integration_s=(60.0, 900.0)[number % 2], nchannels=6, reference_time=day,
            channel_hz=(1e6, -1e6)[number // 2],
        )  # fmt: skip
        for start, width in (("", ""), (1, 1), (0, 2)):
            counted = {**ALIGNED, "start": start, "width": width}
            found = imaged({**CUBE, **counted, "vis": name, "outframe": frame, "calcres": False})
            visibilities = found.read()
            visibilities.set_weights()
            sums = found.images["sumwt"].ravel()
            ours = [dirty.total_weight(dirty.blocks_of(visibilities, channel)) for channel in range(len(sums))]
            np.testing.assert_allclose(np.array(ours) * visibilities.ncorr, sums, rtol=1e-6, err_msg=f"{day} {counted}")
            border.append(sums[0] / sums.max())
    assert 0 < min(border) < 0.3  # some have one integration there


@pytest.mark.parametrize("name", rows(COUPLED, COUPLED_SHORT))
def test_data_less_coupled_predictions_are_tclean_residual(
    name: str, imaged: Callable[..., Imaged], tmp_path: Path
) -> None:
    parameters = COUPLED[name]
    before = imaged(parameters)
    model = _start_model(tmp_path, before.images["residual"].shape)
    found = imaged({**parameters, "startmodel": "start.model"})
    residual = found.images["residual"]
    assert np.abs(residual - before.images["residual"]).max() > 0.1 * np.abs(residual).max()
    visibilities = before.read()
    visibilities.set_weights()
    points = [(l, m, model[x, y]) for (x, y), l, m in before.offsets if model[x, y].any()]
    assert len(points) == 2
    error = 0.0
    for channel in range(residual.shape[3]):
        blocks = _less_model(visibilities, channel, points)
        weight = dirty.total_weight(blocks)
        for (x, y), l, m in found.offsets if weight > 0 else ():
            expected = residual[x, y, :, channel]
            error = max(error, np.abs(dirty.sky_at(blocks, l, m) / weight - expected).max() / np.abs(residual).max())
    print(f"{name}: residual {error:.1e} of the peak")  # noqa: T201  a figure for who asks with -s
    assert error < 2 * GRIDDED  # CASA's errors in prediction and in gridding


def _start_model(folder: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Write start.model: at two pixels a flux of its own in each channel and product."""
    shutil.copytree(folder / f"{dirty.NAME}.residual", folder / "start.model")
    model = np.zeros(shape)
    generator = np.random.default_rng(7)
    for x, y in dirty.PIXELS[1:3]:
        model[x, y] = generator.standard_normal(shape[2:])
    with casa.opened_image(str(folder / "start.model")) as image:
        image.putchunk(model)
        image.setbrightnessunit("Jy/pixel")
    return model


def _less_model(visibilities: Visibilities, channel: int, points: list) -> list[Block]:
    """The blocks of a channel without what the model of points (l, m, flux[product, channel]) predicts."""
    blocks = dirty.blocks_of(visibilities, channel)
    if visibilities.axis is None:
        shares: list[dict[int, Any]] = [{0: 1} for _ in blocks]
    else:
        shares = visibilities.coupling(channel)
    left = []
    for block, coupling in zip(blocks, shares, strict=True):
        data = block.data.astype(complex)
        for number, share in coupling.items():
            frequency = block.freq if visibilities.axis is None else visibilities.axis.frequency[number : number + 1]
            one = [(l, m, flux[:, number]) for l, m, flux in points]
            data -= share * dirty.prediction(block, one, frequency)
        left.append(dataclasses.replace(block, data=data))
    return left
