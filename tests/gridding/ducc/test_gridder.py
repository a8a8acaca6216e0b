"""engine='ducc' makes tclean's products: the same files, coordinates, masks and beams, and truer pixels."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulate import simulate_ms
from sky import Source

from pcleantask import casa, pclean
from pcleantask.gridding.data import memory
from pcleantask.images import planes
from tests.agreement.cases.furnish import sessions
from tests.agreement.compare import is_image, products
from tests.agreement.runner import Call, TaskProcess
from tests.gridding.dirty import CUBE, MFS, NAME, PIXELS, Imaged, blocks_of, psf_at, sky_at, total_weight
from tests.gridding.fourier import dirty_at

OF_PEAK = 1e-5  # the largest error of ducc's images
GRIDDED = 5e-4  # what CASA's differ from ducc's by, of the peak, over the inner three quarters: CASA's gridding
PRIMARY_BEAM = 1e-5
SUMWT = 1e-5
INTEGRATED = 1e-3  # of a source's flux
BEAM = 2e-3  # of the axes: CASA fits to the PSF that it has gridded
FILLED = {"vis": "filled.ms", "start": "229.9985GHz", "nchan": 3}
BRIGGS = {"weighting": "briggs"}
TAYLOR = {**MFS, **BRIGGS, "deconvolver": "mtmfs", "nterms": 2}
POLARISED = {**MFS, **BRIGGS, "vis": "full_stokes.ms"}
TRUTH: dict[str, dict[str, Any]] = {
    "mfs": {**MFS, **BRIGGS},
    "mfs-shifted": {**MFS, **BRIGGS, "phasecenter": "J2000 10h00m00.2s -25d00m02.0s"},
    "stokes": {**POLARISED, "stokes": "IQUV"},
    "correlation": {**POLARISED, "stokes": "YY"},
    "cube": {**CUBE, **BRIGGS},
    "cube-nearest": {**CUBE, **BRIGGS, "interpolation": "nearest"},
    "cubedata": {**CUBE, **BRIGGS, "specmode": "cubedata", "start": 2, "width": 1, "nchan": 4},
    "odd-size": {**MFS, **BRIGGS, "imsize": [101, 105]},
    "sidebands": {**MFS, **BRIGGS, "vis": "sidebands.ms"},
    "mfs-optical": {**MFS, **BRIGGS, "veltype": "optical"},
    "lower": {**CUBE, **BRIGGS, "vis": "lower.ms", "start": "8km/s", "width": "-2.64km/s", "restfreq": "230.005GHz"},
    "falling": {**CUBE, **BRIGGS, "start": "-4km/s", "width": "2.64km/s", "restfreq": "230.005GHz", "nchan": 4},
    "lower-falling": {**CUBE, **BRIGGS, "vis": "lower.ms", "start": "230.008GHz", "width": "-2.2MHz", "nchan": 4},
}
AGREEING: dict[str, dict[str, Any]] = {
    "mfs": {**MFS, **BRIGGS, "vis": "filled.ms"},
    "mtmfs": {**TAYLOR, "vis": "filled.ms"},
    "mtmfs-optical": {**TAYLOR, "vis": "filled.ms", "veltype": "optical", "reffreq": "230.001GHz"},
    "cube": {**CUBE, **FILLED, **BRIGGS},
    "cube-negative-pblimit": {**CUBE, **FILLED, **BRIGGS, "pblimit": -0.6},
    "cube-pblimit": {**CUBE, **FILLED, **BRIGGS, "pblimit": 0.6},
    "correlations": {**MFS, **BRIGGS, "stokes": "XXYY", "vis": "filled.ms"},
}


def run_ducc(parameters: dict[str, Any], folder: str = "ducc", **changes: Any) -> dict[str, Any]:
    """Image in a folder of its own, beside the data."""
    Path(folder).mkdir()
    return pclean(**{**parameters, "imagename": f"{folder}/{NAME}", "engine": "ducc", **changes})


def pixels(path: str | Path) -> np.ndarray:
    with casa.opened_image(str(path)) as image:
        return image.getchunk()


def inner(image: np.ndarray) -> np.ndarray:
    """The inner three quarters along x and y."""
    x, y = (slice(size // 8, size - size // 8) for size in image.shape[:2])
    return image[x, y]


@pytest.mark.parametrize("parameters", [pytest.param(row, id=name) for name, row in TRUTH.items()])
def test_dirty_images_are_direct_sums(parameters: dict[str, Any], imaged: Callable[..., Imaged]) -> None:
    """At some pixels; how far off CASA is, is printed."""
    tclean = imaged(parameters)
    run_ducc(parameters)
    kinds = ("psf", "residual")
    images = {
        "ducc": [pixels(f"ducc/{NAME}.{kind}") for kind in kinds],
        "CASA": [tclean.images[kind] for kind in kinds],
    }
    visibilities = tclean.read()
    visibilities.set_weights()
    errors: dict[str, list[float]] = {"ducc": [], "CASA": []}
    for channel in range(images["ducc"][0].shape[3]):
        blocks = blocks_of(visibilities, channel)
        weight = total_weight(blocks)
        for place, l, m in tclean.offsets:
            truth = np.array([psf_at(blocks, l, m), *sky_at(blocks, l, m)]) / weight
            for name, (psf, residual) in images.items():
                found = np.array([psf[(*place, 0, channel)], *residual[(*place, slice(None), channel)]])
                errors[name].append(abs(found - truth).max())
    brightest = abs(images["ducc"][1]).max()
    peak = max(1.0, brightest)
    sys.stdout.write(f"of the peak: { {name: f'{max(found) / peak:.1e}' for name, found in errors.items()} }\n")
    assert brightest > 0.1
    assert max(errors["ducc"]) < OF_PEAK * peak
    assert len(errors["ducc"]) >= len(PIXELS)


def compare(expected: str, found: str, name: str) -> None:
    """One product of tclean and of ducc, by what its kind promises."""
    theirs, ours = pixels(expected), pixels(found)
    assert ours.shape == theirs.shape, name
    if "sumwt" in name:
        whole = pixels(expected[: expected.rindex(".tt")] + ".tt0").max() if ".tt" in name else 0.0
        np.testing.assert_allclose(ours, theirs, rtol=SUMWT, atol=SUMWT * whole)
        return
    tolerance = PRIMARY_BEAM if ".pb" in name else GRIDDED * max(1.0, abs(theirs).max())
    assert abs(theirs).max() > 0, name
    assert abs(inner(ours) - inner(theirs)).max() < tolerance, name


def check_header(expected: str, found: str) -> None:
    """Coordinates, units, pixel masks and beams are tclean's."""
    with planes.opened(expected) as theirs, planes.opened(found) as ours:
        assert ours.geometry() == theirs.geometry()
        assert ours.has_pixel_mask() == theirs.has_pixel_mask(), found
        if theirs.has_pixel_mask():
            assert (ours.read_valid(0, 0) == theirs.read_valid(0, 0)).all()
        np.testing.assert_allclose(ours.beams(), theirs.beams(), rtol=BEAM, atol=BEAM)
    records = []
    for path in (expected, found):
        with casa.opened_image(path) as image:
            records.append((image.coordsys().torecord(), image.brightnessunit()))
    for record, _ in records:
        record.pop("parentName", None)
    np.testing.assert_equal(records[1], records[0])


