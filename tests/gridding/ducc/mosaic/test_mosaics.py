"""Mosaics by engine='ducc': tclean's products within a percent, and nearer to the truth than tclean's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulate import simulate_ms

from pcleantask import casa, pclean
from pcleantask.gridding.ducc.mosaic.airy import BlockedAiry
from tests.gridding.dirty import NAME, Imaged
from tests.gridding.fourier import ARCSEC, LIGHT_SPEED, offsets

MFS: dict[str, Any] = {
    "imagename": NAME,
    "vis": "filled_mosaic.ms",
    "specmode": "mfs",
    "gridder": "mosaic",
    "imsize": [400, 384],
    "cell": "0.3arcsec",
    "phasecenter": "J2000 10h00m00.0s -25d00m00.0s",
    "datacolumn": "data",
    "niter": 0,
    "restoration": False,
    "pblimit": 0.2,
}
CUBE: dict[str, Any] = {**MFS, "specmode": "cube", "start": 1, "nchan": 2, "weighting": "briggs"}
TAYLOR: dict[str, Any] = {**MFS, "vis": "wide_mosaic.ms", "deconvolver": "mtmfs", "nterms": 2, "weighting": "briggs"}
LONG = pytest.mark.long
ROWS = {
    "mfs": (MFS, ()),
    "cube": (CUBE, ()),
    "mfs-fields-together": ({**MFS, "weighting": "briggs", "mosweight": False}, ()),
    "mfs-uniform": ({**MFS, "weighting": "uniform"}, (LONG,)),
    "cube-fields-together": ({**CUBE, "mosweight": False}, (LONG,)),
    "cube-a-density-for-each-field": ({**CUBE, "perchanweightdensity": False, "robust": 0.0}, (LONG,)),
    "cube-one-density": ({**CUBE, "perchanweightdensity": False, "mosweight": False}, (LONG,)),
    "cube-bandwidth": ({**CUBE, "weighting": "briggsbwtaper"}, (LONG,)),
    "cubedata": ({**CUBE, "specmode": "cubedata"}, (LONG,)),
    "mosaicft": ({**CUBE, "gridder": "mosaicft"}, (LONG,)),
    "ftmosaic": ({**MFS, "gridder": "ftmosaic", "weighting": "briggs"}, (LONG,)),
    "flatsky": ({**MFS, "normtype": "flatsky"}, (LONG,)),
    "cube-flatsky": ({**CUBE, "normtype": "flatsky"}, (LONG,)),
    "cube-pbsquare": ({**CUBE, "normtype": "pbsquare", "pblimit": -0.2}, (LONG,)),
    "stokes": ({**CUBE, "stokes": "XXYY"}, (LONG,)),
    "taper": ({**CUBE, "uvtaper": ["2arcsec"]}, (LONG,)),
    "two-arrays": ({**CUBE, "vis": ["filled_mosaic.ms", "mixed_mosaic.ms"]}, (LONG,)),
    "mixed-dishes": ({**CUBE, "vis": "mixed_mosaic.ms"}, (LONG,)),
    "first-field": ({**MFS, "phasecenter": ""}, (LONG,)),
    "evla": ({**MFS, "vis": "evla_mosaic.ms", "cell": "4arcsec", "phasecenter": 2, "imsize": 500}, (LONG,)),
}
SUMWT = 1e-6
PSF = 3e-3  # over the inner three quarters
DENSITY = 1e-5
OF_PEAK = {"weight": 3e-2, "pb": 1e-2, "residual": 1e-2}  # where the primary beam is above 0.5


def pixels(path: str | Path) -> np.ndarray:
    with casa.opened_image(str(path)) as image:
        return image.getchunk()


def put_smaller_dishes(vis: str) -> None:
    """Let every other antenna be one of ACA's."""
    with casa.opened_table(f"{vis}/ANTENNA", writable=True) as table:
        diameters = table.getcol("DISH_DIAMETER")
        diameters[::2] = 7.0
        table.putcol("DISH_DIAMETER", diameters)


