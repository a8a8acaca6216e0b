"""The demo: its figure on a small made-up galaxy, and, as a long test, the whole of it on the real data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from demo_figure import (
    LIGHT_SPEED,
    LineCube,
    chosen_channels,
    draw,
    integrated_flux,
    integrated_intensity,
    read_cube,
    spectrum,
    velocity_field,
)
from matplotlib.image import imread

from pcleantask import casa, pclean
from tests.agreement.compare import compare_products, products

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
VELOCITY = 1600.0 - 10.0 * np.arange(12)  # falls with the channel, as frequency rises
APPROACHING, RECEDING = slice(6, 9), slice(3, 6)  # channels of the two sources
FLUX = 0.25  # Jy, of each source in each of its channels
NOISE = 1e-3  # Jy/beam
CELL, BEAM = 15.0, (60.0, 45.0, 0.0)  # arcsec; the beam lies north-south


def point_source(x: int, y: int) -> np.ndarray:
    """The beam, peak 1, at a pixel of a 48 x 48 map."""
    rows, columns = np.indices((48, 48)) * CELL
    major, minor, _ = BEAM
    return np.exp(-4 * np.log(2) * (((rows - y * CELL) / major) ** 2 + ((columns - x * CELL) / minor) ** 2))


@pytest.fixture(scope="module")
def galaxy() -> LineCube:
    """Two point sources that move apart: south-east recedes, north-west approaches."""
    line = np.zeros((12, 48, 48))
    line[RECEDING] = FLUX * point_source(18, 18)
    line[APPROACHING] = FLUX * point_source(30, 30)
    noisy = line + np.random.default_rng(1).normal(0, NOISE, line.shape)
    mask = line > 1e-3 * FLUX
    return LineCube(noisy, np.where(mask, line, 0), mask, VELOCITY, CELL, BEAM, centre_pixel=(24.0, 24.0))


def test_spectrum_gives_flux_of_point_sources(galaxy: LineCube) -> None:
    expected = np.zeros(12)
    expected[3:9] = FLUX
    np.testing.assert_allclose(spectrum(galaxy), expected, rtol=0.01)  # the mask cuts the sources at 1e-3 of the peak


def test_integrated_flux_is_flux_times_velocity_width(galaxy: LineCube) -> None:
    assert integrated_flux(galaxy) == pytest.approx(FLUX * 6 * 10.0, rel=0.01)


def test_integrated_intensity_sums_channels_of_each_source(galaxy: LineCube) -> None:
    total = integrated_intensity(galaxy)
    assert total[18, 18] == pytest.approx(3 * FLUX * 10.0)
    assert total[0, 0] == 0


def test_velocity_field_has_velocity_of_each_source_and_nothing_elsewhere(galaxy: LineCube) -> None:
    mean = velocity_field(galaxy)
    assert mean[18, 18] == pytest.approx(VELOCITY[RECEDING].mean(), abs=0.5)
    assert mean[30, 30] == pytest.approx(VELOCITY[APPROACHING].mean(), abs=0.5)
    assert np.isnan(mean[0, 0])


def test_noise_is_measured_off_the_line(galaxy: LineCube) -> None:
    assert galaxy.rms == pytest.approx(NOISE, rel=0.03)


@pytest.mark.parametrize("number", [2, 4, 20])
def test_channel_maps_span_the_line_by_rising_velocity(galaxy: LineCube, number: int) -> None:
    channels = chosen_channels(galaxy, number)
    assert 1 < len(channels) <= number
    assert set(channels) <= set(range(3, 9))
    assert (np.diff(VELOCITY[channels]) > 0).all()


def test_offsets_grow_to_the_east_and_north_from_the_centre(galaxy: LineCube) -> None:
    left, right, bottom, top = galaxy.extent
    columns = left + (np.arange(48) + 0.5) * (right - left) / 48
    rows = bottom + (np.arange(48) + 0.5) * (top - bottom) / 48
    assert columns[24] == pytest.approx(0)
    assert rows[24] == pytest.approx(0)
    assert columns[20] == pytest.approx(1.0)  # 4 pixels of 15 arcsec to the east
    assert rows[28] == pytest.approx(1.0)


def test_figure_shows_grey_maps_and_coloured_moments(galaxy: LineCube, tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    draw(galaxy, path, "A galaxy")
    pixels = imread(path)[..., :3]
    assert min(pixels.shape[:2]) > 1000
    colourful = np.ptp(pixels, axis=2) > 0.3
    height = len(pixels)
    assert colourful[int(0.65 * height) :].mean() > 0.02  # moments below
    assert 0 < colourful[: int(0.6 * height)].mean() < 0.01  # contours on grey above


def test_cube_is_read_with_its_axes_beam_and_centre(tmp_path: Path) -> None:
    """A CASA image with a known pixel lit; the position angle is kept in radians, as a common beam's is."""
    shape, lit = (16, 12, 1, 4), (10, 3, 0, 2)
    pixels = np.zeros(shape)
    pixels[lit] = 1.0
    name = str(tmp_path / "cube")
    quantities = {"major": (1.0, "arcmin"), "minor": (45.0, "arcsec"), "positionangle": (np.radians(30), "rad")}
    beam = {key: {"value": value, "unit": unit} for key, (value, unit) in quantities.items()}
    with casa.tool("image") as image:
        for suffix in ("image", "image.pbcor", "mask"):
            image.fromarray(f"{name}.{suffix}", pixels)
            system = image.coordsys()
            system.setunits("deg deg '' Hz")
            system.setreferencevalue("10h00m00s +20d00m00s", "direction")
            system.setreferencepixel([8, 6], "direction")
            system.setincrement([-15 / 3600, 15 / 3600], "direction")
            system.setrestfrequency("1.4GHz")
            system.setreferencevalue(1.4e9, "spectral")
            system.setreferencepixel(0, "spectral")
            system.setincrement(1e6, "spectral")
            image.setcoordsys(system.torecord())
            system.done()
            image.setrestoringbeam(beam=beam)
            image.done()
    cube = read_cube(name, ("10:00:00", "+20.01.00"))
    assert np.argwhere(cube.intensity).tolist() == [[2, 3, 10]]
    assert cube.mask.sum() == 1
    np.testing.assert_allclose(cube.velocity, -LIGHT_SPEED * np.arange(4) / 1400, rtol=1e-6, atol=1e-6)
    assert cube.cell == pytest.approx(15)
    assert cube.beam == pytest.approx((60, 45, 30))
    assert cube.centre_pixel == pytest.approx((8, 10), abs=1e-3)