@pytest.mark.parametrize("parameters", [pytest.param(row, id=name) for name, row in AGREEING.items()])
def test_products_are_tcleans_but_for_its_gridding(parameters: dict[str, Any], imaged: Callable[..., Imaged]) -> None:
    imaged(parameters)
    result = run_ducc(parameters)
    assert result["engine"] == "ducc"
    here, there = products(Path(), NAME), products(Path("ducc"), NAME)
    assert here.keys() == there.keys()
    assert len(here) >= 4
    for name, path in here.items():
        compare(str(path), str(there[name]), name)
        check_header(str(path), str(there[name]))


SELECTIONS: dict[str, dict[str, Any]] = {
    "intent": {"intent": "*PHASE*"},
    "intent-whole": {"intent": "OBSERVE_TARGET#ON_SOURCE"},
    "intent-scan": {"intent": "OBSERVE*", "scan": "2~5"},
}


@pytest.mark.parametrize("selection", [pytest.param(row, id=name) for name, row in SELECTIONS.items()])
def test_intents_select_the_rows_that_tclean_selects(
    selection: dict[str, Any], imaged: Callable[..., Imaged], dataset: Callable[[str], Path]
) -> None:
    shutil.copytree(dataset("filled"), "filled.ms")
    sessions(Path())
    parameters = {**MFS, "vis": "filled.ms", **selection}
    whole = imaged({**MFS, "vis": "filled.ms"}).images["sumwt"].item()
    part = imaged(parameters).images["sumwt"].item()
    assert 0 < part < 0.75 * whole
    run_ducc(parameters)
    for suffix in ("sumwt", "psf", "residual"):
        compare(f"{NAME}.{suffix}", f"ducc/{NAME}.{suffix}", suffix)


