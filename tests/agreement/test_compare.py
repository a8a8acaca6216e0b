"""The comparison sees what it is there to see: one changed bit, mask, beam, coordinate, product or number."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa
from tests.agreement.compare import compare_images, compare_products, differences, products, read_image


@pytest.fixture
def pair(session_dir: Path) -> Iterator[tuple[Path, Path]]:
    """Two equal images with a NaN, a pixel mask and a beam."""
    folder = session_dir / "images"
    folder.mkdir()
    one, other = folder / "one.image", folder / "other.image"
    pixels = np.arange(4 * 4 * 2, dtype=np.float32).reshape(4, 4, 1, 2)
    pixels[3, 3, 0, 1] = np.nan
    with casa.tool("image") as image:
        image.fromarray(str(one), pixels)
        image.calcmask(f"'{one}' > 3", name="mask0")
        image.setrestoringbeam("3arcmin", "2arcmin", "10deg")
    shutil.copytree(one, other)
    yield one, other
    shutil.rmtree(folder)


def change_pixel(image: Any) -> None:
    pixel = image.getchunk([1, 2, 0, 1], [1, 2, 0, 1])
    image.putchunk(np.nextafter(pixel, np.float32(np.inf), dtype=np.float32), [1, 2, 0, 1])


def change_coordinates(image: Any) -> None:
    coordinates = image.coordsys()
    coordinates.setreferencepixel([7.0], "spectral")
    image.setcoordsys(coordinates.torecord())


CHANGES: dict[str, tuple[Callable[[Any], object], str]] = {
    "pixel": (change_pixel, "pixels: 1 of 32 values differ"),
    "mask": (lambda image: image.maskhandler("delete", "mask0"), "pixel mask: "),
    "beam": (lambda image: image.setrestoringbeam("3arcmin", "1arcmin", "10deg"), "['beams']['minor']['value']"),
    "coordinates": (change_coordinates, "['coordinates']['spectral2']"),
    "unit": (lambda image: image.setbrightnessunit("K"), "['unit']"),
}


def test_equal_images_do_not_differ(pair: tuple[Path, Path]) -> None:
    assert np.isnan(read_image(pair[0]).pixels).any()
    assert compare_images(*pair) == []


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_image_differs(what: str, pair: tuple[Path, Path]) -> None:
    change, report = CHANGES[what]
    with casa.tool("image") as image:
        image.open(str(pair[1]))
        change(image)
    lines = compare_images(*pair)
    assert any(line.startswith(report) for line in lines), lines


def test_a_product_on_one_side_only_differs(pair: tuple[Path, Path]) -> None:
    folder = pair[0].parent
    expected, found = products(folder, "one"), products(folder, "other")
    assert compare_products(expected, found) == []
    assert compare_products(expected, {}) == [".image: missing"]
    assert compare_products({}, found) == [".image: not among the expected products"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"b": 1}),
        ({"a": [1, 2]}, {"a": [1]}),
        ({"a": np.array([0.1])}, {"a": np.array([0.1 + 1e-16 + 1e-17])}),
        ({0: {0: 0.1}}, {0: {0: np.nextafter(0.1, 1)}}),
        ({0: None}, {0: {}}),
    ],
)
def test_unequal_values_differ(one: Any, other: Any) -> None:
    assert list(differences(one, other))


def test_equal_values_do_not_differ() -> None:
    value = {"a": [np.array([np.nan, 1.0]), float("nan")], 0: {"b": None, "c": "text"}}
    assert not list(differences(value, {"a": [np.array([np.nan, 1.0]), float("nan")], 0: {"b": None, "c": "text"}}))