@pytest.mark.parametrize("parameters", [pytest.param(row, id=name, marks=marks) for name, (row, marks) in ROWS.items()])
def test_products_are_tcleans_within_a_percent(
    parameters: dict[str, Any], imaged: Callable[..., Imaged], dataset: Callable[[str], Path]
) -> None:
    if "mixed_mosaic.ms" in parameters["vis"]:
        put_smaller_dishes(shutil.copytree(dataset("filled_mosaic"), "mixed_mosaic.ms"))
    imaged(parameters)
    pclean(**{**parameters, "imagename": "ducc", "engine": "ducc"})
    assert {path.name.removeprefix("ducc") for path in Path().glob("ducc.*") if path.is_dir()} == {
        path.name.removeprefix(NAME) for path in Path().glob(f"{NAME}.*") if path.is_dir()
    }
    theirs, ours = ({kind: pixels(f"{name}.{kind}") for kind in ("sumwt", "psf", *OF_PEAK)} for name in (NAME, "ducc"))
    np.testing.assert_allclose(ours["sumwt"], theirs["sumwt"], rtol=SUMWT)
    if Path("ducc.gridwt").is_dir():
        np.testing.assert_allclose(pixels("ducc.gridwt"), pixels(f"{NAME}.gridwt"), rtol=DENSITY)
    inner = tuple(slice(size // 8, size - size // 8) for size in theirs["psf"].shape[:2])
    assert abs(ours["psf"][inner] - theirs["psf"][inner]).max() < PSF
    within = theirs["pb"] > 0.5
    assert within.any(axis=(0, 1)).all()
    for kind, tolerance in OF_PEAK.items():
        difference = abs(ours[kind] - theirs[kind])[within].max()
        assert difference < tolerance * abs(theirs[kind]).max(), kind


def test_taylor_terms_are_tcleans_within_percents(imaged: Callable[..., Imaged]) -> None:
    imaged(TAYLOR)
    pclean(**{**TAYLOR, "imagename": "ducc", "engine": "ducc"})
    within = pixels(f"{NAME}.pb.tt0") > 0.5
    for kind, tolerance in (("psf.tt0", 3e-3), ("weight.tt0", 2.5e-2), ("residual.tt0", 1e-2), ("residual.tt1", 3e-2)):
        theirs, ours = pixels(f"{NAME}.{kind}"), pixels(f"ducc.{kind}")
        assert abs(ours - theirs)[within].max() < tolerance * abs(theirs[within]).max(), kind


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=LONG) for seed in range(2, 7))])
def test_visibilities_off_the_uv_grid_are_left_out(imaged: Callable[..., Imaged], seed: int) -> None:
    """A mosaic's grid isn't padded, and what falls near its ends counts. (tclean's mosaics have no odd sizes.)"""
    draw = np.random.default_rng(seed)
    kind = (MFS, CUBE)[seed % 2]
    cell = f"{draw.uniform(0.35, 0.8):.3f}arcsec"
    parameters = {**kind, "vis": "wide_mosaic.ms", "imsize": (2 * draw.integers(60, 90, 2)).tolist(), "cell": cell}
    parameters |= {"start": "", "nchan": -1, "weighting": str(draw.choice(["natural", "briggs"])), "spw": "1"}
    theirs = imaged(parameters).images["sumwt"]
    pclean(**{**parameters, "imagename": "ducc", "engine": "ducc"})
    np.testing.assert_allclose(pixels("ducc.sumwt"), theirs, rtol=SUMWT, err_msg=str(parameters))


def test_fields_off_the_image_are_left_out(imaged: Callable[..., Imaged]) -> None:
    parameters = {**CUBE, "imsize": 200, "cell": "0.1arcsec", "phasecenter": 0, "mosweight": False}
    theirs = imaged(parameters).images["sumwt"]
    pclean(**{**parameters, "imagename": "ducc", "engine": "ducc"})
    np.testing.assert_allclose(pixels("ducc.sumwt"), theirs, rtol=SUMWT)
    whole = {**parameters, "imsize": 400, "cell": "0.3arcsec"}
    assert (theirs < 0.5 * imaged(whole).images["sumwt"]).all()