def test_cleaned_image_is_tcleans_within_the_threshold(imaged: Callable[..., Imaged]) -> None:
    parameters = {**CUBE, **FILLED, **BRIGGS, "niter": 200, "threshold": "20mJy", "restoration": True}
    imaged(parameters)
    run_ducc(parameters)
    theirs, ours = pixels(f"{NAME}.image"), pixels(f"ducc/{NAME}.image")
    assert pixels(f"{NAME}.model").max() > 0.1
    assert abs(ours - theirs).max() < 0.02


def test_integrated_fluxes_of_known_sources_are_tcleans(tclean: TaskProcess, tmp_path: Path, monkeypatch) -> None:
    """Cleaned deeply, summed over a box about each source, in beams of the image itself."""
    monkeypatch.chdir(tmp_path)
    sources = (Source(1.0, -0.8, flux=0.8), Source(-1.5, 0.6, flux=0.3))
    simulate_ms(
        "known.ms", antennas=36, nintegrations=8, integration_s=300.0, nchannels=2, sources=sources,
        primary_beam=False, noise_jy=0.0,
    )  # fmt: skip
    cell = 0.05
    deep = {
        **MFS, **BRIGGS, "vis": "known.ms", "imsize": 160, "cell": f"{cell}arcsec", "niter": 20_000,
        "threshold": "0.1mJy", "restoration": True, "outframe": "TOPO",
    }  # fmt: skip
    assert not tclean.run([Call("tclean", deep)], tmp_path)[-1].error
    run_ducc(deep)
    fluxes = {}
    for name, path in (("ducc", f"ducc/{NAME}"), ("tclean", NAME)):
        image, beam = pixels(f"{path}.image")[:, :, 0, 0], planes.beams(f"{path}.image")[0, 0] / planes.ARCSEC
        area = np.pi * beam[0] * beam[1] / (4 * np.log(2)) / cell**2
        boxes = [(int(80 - source.east / cell), int(80 + source.north / cell)) for source in sources]
        fluxes[name] = [image[x - 24 : x + 25, y - 24 : y + 25].sum() / area for x, y in boxes]
    sys.stdout.write(f"of {[source.flux for source in sources]} Jy: {fluxes}\n")
    np.testing.assert_allclose(fluxes["ducc"], fluxes["tclean"], rtol=INTEGRATED)
    np.testing.assert_allclose(fluxes["ducc"], [source.flux for source in sources], rtol=INTEGRATED)


def test_far_source_is_at_its_place_with_its_flux(tclean: TaskProcess, tmp_path: Path, monkeypatch) -> None:
    """18 arcmin off, where the term in w turns phases by radians; tclean has 128 planes in w for it."""
    monkeypatch.chdir(tmp_path)
    flux, east, north, cell = 0.8, 620.0, -908.0, 4.0
    simulate_ms(
        "far.ms", array="vla.c", antennas=16, nintegrations=4, integration_s=600.0, nchannels=2, start_hz=1.4e9,
        correlations="RR LL", sources=(Source(east, north, flux=flux),), primary_beam=False, noise_jy=0.0,
        direction="J2000 10h00m00.0s 35d00m00.0s", hour_angle_h=3.0,
    )  # fmt: skip
    wide = {
        **MFS, "vis": "far.ms", "imsize": 640, "cell": f"{cell}arcsec", "gridder": "wproject", "wprojplanes": 128,
        "outframe": "TOPO", "reffreq": "1.4GHz",
    }  # fmt: skip
    outcome = tclean.run([Call("tclean", wide)], tmp_path)[-1]
    assert not outcome.error
    run_ducc(wide)
    run_ducc({**wide, "gridder": "standard"}, "flat")
    place = int(320 - east / cell), int(320 + north / cell)
    errors = {}
    for name, path in (("ducc", "ducc/"), ("tclean", ""), ("flat", "flat/")):
        image = pixels(f"{path}{NAME}.residual")[:, :, 0, 0]
        errors[name] = abs(image[place] - flux)
        if name == "ducc":
            assert np.unravel_index(image.argmax(), image.shape) == place
    sys.stdout.write(f"of {flux} Jy: {errors}\n")
    assert errors["ducc"] < OF_PEAK * flux
    assert errors["ducc"] < errors["tclean"]
    assert errors["flat"] > 0.02 * flux


