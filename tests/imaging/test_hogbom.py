"""Hogbom on tiles that fall behind gives what a plain loop over all pixels gives, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from pcleantask.imaging import tiles
from pcleantask.imaging.hogbom import HogbomPlane, Step
from pcleantask.imaging.tiles import Plane

GAIN = np.float32(0.1)
NOTHING = np.float32(0)


def plain_hogbom(
    residual: Plane, psf: Plane, mask: Plane, gain: np.float32, niter: int, threshold: np.float32
) -> tuple[Plane, Plane, int]:
    """Residual, model and count; CASA's loop does one iteration more than it counts when it runs to its end."""
    residual, model = residual.copy(), np.zeros_like(residual)
    (ny, nx), (hy, hx) = residual.shape, (size // 2 for size in residual.shape)
    for iteration in range(niter + 1):
        level = np.where(mask > 0.5, np.abs(residual), 0)
        y, x = np.unravel_index(level.argmax(), level.shape)
        if level[y, x] < threshold:
            return residual, model, iteration
        flux = gain * residual[y, x]
        model[y, x] += flux
        rows, columns = slice(max(0, y - hy), min(ny, y + hy)), slice(max(0, x - hx), min(nx, x + hx))
        response = psf[rows.start - y + hy : rows.stop - y + hy, columns.start - x + hx : columns.stop - x + hx]
        residual[rows, columns] -= flux * response
    return residual, model, niter


def make_psf(shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    """A lobe of some pixels on sidelobes of 0.03."""
    y, x = np.indices(shape)
    lobe = np.exp(-((y - shape[0] // 2) ** 2 + (x - shape[1] // 2) ** 2) / 9)
    psf = (lobe + 0.03 * rng.standard_normal(shape)).astype(np.float32)
    psf[shape[0] // 2, shape[1] // 2] = 1
    return psf


def make_sky(psf: Plane, rng: np.random.Generator) -> Plane:
    """Noise, and sources of either sign, one of them in a corner."""
    sky = 0.05 * rng.standard_normal(psf.shape)
    for y, x in [*rng.integers(0, psf.shape, size=(6, 2)), (0, psf.shape[1] - 1)]:
        sky += rng.uniform(-1, 2) * np.roll(psf, (y - psf.shape[0] // 2, x - psf.shape[1] // 2), (0, 1))
    return sky.astype(np.float32)


MASKS = {
    "none": lambda shape, rng: None,
    "scattered": lambda shape, rng: rng.random(shape) > 0.97,
    "box": lambda shape, rng: np.pad(np.ones((9, 20)), ((11, shape[0] - 20), (17, shape[1] - 37))),
    "one-pixel": lambda shape, rng: np.pad(np.ones((1, 1)), ((shape[0] - 1, 0), (3, shape[1] - 4))),
    "partial": lambda shape, rng: np.where(rng.random(shape) > 0.5, 0.6, 0.4),
}


@pytest.mark.parametrize("mask_name", MASKS)
@pytest.mark.parametrize("side", [(8, 8), (16, 32), 1, 1500, 1 << 18])
@pytest.mark.parametrize("shape", [(64, 64), (90, 97), (41, 130)])
@pytest.mark.parametrize(("gain", "threshold"), [(0.1, 0.0), (0.6, 0.4), (0.1, 0.8)])
def test_tiles_give_model_and_residual_of_plain_loop(
    monkeypatch: pytest.MonkeyPatch, mask_name: str, side: tuple[int, int] | int, shape: tuple[int, int], gain: float,
    threshold: float,
) -> None:  # fmt: skip
    if isinstance(side, int):  # pixels of whole rows
        monkeypatch.setattr(tiles, "TILE_PIXELS", side)
    else:
        monkeypatch.setattr(tiles, "_sides_of_tiles", lambda ny, nx, cropped: side)
    rng = np.random.default_rng(shape[0])
    psf = make_psf(shape, rng)
    residual = make_sky(psf, rng)
    drawn = MASKS[mask_name](shape, rng)
    mask = None if drawn is None else drawn.astype(np.float32)
    everywhere = np.ones_like(residual) if mask is None else mask
    step, limit = np.float32(gain), np.float32(threshold)
    left, model, count = plain_hogbom(residual, psf, everywhere, step, 120, limit)

    for whole in (True, False):
        plane = HogbomPlane(residual.copy(), np.zeros_like(residual), psf, mask, whole=whole)
        found = plane.take_step(step, 120, limit)
        assert found == Step(count, np.abs(left * everywhere).max())
        np.testing.assert_array_equal(plane.model, model)
        if whole:
            plane.finish()
            np.testing.assert_array_equal(plane.residual, left)
    assert model.any() or np.abs(residual * everywhere).max() < threshold


def test_second_step_goes_on_from_first() -> None:
    rng = np.random.default_rng(1)
    psf = make_psf((50, 60), rng)
    residual = make_sky(psf, rng)
    plane = HogbomPlane(residual.copy(), np.zeros_like(residual), psf)
    for _ in range(2):
        plane.take_step(GAIN, 30, NOTHING)
    left, model = residual, np.zeros_like(residual)
    for _ in range(2):
        left, added, _ = plain_hogbom(left, psf, np.ones_like(left), GAIN, 30, NOTHING)
        model = model + added
    plane.finish()
    np.testing.assert_array_equal(plane.residual, left)
    np.testing.assert_allclose(plane.model, model, rtol=1e-5)


def test_maxima_of_a_psf_are_found_once_and_go_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 16 * 60)
    psf = make_psf((50, 60), np.random.default_rng(4))
    kept, copied = dict(tiles._tables), psf.copy()
    for response in (psf, psf, copied):
        HogbomPlane(psf.copy(), np.zeros_like(psf), response).take_step(GAIN, 1, NOTHING)
    assert len(tiles._tables) == len(kept) + 2
    table = tiles._tables[id(psf)]
    HogbomPlane(psf.copy(), np.zeros_like(psf), psf).take_step(GAIN, 1, NOTHING)
    assert tiles._tables[id(psf)] is table
    del psf, response, copied
    assert tiles._tables == kept


@pytest.mark.parametrize("pixels", [1, 1 << 18])
def test_first_of_equal_peaks_is_cleaned_first(monkeypatch: pytest.MonkeyPatch, pixels: int) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", pixels)
    psf = np.zeros((70, 600), np.float32)
    psf[35, 300] = 1
    residual = np.zeros_like(psf)
    residual[65, 3] = residual[2, 590] = 1
    residual[2, 5] = -1
    plane = HogbomPlane(residual, np.zeros_like(psf), psf)
    plane.take_step(np.float32(0.5), 0, NOTHING)  # one iteration
    assert [tuple(map(int, at)) for at in np.argwhere(plane.model)] == [(2, 5)]
    assert plane.model[2, 5] == -0.5


def test_most_tiles_are_left_behind_while_one_source_is_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    psf = make_psf((512, 1024), rng)
    residual = 5 * np.roll(psf, (40, 90), (0, 1)) + (0.01 * rng.standard_normal(psf.shape)).astype(np.float32)
    mask = np.ones_like(psf)
    mask[::2, 0] = 0
    for given, ntiles, nbehind in ((None, 8, 5), (mask, 16, 12)):  # whole rows, and boxes cut to the mask
        monkeypatch.setattr(tiles, "TILE_PIXELS", 1 << 16)
        plane = HogbomPlane(residual.copy(), np.zeros_like(psf), psf, given, whole=False)
        plane.take_step(GAIN, 12, NOTHING)
        behind = [tile for tile in plane._tiled._tiles if tile is not None and tile.subtracted == 0]
        assert len(behind) >= nbehind
        assert len(plane._tiled._tiles) == ntiles


def test_empty_plane_has_peak_zero() -> None:
    empty = np.zeros((20, 30), np.float32)
    plane = HogbomPlane(empty.copy(), empty.copy(), make_psf((20, 30), np.random.default_rng(3)))
    assert plane.take_step(GAIN, 10, np.float32(0.1)) == Step(0, 0.0)