def run_demo(folder: Path) -> str:
    command = [sys.executable, str(SCRIPTS / "demo_ngc5921.py"), str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=400).stdout


@pytest.mark.long
def test_demo_images_the_galaxy_as_tclean_does_and_can_be_run_again(tmp_path: Path) -> None:
    """tclean images what the demo calibrated: all products are the same to the last bit; engine='ducc' agrees."""
    from demo_ngc5921 import CENTRE, FIGURE, FITS, IMAGE, IMAGING, LINE, LOG

    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        report = run_demo(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    for name in (FIGURE, FITS, LOG):
        assert (tmp_path / name).stat().st_size > 10_000
    cube = read_cube(str(tmp_path / IMAGE), CENTRE)
    assert f"Peak {1e3 * cube.intensity.max():.1f} mJy/beam" in report
    assert 0.05 < cube.intensity.max() < 0.06  # Jy/beam
    profile = spectrum(cube)
    near, middle, far = profile[5:15].max(), profile[18:26].mean(), profile[32:42].max()
    assert middle > 0.1  # Jy
    assert min(near, far) > 1.4 * middle  # two horns

    casa.load()
    from casatasks import tclean

    tclean(vis=str(tmp_path / LINE), imagename=str(tmp_path / "tclean"), **IMAGING)
    expected, found = products(tmp_path, "tclean"), products(tmp_path, IMAGE)
    assert len(expected) >= 8
    assert list(compare_products(expected, found)) == []

    pclean(vis=str(tmp_path / LINE), imagename=str(tmp_path / "ducc"), engine="ducc", **IMAGING)
    other = read_cube(str(tmp_path / "ducc"), CENTRE)
    assert np.abs(spectrum(other) - profile).max() < cube.rms, "of one beam"
    assert integrated_flux(other) == pytest.approx(integrated_flux(cube), rel=1e-3)
