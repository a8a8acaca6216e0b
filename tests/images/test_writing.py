"""Images made and written by channels are what CASA reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.images import writing

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
    writing.make_image(made, SHAPE, record, units="Jy/beam", information=INFORMATION)
    return made


def cube() -> np.ndarray:
    return np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("step", [1, 3, 7])
def test_what_is_written_is_what_casa_reads(path, order, step):
    pixels = np.asarray(cube(), order=order)
    for start in range(0, SHAPE[3], step):
        writing.write_channels(path, pixels[..., start : start + step], start)
    with casa.opened_image(path) as image:
        assert (image.getchunk() == pixels).all()
        assert image.brightnessunit() == "Jy/beam"
        assert image.miscinfo() == {"INSTRUME": "ALMA"}
    assert (writing.read_channels(path, 2, 5) == pixels[..., 2:5]).all()
    assert (writing.read_channels(path, 0, 7) == pixels).all()


def test_pixel_mask_is_what_casa_reads(path):
    valid = cube() > 0
    assert not writing.has_pixel_mask(path)
    with casa.opened_image(path) as image:
        image.putregion(pixelmask=valid, usemask=False)
    assert writing.has_pixel_mask(path)
    with casa.opened_image(path) as image:
        assert (image.getchunk(getmask=True) == valid).all()
    assert (writing.read_pixel_mask(path, 3, 6) == valid[..., 3:6]).all()


def test_groups_cover_all_channels_once_and_hold_no_more_than_they_should():
    groups = writing.channel_groups((4000, 4000, 1, 5))
    assert [channel for group in groups for channel in group] == list(range(5))
    assert max(map(len, groups)) == 2
    assert writing.channel_groups((100, 100, 1, 5)) == [range(5)]
    assert writing.channel_groups((9000, 9000, 4, 2)) == [range(1), range(1, 2)]
