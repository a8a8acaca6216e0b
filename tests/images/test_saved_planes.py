"""Planes come back to the last bit, from files of several writers, and take little room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pcleantask.images.saved_planes import PlaneKey, SavedPlanes, save_planes

NY, NX = 61, 47
RANDOM = np.random.default_rng(20)


def sparse(value: float) -> np.ndarray:
    plane = np.zeros((NY, NX), np.float32)
    plane[[3, 60, 0], [40, 46, 0]] = value, -1.5, np.float32(1e-42)
    return plane


PLANES = {
    "nothing": np.broadcast_to(np.float32(0), (NY, NX)),
    "one value": np.broadcast_to(np.float32(0.3), (NY, NX)),
    "zeros": np.zeros((NY, NX), np.float32),
    "components": sparse(2.25),
    "negative zero": sparse(-0.0),
    "not a number": sparse(np.nan),
    "mask": (RANDOM.random((NY, NX)) < 0.3).astype(np.float32),
    "full mask": np.ones((NY, NX), np.float32),
    "some pixels": (RANDOM.random((NY, NX)) < 0.2) * RANDOM.random((NY, NX)).astype(np.float32),
    "all pixels": RANDOM.random((NY, NX)).astype(np.float32),
    "transposed": RANDOM.random((NX, NY)).astype(np.float32).T,
}


def test_planes_come_back_to_the_last_bit(tmp_path: Path) -> None:
    keys = {name: PlaneKey("model" if "mask" not in name else "mask", number, 1) for number, name in enumerate(PLANES)}
    entries = [(keys[name], plane) for name, plane in PLANES.items()]
    paths = [str(tmp_path / "one"), str(tmp_path / "other")]
    save_planes(paths[0], entries[:5], {"number": 1, "of": {(0, 1): np.float32(0.1)}})
    save_planes(paths[1], entries[5:], {"number": 2})
    saved = SavedPlanes(paths)
    assert set(saved.keys) == set(keys.values())
    assert saved.facts == [{"number": 1, "of": {(0, 1): np.float32(0.1)}}, {"number": 2}]
    for name, plane in PLANES.items():
        found = saved.plane(keys[name])
        assert found.dtype == np.float32, name
        assert found.tobytes() == np.ascontiguousarray(plane).tobytes(), name


@pytest.mark.parametrize(
    ("name", "most"), [("components", 24), ("mask", NX * NY / 8 + 1), ("full mask", NX * NY / 8 + 1)]
)
def test_planes_take_little_room(tmp_path: Path, name: str, most: float) -> None:
    sizes = []
    for count in (1, 21):
        save_planes(str(tmp_path / "file"), [(PlaneKey("x", chan, 0), PLANES[name]) for chan in range(count)], {})
        sizes.append((tmp_path / "file").stat().st_size)
    assert (sizes[1] - sizes[0]) / 20 <= most + 8 * 8  # and a line of the table


def test_no_planes_are_a_file_too(tmp_path: Path) -> None:
    save_planes(str(tmp_path / "file"), [], {"nothing": True})
    saved = SavedPlanes([str(tmp_path / "file")])
    assert (saved.keys, saved.facts) == ([], [{"nothing": True}])
