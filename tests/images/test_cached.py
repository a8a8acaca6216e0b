"""Images kept in memory are those on disk, also after somebody else has written to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.images import planes
from pcleantask.images.cached import (
    CachedImage,
    copy_beams,
    copy_pixel_mask,
    hand_over,
    keep_back,
    kept_planes,
    make_product,
    note_change,
    set_beam,
    settle,
    settle_all,
)
from pcleantask.images.writing import write_channels

SHAPE = (12, 8, 2, 5)
BEAMS = [{"major": f"{3 + chan}arcsec", "minor": "2arcsec", "pa": "20deg"} for chan in range(SHAPE[3])]


def make_image(path: Path, pixels: np.ndarray) -> str:
    tool = casa.load().image()
    tool.fromarray(str(path), pixels, linear=False, overwrite=True, log=False)
    tool.close()
    return str(path)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE, order="F")


@pytest.fixture
def image(tmp_path: Path, pixels: np.ndarray) -> str:
    return make_image(tmp_path / "img.residual", pixels)


@pytest.mark.parametrize("keeps", [True, False])
def test_planes_are_the_transposed_planes_on_disk(image: str, pixels: np.ndarray, keeps: bool) -> None:
    cached = CachedImage(image, keeps=keeps)
    assert cached.shape == SHAPE
    assert len(cached.keys()) == 10
    keys = cached.keys()
    for pol, chan in keys:
        np.testing.assert_array_equal(cached.plane(pol, chan), pixels[:, :, pol, chan].T)
        assert cached.plane(pol, chan).flags.c_contiguous


@pytest.mark.parametrize("keeps", [True, False])
def test_written_planes_are_on_disk_and_others_as_before(image: str, pixels: np.ndarray, keeps: bool) -> None:
    cached = CachedImage(image, keeps=keeps)
    changed = {key: np.full((8, 12), sum(key) + 0.5, np.float32) for key in [(0, 0), (0, 1), (0, 3), (1, 4)]}
    cached.write(changed)
    keys = cached.keys()
    for pol, chan in keys:
        expected = changed.get((pol, chan), pixels[:, :, pol, chan].T)
        np.testing.assert_array_equal(planes.read_plane(image, pol, chan).T, expected)
        np.testing.assert_array_equal(cached.plane(pol, chan), expected)
    assert not cached.refresh()


def test_refresh_forgets_what_another_has_overwritten(image: str) -> None:
    cached = CachedImage(image)
    assert cached.refresh()
    assert not cached.refresh()
    former = cached.plane(1, 2).copy()
    time.sleep(0.02)  # more than a step of the file system's clock
    with planes.opened(image) as other:
        other.write(-former.T, 1, 2)
    np.testing.assert_array_equal(cached.plane(1, 2), former)
    assert cached.refresh()
    np.testing.assert_array_equal(cached.plane(1, 2), -former)


def read_anew(image: CachedImage) -> bool:
    """Whether a refreshed image has no planes in memory yet."""
    image.refresh()
    return kept_planes(image.path) is None


def test_what_is_handed_over_is_kept_unless_the_image_was_written_since(image: str, pixels: np.ndarray) -> None:
    cached = CachedImage(image)
    for later_change in (False, True):
        former = cached.plane(0, 0).copy()
        time.sleep(0.02)
        changed = np.asfortranarray(-2 * pixels + former[0, 1])
        write_channels(image, changed)
        hand_over(image, changed.copy(order="F"))
        expected = changed
        if later_change:
            time.sleep(0.02)
            expected = changed + 1
            write_channels(image, expected)
        assert read_anew(cached) == later_change
        keys = cached.keys()
        for pol, chan in keys:
            np.testing.assert_array_equal(cached.plane(pol, chan), expected[:, :, pol, chan].T)


def test_handed_over_pixels_outlive_a_change_of_keywords(image: str, pixels: np.ndarray) -> None:
    cached = CachedImage(image)
    hand_over(image, pixels.copy(order="F"))
    time.sleep(0.02)
    with casa.opened_table(image, writable=True) as table:
        table.putkeyword("units", "Jy")
    assert not read_anew(cached)


def test_kept_planes_are_those_on_disk_or_none(image: str, pixels: np.ndarray) -> None:
    assert kept_planes(image) is None
    cached = CachedImage(image)
    assert read_anew(cached)
    cached.write({(0, 1): np.full((8, 12), 7, np.float32)})
    assert kept_planes(image) is None  # but one
    cached.plane(1, 1)
    kept = kept_planes(image)
    assert kept is not None
    assert (kept[0, 1] == 7).all()
    np.testing.assert_array_equal(kept[1, 4], pixels[:, :, 1, 4].T)
    with planes.opened(image) as other:
        other.write(pixels[:, :, 0, 0], 1, 2)
    note_change(image)
    assert kept_planes(image) is None
    np.testing.assert_array_equal(cached.plane(1, 2), pixels[:, :, 0, 0].T)


def test_images_that_keep_nothing_are_handed_nothing(image: str, pixels: np.ndarray) -> None:
    cached = CachedImage(image, keeps=False)
    hand_over(image, pixels.copy(order="F"))
    assert read_anew(cached)


@pytest.mark.parametrize("keeps", [True, False])
def test_pixel_mask_stays_until_it_changes(image: str, pixels: np.ndarray, keeps: bool) -> None:
    cached = CachedImage(image, keeps=keeps)
    for limit in (None, 30, 50):
        time.sleep(0.02)
        if limit is not None:
            with casa.opened_image(image) as tool:
                tool.calcmask(f"'{image}' > {limit}", name="mask0")
        cached.refresh()
        found = cached.valid(0, 0)
        assert (found is None) == (limit is None)
        if limit is not None:
            np.testing.assert_array_equal(found, limit < pixels[:, :, 0, 0].T)
        write_channels(image, pixels[..., :1])
        cached.refresh()
        again = cached.valid(0, 0)
        assert again is found or (again == found).all()


@pytest.mark.parametrize("keeps", [True, False])
def test_pixel_mask_is_that_on_disk(image: str, pixels: np.ndarray, keeps: bool) -> None:
    assert CachedImage(image, keeps=keeps).valid(0, 0) is None
    with casa.opened_image(image) as tool:
        tool.calcmask(f"'{image}' > 30")
    cached = CachedImage(image, keeps=keeps)
    for key in ((0, 0), (1, 4)):
        expected = pixels[:, :, key[0], key[1]].T > 30
        found = cached.valid(*key)
        np.testing.assert_array_equal(np.ones_like(expected) if found is None else found, expected)


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


def on_disk(image: str) -> np.ndarray:
    with planes.opened(image) as found:
        _, _, npol, nchan = found.shape
        return np.array([[found.read(pol, chan) for chan in range(nchan)] for pol in range(npol)])


def test_what_is_kept_back_is_there_at_once_and_on_the_disk_when_it_is_settled(image: str, pixels: np.ndarray) -> None:
    cached = CachedImage(image)
    cached.refresh()
    before = on_disk(image)
    newer = np.asfortranarray(3 * pixels)
    assert keep_back(image, newer.copy(order="F"))
    assert cached.refresh()
    np.testing.assert_array_equal(cached.plane(1, 2), newer[:, :, 1, 2].T)
    np.testing.assert_array_equal(on_disk(image), before)
    assert not cached.refresh()
    settle(image)
    np.testing.assert_array_equal(on_disk(image), newer.transpose(2, 3, 0, 1))
    assert not cached.refresh()


@pytest.mark.parametrize("end", [CachedImage.forget, CachedImage.settle, lambda _: settle_all()])
def test_planes_to_be_written_later_are_written_in_the_end(
    image: str, pixels: np.ndarray, end: Callable[[CachedImage], None]
) -> None:
    cached = CachedImage(image)
    cached.refresh()
    seven = np.full((8, 12), 7, np.float32)
    cached.write({(0, 1): seven, (1, 3): seven}, later=True)
    assert not (on_disk(image) == 7).all(axis=(2, 3)).any()
    assert not cached.refresh()
    kept = kept_planes(image)
    assert kept is not None
    assert (kept[1, 3] == 7).all()
    np.testing.assert_array_equal(kept[0, 0], pixels[:, :, 0, 0].T)
    end(cached)
    assert np.argwhere((on_disk(image) == 7).all(axis=(2, 3))).tolist() == [[0, 1], [1, 3]]
    np.testing.assert_array_equal(cached.plane(0, 0), pixels[:, :, 0, 0].T)


def test_later_planes_and_those_that_others_write_come_together(image: str, pixels: np.ndarray) -> None:
    cached = CachedImage(image)
    cached.refresh()
    cached.write({(0, 1): np.full((8, 12), 7, np.float32)}, later=True)
    time.sleep(0.02)
    with planes.opened(image) as other:
        other.write(5 + 0 * pixels[:, :, 0, 0], 1, 2)
    assert cached.refresh()
    assert (cached.plane(0, 1) == 7).all()
    assert (cached.plane(1, 2) == 5).all()


def test_who_keeps_nothing_has_planes_written_at_once(image: str, pixels: np.ndarray) -> None:
    cached = CachedImage(image, keeps=False)
    assert not keep_back(image, pixels)
    cached.write({(0, 1): np.full((8, 12), 7, np.float32)}, later=True)
    assert (on_disk(image)[0, 1] == 7).all()


def test_an_image_made_with_one_value_need_not_be_read(image: str) -> None:
    cached = CachedImage(image)
    cached.fill_with(2.0)
    assert (cached.plane(1, 4) == 2).all()
    assert cached.plane(1, 4).shape == (8, 12)
    assert not cached.refresh()