def test_weights_of_a_wide_field_are_summed_as_they_are(imaged: Callable[..., Imaged]) -> None:
    """tclean sums what its kernels in w make of them, and its PSF is as far off, whatever the number of planes."""
    parameters = {**MFS, **BRIGGS, "vis": "wide.ms", "cell": "10arcsec", "gridder": "wproject", "wprojplanes": 8}
    tclean = imaged(parameters)
    run_ducc(parameters)
    visibilities = tclean.read()
    visibilities.set_weights()
    blocks = blocks_of(visibilities, 0)
    total, cell = total_weight(blocks), tclean.coordinates.cell
    truth = sum(
        dirty_at(block.uvw, block.freq, 1.0, block.psf_weight, (100, 100), cell, True, np.array(PIXELS))
        for block in blocks
    )
    places = tuple(np.array(PIXELS).T)
    errors = {}
    for name, folder in (("ducc", "ducc/"), ("tclean", "")):
        sums, psf = pixels(f"{folder}{NAME}.sumwt").item(), pixels(f"{folder}{NAME}.psf")[:, :, 0, 0]
        errors[name] = abs(sums / (total * visibilities.ncorr) - 1), abs(psf[places] - truth / total).max()
    sys.stdout.write(f"sum of weights, psf: {errors}\n")
    assert errors["ducc"][0] < 1e-6 < errors["tclean"][0]
    assert errors["ducc"][1] < OF_PEAK < errors["tclean"][1]


def test_outliers_are_subtracted_from_each_other(imaged: Callable[..., Imaged]) -> None:
    """A model of both fields that is the sky leaves nothing in either."""
    parameters = {**MFS, **BRIGGS, "imsize": 60, "niter": 2000, "gain": 0.3, "threshold": "1mJy"}
    imaged({**parameters, "niter": 0})
    outlier = "imagename=ducc/out\nimsize=[20,20]\nphasecenter=J2000 10h00m00.3089s -24d59m57.4s\n"
    Path("out.txt").write_text(outlier)
    run_ducc(parameters, outlierfile="out.txt", phasecenter="J2000 09h59m59.83s -25d00m00.8s", cycleniter=50)
    models = [pixels(f"ducc/{name}.model").max() for name in (NAME, "out")]
    residuals = [abs(pixels(f"ducc/{name}.residual")).max() for name in (NAME, "out")]
    assert min(models) > 0.2
    assert max(residuals) < 0.03