def test_outlier_field_is_what_the_main_one_has_there(
    dataset: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In tclean's outlier field beams that leave the image come back at its other side: .pb 0.66 where it is 0."""
    monkeypatch.chdir(tmp_path)
    Path("filled_mosaic.ms").symlink_to(dataset("filled_mosaic"))
    size, shift = 200, (40, -30)
    common = {**MFS, "engine": "ducc", "imsize": 400, "imagename": "main"}
    pclean(**common)
    with casa.opened_image("main.pb") as image:
        place = image.coordsys().toworld([200 + shift[0], 200 + shift[1], 0, 0], "s")["string"]
    centre = f"J2000 {place[0]} {place[1]}"
    text = f"imagename=far\nimsize=[{size},{size}]\ncell=0.3arcsec\nphasecenter={centre}\ngridder=mosaic\n"
    Path("far.txt").write_text(text, encoding="utf-8")
    pclean(**{**common, "imagename": "other", "outlierfile": "far.txt"})
    there = tuple(slice(200 + step - size // 2, 200 + step + size // 2) for step in shift)
    np.testing.assert_array_equal(pixels("other.sumwt"), pixels("far.sumwt"))
    for kind in ("pb", "weight", "residual"):
        whole, found = pixels(f"other.{kind}"), pixels(f"far.{kind}")
        assert abs(whole - pixels(f"main.{kind}")).max() < 1e-6 * abs(whole).max(), kind
        inside = pixels("far.pb") > 0.25
        assert inside.sum() > 1000
        assert abs(found - whole[there])[inside].max() < 1e-3 * abs(whole).max(), kind


class TrueSky:
    """Sources at pixels of an image, seen through ALMA's beams without noise: (x, y, flux) counted from the centre."""

    SOURCES = ((0, 0, 1.0), (-61, 40, 0.6), (35, 72, 0.8), (80, -50, 0.4), (-15, -66, 0.7))
    CENTRE = (np.radians(150.0), np.radians(-25.0))
    IMSIZE, CELL = 560, 0.2
    PARAMETERS: dict[str, Any] = {
        **MFS,
        "vis": "true.ms",
        "imsize": IMSIZE,
        "cell": f"{CELL}arcsec",
        "restoration": True,
        "engine": "ducc",
    }

    @classmethod
    def observe(cls) -> None:
        """Write true.ms."""
        pointings = ((-12, -6), (12, -6), (0, 13))
        layout = {"antennas": 20, "nintegrations": 9, "integration_s": 600.0, "nchannels": 3}
        simulate_ms("true.ms", **layout, noise_jy=1e-9, pointings=pointings)
        with casa.opened_table("true.ms/FIELD") as table:
            centres = table.getcol("PHASE_DIR")[:, 0].T
        with casa.opened_table("true.ms/SPECTRAL_WINDOW") as table:
            frequency = table.getcell("CHAN_FREQ", 0)
        places = np.array([source[:2] for source in cls.SOURCES]) + cls.IMSIZE // 2
        cell = (-cls.CELL * ARCSEC, cls.CELL * ARCSEC)
        dish = BlockedAiry.of_dish(12.0, cls.IMSIZE * cls.CELL * ARCSEC)
        with casa.opened_table("true.ms", writable=True) as table:
            uvw, fields = table.getcol("UVW").T, table.getcol("FIELD_ID")
            total = np.zeros((len(uvw), len(frequency)), complex)
            for field, centre in enumerate(centres):
                own = fields == field
                seen_at = offsets(places, (cls.IMSIZE, cls.IMSIZE), cell, cls.CENTRE, centre)
                for place, (_, _, flux) in zip(seen_at, cls.SOURCES, strict=True):
                    beam = dish(np.hypot(*place[:2]) * frequency) ** 2
                    turns = np.outer(uvw[own] @ place, frequency / LIGHT_SPEED)
                    total[own] += flux * beam * np.exp(2j * np.pi * turns)
            table.putcol("DATA", np.repeat(total.T[np.newaxis], 2, axis=0))

    @classmethod
    def model(cls, path: str) -> None:
        """Write the model that the sky is in a flat-noise image, beside dirty images of that name."""
        shutil.copytree(f"{path}.residual", f"{path}.true")
        beam = pixels(f"{path}.pb")
        with casa.opened_image(f"{path}.true") as image:
            image.maskhandler("delete", ["mask0"])
            values = np.zeros_like(beam)
            for x, y, flux in cls.SOURCES:
                at = cls.IMSIZE // 2 + x, cls.IMSIZE // 2 + y
                values[at] = flux * beam[at]
            image.putchunk(values)
            image.setbrightnessunit("Jy/pixel")


@pytest.mark.parametrize(
    "changes",
    [
        {"specmode": "cubedata"},
        pytest.param({}, marks=LONG),
        pytest.param({"specmode": "cubedata", "parallel": True}, marks=LONG),
    ],
)
def test_the_true_sky_leaves_nothing_and_its_fluxes_are_found(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    TrueSky.observe()
    parameters = {**TrueSky.PARAMETERS, **changes, "nworkers": 2}
    pclean(**{**parameters, "imagename": "dirty"})
    TrueSky.model("dirty")
    pclean(**{**parameters, "imagename": "left", "startmodel": "dirty.true"})
    within = pixels("dirty.pb") > 0.2
    left, dirty = (abs(pixels(f"{name}.residual"))[within].max() for name in ("left", "dirty"))
    assert left < 5e-4 * dirty
    pclean(**{**parameters, "imagename": "clean", "niter": 3000, "threshold": "0.1mJy", "pbcor": True})
    image = pixels("clean.image.pbcor")
    for x, y, flux in TrueSky.SOURCES:
        found = image[TrueSky.IMSIZE // 2 + x, TrueSky.IMSIZE // 2 + y]
        np.testing.assert_allclose(found, flux, rtol=2e-3)


@pytest.mark.parametrize("specmode", [pytest.param("mfs", marks=LONG), "cubedata"])
def test_the_saved_model_of_the_true_sky_is_the_data(
    specmode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a run that goes on from it without a new PSF has the same residual."""
    monkeypatch.chdir(tmp_path)
    TrueSky.observe()
    parameters = {**TrueSky.PARAMETERS, "specmode": specmode, "imagename": "true"}
    pclean(**{**parameters, "imagename": "dirty"})
    TrueSky.model("dirty")
    pclean(**{**parameters, "startmodel": "dirty.true", "savemodel": "modelcolumn"})
    with casa.opened_table("true.ms") as table:
        data, model = table.getcol("DATA"), table.getcol("MODEL_DATA")
    assert abs(model - data).max() < 2e-3 * abs(data).max()
    residual = pixels("true.residual")
    pclean(**{**parameters, "calcpsf": False})
    assert abs(pixels("true.residual") - residual).max() < 1e-6 * abs(pixels("dirty.residual")).max()
