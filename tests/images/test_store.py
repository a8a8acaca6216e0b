"""What a store hands out is what is on the disk, or newer; also after somebody else has written to it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.images import planes
from pcleantask.images import store as store_module
from pcleantask.images.pixels import read_channels, write_channels
from pcleantask.images.store import ImageStore, StoredImage
from tests.images.conftest import SHAPE, make_image


@pytest.fixture(params=[True, False], ids=["kept", "unkept"])
def stored(request: pytest.FixtureRequest, image: str) -> StoredImage:
    """The image, of a store that keeps planes or doesn't."""
    return ImageStore(keeps=request.param).image(image)


@pytest.fixture
def kept(image: str) -> StoredImage:
    return ImageStore().image(image)


def on_disk(image: StoredImage) -> np.ndarray:
    """[chan, pol, y, x]"""
    return read_channels(image.path, 0, SHAPE[3])


def in_memory(image: StoredImage) -> np.ndarray:
    return np.array([[image.plane(chan, pol) for pol in range(SHAPE[2])] for chan in range(SHAPE[3])])


def written_by_another(image: StoredImage, pixels: np.ndarray, chan: int, pol: int) -> None:
    time.sleep(0.02)  # more than a step of the file system's clock
    with planes.opened(image.path) as other:
        other.write(pixels.T, pol, chan)


def plane_of(value: float) -> np.ndarray:
    return np.full(SHAPE[1::-1], value, np.float32)


def test_planes_are_the_transposed_planes_on_disk(stored: StoredImage, pixels: np.ndarray) -> None:
    assert stored.shape == SHAPE
    assert stored.keys == [(chan, pol) for chan in range(5) for pol in range(2)]
    np.testing.assert_array_equal(in_memory(stored), pixels.T)
    assert all(stored.plane(*key).flags.c_contiguous for key in stored.keys)
    found = stored.channels([0, 1, 4])
    np.testing.assert_array_equal(np.array(found), pixels.T[[0, 1, 4]])


