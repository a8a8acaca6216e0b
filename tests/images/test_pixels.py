"""Images made and written by channels are what CASA reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.images import pixels
from pcleantask.images.making import make_image

SHAPE = (12, 10, 2, 7)
INFORMATION = {"imageinfo": {"imagetype": "Intensity", "objectname": "star"}, "miscinfo": {"INSTRUME": "ALMA"}}


@pytest.fixture
def path(tmp_path: Path) -> str:
    """An image, all zero."""
    with casa.tool("coordsys") as tool:
        coordinates = tool.newcoordsys(direction=True, spectral=True, stokes=["I", "Q"])
        tool.fromrecord(coordinates.torecord())
        tool.reorder([0, 1, 2])
        record = tool.torecord()
    made = str(tmp_path / "x.image")
    make_image(made, SHAPE, record, units="Jy/beam", information=INFORMATION)
    return made


def cube() -> np.ndarray:
    """[chan, pol, y, x]"""
    return np.random.default_rng(1).normal(size=SHAPE[::-1]).astype(np.float32)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("step", [1, 3, 7])
def test_what_is_written_is_what_casa_reads(path, order, step):
    found = np.asarray(cube(), order=order)
    for start in range(0, SHAPE[3], step):
        pixels.write_channels(path, found[start : start + step], start)
    with casa.opened_image(path) as image:
        assert (image.getchunk() == found.T).all()
        assert image.brightnessunit() == "Jy/beam"
        assert image.miscinfo() == {"INSTRUME": "ALMA"}
    assert (pixels.read_channels(path, 2, 5) == found[2:5]).all()
    assert (pixels.read_channels(path, 0, 7) == found).all()


def test_one_polarisation_is_written_and_the_other_stays(path):
    pixels.write_channels(path, cube())
    pixels.write_channels(path, np.ones((3, 1, *SHAPE[1::-1]), np.float32), 2, pol=1)
    expected = cube()
    expected[2:5, 1] = 1
    assert (pixels.read_channels(path, 0, 7) == expected).all()
    assert (pixels.read_channels(path, 1, 4, range(1, 2)) == expected[1:4, 1:]).all()
    assert (pixels.read_channels(path, 0, 7, range(1)) == expected[:, :1]).all()


def test_pixel_mask_is_what_casa_reads(path):
    valid = cube() > 0
    assert not pixels.has_pixel_mask(path)
    with casa.opened_image(path) as image:
        image.putregion(pixelmask=valid.T, usemask=False)
    assert pixels.has_pixel_mask(path)
    with casa.opened_image(path) as image:
        assert (image.getchunk(getmask=True) == valid.T).all()
    assert (pixels.read_pixel_mask(path, 3, 6) == valid[3:6]).all()


def test_groups_cover_all_channels_once_and_hold_no_more_than_they_should():
    groups = pixels.channel_groups((4000, 4000, 1, 5))
    assert [channel for group in groups for channel in group] == list(range(5))
    assert max(map(len, groups)) == 2
    assert pixels.channel_groups((100, 100, 1, 5)) == [range(5)]
    assert pixels.channel_groups((9000, 9000, 4, 2)) == [range(1), range(1, 2)]
