"""Channel ranges of region text, counted in a part of the cube."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcleantask import casa
from pcleantask.images.coordinates import ImageCoordinates
from pcleantask.parallel.cube.regions import needs_whole, shift_line, shift_text
from pcleantask.parallel.partition import Slab
from tests.agreement.cases.furnish import masks_in_many_forms

SLAB = Slab(4, 8, 12, 1)  # channels 3 to 8 with its guards
CIRCLE = "circle[[50pix,50pix],6pix]"


@pytest.mark.parametrize(
    ("given", "expected"),
    [("0chan,3chan", None), ("1chan,5chan", "1chan,2chan"), ("4chan, 20chan", "1chan,4chan"), ("8chan,11chan", None),
     ("5chan,4chan", "1chan,2chan"), ("4pix,5pix", "1pix,2pix")],
)  # fmt: skip
def test_a_range_is_shifted_and_cut(given: str, expected: str | None) -> None:
    assert shift_line(f"{CIRCLE}, range=[{given}]", SLAB) == (expected and f"{CIRCLE}, range=[{expected}]")


@pytest.mark.parametrize("line", [CIRCLE, f"{CIRCLE}, range=[230.0GHz,230.1GHz]"])
def test_a_line_without_channels_stays(line: str) -> None:
    assert shift_line(line, SLAB) == line


def test_lines_outside_the_part_are_left_out() -> None:
    text = f"#CRTFv0\nglobal coord=J2000\n{CIRCLE}, range=[0chan,1chan]\n{CIRCLE}, range=[4chan,4chan]\n"
    assert shift_text(text, SLAB) == f"#CRTFv0\nglobal coord=J2000\n{CIRCLE}, range=[1chan,1chan]\n"


def test_a_file_without_regions_in_the_part_is_none() -> None:
    assert shift_text(f"#CRTFv0\n{CIRCLE}, range=[0chan,1chan]\n", SLAB) is None


def test_casa_pays_no_heed_to_a_global_range() -> None:
    text = f"#CRTFv0\nglobal range=[0chan,1chan]\n{CIRCLE}\n"
    assert shift_text(text, SLAB) == text


def coordinates_of(path: Path) -> ImageCoordinates:
    with casa.opened_image(str(path)) as image:
        system = image.coordsys()
        record = system.torecord()
        system.done()
    return ImageCoordinates(record, 6)


def test_masks_that_other_channels_would_change_are_read_whole(tmp_path: Path) -> None:
    masks_in_many_forms(tmp_path)
    (tmp_path / "region.crtf").write_text(f"#CRTFv0\n{CIRCLE}\n", encoding="utf-8")
    system = coordinates_of(tmp_path / "cube.mask")
    names = ["plain.mask", "tf.mask", "cube.mask", "coarse_cube.mask", "concat.mask", "channels.rgn", "region.crtf"]
    whole = [name for name in names if needs_whole(str(tmp_path / name), system)]
    assert whole == ["coarse_cube.mask", "concat.mask", "channels.rgn"]
    assert not needs_whole(f"{CIRCLE}, range=[1chan,2chan]", system)
    assert needs_whole(str(tmp_path / "cube.mask"), ImageCoordinates(system.record, 7))