@pytest.mark.parametrize("width", ["", "2MHz"])
@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
def test_models_of_two_cubes_are_subtracted_from_both(
    interpolation: str, width: str, imaged: Callable[..., Imaged], tclean: TaskProcess
) -> None:
    """What is left of tclean's models in tclean's images and in ducc's; each field's axis is made where it is."""
    outlier = "imagename=out\nimsize=[24,24]\nphasecenter=J2000 10h00m00.35s -24d59m57.4s\nspecmode=cube\n"
    Path("out.txt").write_text(f"{outlier}nchan=-1\nwidth={width}\n" if width else f"{outlier}nchan=-1\n")
    axis = {"start": "", "nchan": -1, "width": width, "outframe": "LGROUP", "interpolation": interpolation}
    fields = {"imsize": 64, "phasecenter": "J2000 09h59m59.83s -25d00m00.8s", "outlierfile": "out.txt"}
    parameters = {**CUBE, **axis, **fields, "vis": ["line.ms", "late.ms"], "deconvolver": "hogbom", "niter": 300}
    imaged({**parameters, "outlierfile": "", "niter": 0})
    again = {**parameters, "niter": 0, "calcpsf": False}
    assert not any(outcome.error for outcome in tclean.run([Call("tclean", parameters)], Path.cwd()))
    for path in [*Path.cwd().glob(f"{NAME}.*"), *Path.cwd().glob("out.*")]:
        if path.is_dir():
            shutil.copytree(path, Path("ducc") / path.name)
    assert not any(outcome.error for outcome in tclean.run([Call("tclean", again)], Path.cwd()))
    Path("ducc/out.txt").write_text(Path("out.txt").read_text().replace("=out", "=ducc/out"))
    pclean(**{**again, "imagename": f"ducc/{NAME}", "engine": "ducc", "outlierfile": "ducc/out.txt"})
    for name in (NAME, "out"):
        assert pixels(f"{name}.model").max() > 0.1
        off = abs(pixels(f"ducc/{name}.residual") - pixels(f"{name}.residual"))
        sys.stdout.write(f"{interpolation} {width} {name}: {off.max():.1e} Jy/beam\n")
        assert off.max() < 1e-3


ZERO_MASKS: dict[str, dict[str, Any]] = {
    "mfs": {**MFS, "deconvolver": "hogbom"},
    "mfs-clark": {**MFS, "deconvolver": "clark"},
    "mfs-nsigma": {**MFS, "deconvolver": "hogbom", "nsigma": 3.0},
    "cube": {**CUBE, "deconvolver": "hogbom"},
}


@pytest.mark.parametrize("parameters", [pytest.param(row, id=name) for name, row in ZERO_MASKS.items()])
def test_a_former_mask_that_is_zero_ends_the_run_as_in_tclean(
    parameters: dict[str, Any], imaged: Callable[..., Imaged], tclean: TaskProcess
) -> None:
    """The second run has mask='', so that it goes on with the mask that it finds."""
    parameters = {**parameters, "niter": 3, "cycleniter": 3}
    imaged(parameters)
    run_ducc(parameters)
    before = abs(pixels(f"ducc/{NAME}.model")).sum()
    for folder in (".", "ducc"):
        with casa.opened_image(f"{folder}/{NAME}.mask") as mask:
            assert mask.getchunk().all()
            mask.set(0.0)
    theirs = tclean.run([Call("tclean", parameters)], Path.cwd())[-1].value
    ours = pclean(**{**parameters, "imagename": f"ducc/{NAME}", "engine": "ducc"})
    for name in ("stopcode", "iterdone", "nmajordone"):
        assert ours[name] == theirs[name], name
    assert ours["stopcode"] == 7
    assert not pixels(f"{NAME}.mask").any()
    assert not pixels(f"ducc/{NAME}.mask").any()
    assert abs(pixels(f"ducc/{NAME}.model")).sum() == before > 0


def test_a_run_goes_on_with_another_engine(imaged: Callable[..., Imaged]) -> None:
    parameters = {**CUBE, **BRIGGS, "niter": 20, "restoration": True}
    imaged({**parameters, "niter": 0})
    run_ducc(parameters)
    result = pclean(**{**parameters, "imagename": f"ducc/{NAME}", "calcpsf": False, "calcres": False, "engine": "casa"})
    assert result["iterdone"] > 0
    assert "engine" not in result
    assert is_image(Path(f"ducc/{NAME}.image"))


def test_images_do_not_depend_on_how_many_rows_are_worked_on_at_once(
    imaged: Callable[..., Imaged], monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {**MFS, **BRIGGS, "niter": 30}
    imaged({**parameters, "niter": 0})
    run_ducc(parameters)
    monkeypatch.setattr(memory, "WORKING_VALUES", (400, 400))
    run_ducc(parameters, "pieces")
    whole, pieces = (pixels(f"{folder}/{NAME}.residual") for folder in ("ducc", "pieces"))
    assert abs(whole).max() > 0.01
    assert abs(whole - pieces).max() < OF_PEAK
