"""Planes of images come and go as CASA's own image tool has them, one plane at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.errors import PcleanError
from pcleantask.images import planes

pytestmark = pytest.mark.usefixtures("casa_folder")
SHAPE = (12, 10, 2, 3)
ARCSEC = np.pi / 180 / 3600


@pytest.fixture
def pixels() -> np.ndarray:
    """Distinct values that float32 holds exactly."""
    return np.arange(np.prod(SHAPE), dtype=np.float64).reshape(SHAPE, order="F") - 7.25


@pytest.fixture
def image(pixels: np.ndarray) -> str:
    """An image of 2" x 3" pixels."""
    with casa.tool("image") as tool:
        tool.fromarray("cube.image", pixels)
        coordinates = tool.coordsys()
        coordinates.setincrement("-2arcsec 3arcsec", "direction")
        coordinates.setreferencepixel([6.0, 5.5], "direction")
        tool.setcoordsys(coordinates.torecord())
        coordinates.done()
    return "cube.image"


@pytest.mark.parametrize(("pol", "chan"), [(0, 0), (1, 0), (0, 2), (1, 2)])
def test_plane_has_the_images_pixels(image: str, pixels: np.ndarray, pol: int, chan: int) -> None:
    single, double = planes.read_plane(image, pol, chan), planes.read_plane_double(image, pol, chan)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert np.array_equal(single, pixels[:, :, pol, chan])
    assert np.array_equal(double, pixels[:, :, pol, chan])


def test_writing_changes_one_plane_and_no_other(image: str, pixels: np.ndarray) -> None:
    new = np.linspace(0, 1, 120).reshape(12, 10).astype(np.float32)
    with casa.opened_image(image) as tool:
        planes.Planes(tool).write(new, 1, 2)
    pixels[:, :, 1, 2] = new
    with casa.opened_image(image) as tool:
        assert np.array_equal(tool.getchunk(), pixels)


def test_geometry_is_in_pixels_and_radians(image: str) -> None:
    geometry = planes.image_geometry(image)
    assert geometry.shape == SHAPE
    assert geometry.reference_pixel == pytest.approx((6.0, 5.5), abs=1e-12)
    assert geometry.cell == pytest.approx((-2 * ARCSEC, 3 * ARCSEC), rel=1e-12)


def test_image_without_pixel_mask_has_none_and_all_its_pixels_are_good(image: str) -> None:
    assert planes.read_pixel_mask(image, 0, 0) is None
    with planes.opened(image) as opened:
        assert not opened.has_pixel_mask()
        assert opened.read_valid(0, 0).all()


def test_pixel_mask_is_true_where_pixels_are_good(image: str, pixels: np.ndarray) -> None:
    with casa.opened_image(image) as tool:
        tool.calcmask(f"'{image}' > 100")
    for pol, chan in ((0, 0), (0, 1), (1, 2)):
        found = planes.read_pixel_mask(image, pol, chan)
        assert found is not None
        assert found.dtype == bool
        assert np.array_equal(found, pixels[:, :, pol, chan] > 100)
    assert np.array_equal(planes.read_plane(image, 0, 0), pixels[:, :, 0, 0])  # a mask hides no pixel


def test_image_without_beam_has_zeros(image: str) -> None:
    assert np.array_equal(planes.beams(image), np.zeros((3, 2, 3)))


def test_one_beam_is_that_of_every_plane(image: str) -> None:
    with casa.opened_image(image) as tool:
        tool.setrestoringbeam(major="4arcsec", minor="2arcsec", pa="30deg")
    expected = np.broadcast_to([4 * ARCSEC, 2 * ARCSEC, np.pi / 6], (3, 2, 3))
    assert planes.beams(image) == pytest.approx(expected, rel=1e-12)


def test_beams_are_by_channel_and_stokes(image: str) -> None:
    expected = np.zeros((3, 2, 3))
    with casa.opened_image(image) as tool:
        for chan in range(3):
            for pol in range(2):
                major, minor, pa = 4.0 + chan, 2.0 + pol, 10.0 * chan
                beam = {"major": f"{major}arcsec", "minor": f"{minor}arcsec", "pa": f"{pa}deg"}
                tool.setrestoringbeam(**beam, channel=chan, polarization=pol)
                expected[chan, pol] = major * ARCSEC, minor * ARCSEC, np.radians(pa)
    assert planes.beams(image) == pytest.approx(expected, rel=1e-12)
    with planes.opened(image) as opened:
        common = opened.common_beam(1, 3)
    assert common[0] >= expected[2, 1, 0] * (1 - 1e-6)
    assert common[1] >= expected[2, 1, 1] * (1 - 1e-6)


def test_common_beam_of_one_plane_is_its_own() -> None:
    with casa.tool("image") as tool:
        tool.fromshape("one.image", [8, 8, 1, 1])
        tool.setrestoringbeam(major="4arcsec", minor="2arcsec", pa="30deg")
    with planes.opened("one.image") as opened:
        assert opened.common_beam(0, 1) == pytest.approx((4 * ARCSEC, 2 * ARCSEC, np.pi / 6), rel=1e-12)


def test_only_an_image_is_an_image(image: str, line_ms: Path) -> None:
    Path("folder").mkdir()
    assert [planes.is_image(path) for path in (image, "folder", "absent", str(line_ms))] == [True, False, False, False]


def test_image_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises((PcleanError, RuntimeError), match="absent"):
        planes.read_plane("absent.image", 0, 0)
