"""Products made beside others, and what they tell of themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pcleantask import casa
from pcleantask.images import planes
from pcleantask.images.information import copy_beams, set_beam
from pcleantask.images.making import copy_pixel_mask, make_product
from tests.images.conftest import SHAPE, make_image

BEAMS = [{"major": f"{3 + chan}arcsec", "minor": "2arcsec", "pa": "20deg"} for chan in range(SHAPE[3])]


def test_product_has_shape_and_information_of_residual(image: str, tmp_path: Path) -> None:
    with casa.opened_table(image, writable=True) as table:
        table.putkeyword("miscinfo", {"INSTRUME": "ALMA"})
        table.putkeyword("imageinfo", {"imagetype": "Intensity", "objectname": "field0"})
    path = make_product(str(tmp_path / "img"), "model", unit="Jy/pixel", fill=0.5)
    assert path == str(tmp_path / "img.model")
    assert (planes.read_plane(path, 1, 4) == 0.5).all()
    with casa.opened_image(path) as made, casa.opened_image(image) as template:
        assert list(made.shape()) == list(template.shape())
        assert made.brightnessunit() == "Jy/pixel"
        assert made.miscinfo() == {"INSTRUME": "ALMA"}
        assert made.restoringbeam() == {}


def test_beams_and_pixel_mask_are_copied(image: str, tmp_path: Path, pixels: np.ndarray) -> None:
    source = make_image(tmp_path / "source", pixels)
    with casa.opened_image(source) as tool:
        for chan, beam in enumerate(BEAMS):
            for pol in range(SHAPE[2]):
                tool.setrestoringbeam(**beam, channel=chan, polarization=pol, log=False)
        tool.calcmask(f"'{source}' > 30", name="mask0")
    copy_beams(source, image)
    copy_pixel_mask(source, image)
    np.testing.assert_array_equal(planes.beams(image), planes.beams(source))
    assert planes.beams(image)[:, 0, 0].argmax() == SHAPE[3] - 1
    np.testing.assert_array_equal(planes.read_pixel_mask(image, 0, 0), pixels[:, :, 0, 0] > 30)
    beam = {"major": (9.0, "arcsec"), "minor": (8.0, "arcsec"), "positionangle": (0.0, "deg")}
    set_beam(image, {key: {"value": value, "unit": unit} for key, (value, unit) in beam.items()})
    assert np.unique(planes.beams(image)[..., 0]).size == 1