def test_a_path_is_one_image_however_it_is_written(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ImageStore()
    monkeypatch.chdir(Path(image).parent)
    assert store.image(image) is store.image(Path(image).name)


def test_changed_planes_are_on_disk_after_flush_and_others_as_before(stored: StoredImage, pixels: np.ndarray) -> None:
    before, version = on_disk(stored), stored.version
    changed = {key: plane_of(sum(key) + 0.5) for key in [(0, 0), (1, 0), (3, 0), (4, 1)]}
    stored.put(changed)
    assert stored.version != version
    expected = pixels.T.copy()
    for key, plane in changed.items():
        expected[key] = plane
    np.testing.assert_array_equal(in_memory(stored), expected)
    np.testing.assert_array_equal(on_disk(stored), before if stored.keeps else expected)
    stored.flush()
    np.testing.assert_array_equal(on_disk(stored), expected)
    version = stored.version
    stored.look()
    assert stored.version == version
    np.testing.assert_array_equal(in_memory(stored), expected)


@pytest.mark.parametrize(("start", "count"), [(0, 5), (1, 3), (4, 1)])
def test_changed_channels_are_on_disk_after_flush(
    stored: StoredImage, pixels: np.ndarray, start: int, count: int
) -> None:
    newer = np.random.default_rng(1).normal(size=(count, *SHAPE[2::-1])).astype(np.float32)
    newer[-1, 1] = 3  # a plane with one value
    expected = pixels.T.copy()
    expected[start : start + count] = newer
    stored.put_channels(newer.copy(), start)
    np.testing.assert_array_equal(in_memory(stored), expected)
    stored.put({(start, 0): plane_of(8)})
    expected[start, 0] = 8
    stored.flush()
    np.testing.assert_array_equal(on_disk(stored), expected)
    np.testing.assert_array_equal(in_memory(stored), expected)


def test_channels_written_to_the_disk_alone_are_there_at_once(stored: StoredImage, pixels: np.ndarray) -> None:
    stored.put({(0, 0): plane_of(7)})
    stored.write_channels(-np.ascontiguousarray(pixels.T))
    np.testing.assert_array_equal(on_disk(stored), -pixels.T)
    stored.flush()
    np.testing.assert_array_equal(in_memory(stored), -pixels.T)


def test_what_another_has_written_is_seen_after_a_look(stored: StoredImage, pixels: np.ndarray) -> None:
    in_memory(stored)
    stored.look()
    version = stored.version
    written_by_another(stored, -pixels.T[2, 1], 2, 1)
    np.testing.assert_array_equal(stored.plane(2, 1), (1 if stored.keeps else -1) * pixels.T[2, 1])
    stored.look()
    assert stored.version != version
    np.testing.assert_array_equal(stored.plane(2, 1), -pixels.T[2, 1])


def test_what_another_writes_right_after_a_flush_is_seen(kept: StoredImage, pixels: np.ndarray) -> None:
    for value in range(1, 30):
        kept.put({(0, 0): plane_of(value)})
        kept.flush()
        with planes.opened(kept.path) as other:
            other.write(plane_of(-value).T, 0, 0)
        kept.look()
        assert (kept.plane(0, 0) == -value).all()


def test_pixels_outlive_a_change_of_keywords(kept: StoredImage) -> None:
    in_memory(kept)
    kept.look()
    version, plane = kept.version, kept.plane(0, 0)
    time.sleep(0.02)
    with casa.opened_table(kept.path, writable=True) as table:
        table.putkeyword("units", "Jy")
    kept.look()
    assert kept.version == version
    assert kept.plane(0, 0) is plane


def test_newer_planes_and_those_that_others_write_come_together(kept: StoredImage, pixels: np.ndarray) -> None:
    kept.put({(1, 0): plane_of(7)})
    written_by_another(kept, plane_of(5), 2, 1)
    kept.look()
    assert (kept.plane(1, 0) == 7).all()
    assert (kept.plane(2, 1) == 5).all()
    kept.flush()
    expected = pixels.T.copy()
    expected[1, 0], expected[2, 1] = 7, 5
    np.testing.assert_array_equal(on_disk(kept), expected)


def test_what_is_dropped_is_as_on_disk(kept: StoredImage, pixels: np.ndarray) -> None:
    kept.put({(1, 0): plane_of(7)})
    kept.drop()
    np.testing.assert_array_equal(in_memory(kept), pixels.T)


def test_an_image_made_with_one_value_need_not_be_read(stored: StoredImage) -> None:
    write_channels(stored.path, np.full(SHAPE[::-1], 2, np.float32))
    stored.fill(2.0)
    assert (in_memory(stored) == 2).all()
    if stored.keeps:
        assert stored.plane(4, 1).strides == (0, 0)


def test_a_store_flushes_before_casa_and_looks_after_it(image: str, pixels: np.ndarray) -> None:
    store = ImageStore()
    stored = store.image(image)
    stored.put({(1, 0): plane_of(7)})
    with store.on_disk("writing"), casa.opened_image(image) as tool:
        found = tool.getchunk()
        assert (found[:, :, 0, 1] == 7).all()
        time.sleep(0.02)
        tool.putchunk(found + 1)
    np.testing.assert_array_equal(in_memory(stored)[2:], pixels.T[2:] + 1)
    assert (stored.plane(1, 0) == 8).all()


def test_a_store_that_is_released_has_written_all(image: str) -> None:
    store = ImageStore()
    stored = store.image(image)
    stored.put({(1, 0): plane_of(7)})
    store.release()
    assert (on_disk(stored)[1, 0] == 7).all()


def test_images_beyond_their_share_of_memory_and_passing_ones_are_not_kept(
    image: str, tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ImageStore().image(image).keeps
    for name in ("x.pb", "x.image.pbcor", "x.pb.tt0"):
        assert not ImageStore().image(make_image(tmp_path / name, pixels)).keeps
    assert ImageStore().image(make_image(tmp_path / "x.pb.residual", pixels)).keeps
    monkeypatch.setattr(store_module, "kept_pixels", lambda: pixels.size - 1)
    assert not ImageStore().image(image).keeps


def test_pixel_mask_stays_until_it_changes(stored: StoredImage, pixels: np.ndarray) -> None:
    for limit in (None, 30, 50):
        time.sleep(0.02)
        if limit is not None:
            with casa.opened_image(stored.path) as tool:
                tool.calcmask(f"'{stored.path}' > {limit}", name="mask0")
        stored.look()
        found = stored.valid(0, 0)
        assert (found is None) == (limit is None)
        if limit is not None:
            np.testing.assert_array_equal(found, limit < pixels.T[0, 0])
        write_channels(stored.path, np.ascontiguousarray(pixels.T[:1]))
        stored.look()
        again = stored.valid(0, 0)
        assert again is found or (again == found).all()
    assert stored.valid(4, 1) is None  # all of it is good
