"""A mosaic's operator is the direct sum over pointings, with their beams, at the image's cells and on a canvas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest

from pcleantask.gridding.data.selection import Pointing
from pcleantask.gridding.ducc.channels.block import Sampling
from pcleantask.gridding.ducc.mosaic.airy import BlockedAiry, pattern_of_pair
from pcleantask.gridding.ducc.mosaic.canvas import Canvas
from pcleantask.gridding.ducc.mosaic.joint import JointMeasurement, bands
from pcleantask.gridding.ducc.mosaic.plane import ImagePlane
from pcleantask.gridding.ducc.mosaic.power_pattern import PowerPattern
from pcleantask.gridding.ducc.sky_plane import MOST

LIGHT_SPEED = 299792458.0
ARCSEC = np.pi / 180 / 3600
LARGE, MIXED, SMALL = (12.0, 12.0), (7.0, 12.0), (7.0, 7.0)
OF_PEAK = 2e-5


made_once = lru_cache(pattern_of_pair)


@dataclass
class Beams:
    """Those of ALMA's dishes."""

    fov: float
    to_null: bool

    def pattern(self, pointing: Pointing, frequency: float) -> PowerPattern:
        return made_once(pointing.dishes, self.fov, to_null=self.to_null)


@dataclass
class Drawn:
    """Data of some pointings about a plane's centre."""

    plane: ImagePlane
    beams: Beams
    blocks: list[Sampling]
    data: list[np.ndarray]
    weights: list[np.ndarray]

    def pixels(self, rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
        return [tuple(rng.integers(0, size) for size in self.plane.shape) for _ in range(count)]

    def beam(self, block: Sampling, pixel: tuple[int, int], frequency: float) -> float:
        (l, m), place = self.offset(pixel), self.plane.place(block.pointing)
        pattern = self.beams.pattern(block.pointing, frequency)
        distance = np.hypot(l - place[0], m - place[1]) * frequency
        one, other = (BlockedAiry.of_dish(dish, self.beams.fov) for dish in block.pointing.dishes)
        return float(one(distance) * other(distance)) if distance <= pattern.reach else 0.0

    def offset(self, pixel: tuple[int, int]) -> tuple[float, float]:
        l, m = (
            step * (at - size // 2) for step, at, size in zip(self.plane.cell, pixel, self.plane.shape, strict=True)
        )
        return l, m

    def phases(self, block: Sampling, pixel: tuple[int, int], *, of_psf: bool = False) -> np.ndarray:
        (l, m), place = self.offset(pixel), (0.0, 0.0) if of_psf else self.plane.place(block.pointing)
        path = block.uvw[:, 0] * (l - place[0]) + block.uvw[:, 1] * (m - place[1])
        return 2 * np.pi / LIGHT_SPEED * np.outer(path, block.freq)


def drawn(rng: np.random.Generator, dishes=(LARGE,), *, shape=(160, 150), to_null=False, step=0.3, freq=None) -> Drawn:
    cell = (-step * ARCSEC, step * ARCSEC)
    plane = ImagePlane(np.eye(3), shape, cell)
    beams = Beams(shape[1] * cell[1], to_null)
    frequency = np.array([230e9]) if freq is None else freq
    blocks, data, weights = [], [], []
    for number in range(5):
        x, y = (rng.uniform(-0.4, 0.4) * size * abs(step) * ARCSEC for size in shape)
        if number == 4:
            x = 0.55 * shape[0] * step * ARCSEC  # off the image
        pointing = Pointing((x, y, np.sqrt(1 - x**2 - y**2)), "ALMA", dishes[number % len(dishes)])
        uvw = rng.normal(scale=80.0, size=(60, 3)).clip(-200, 200) * [1, 1, 0]
        blocks.append(Sampling(uvw, frequency, pointing=pointing))
        values = rng.normal(size=(2, 60, len(frequency)))
        data.append((values[0] + 1j * values[1]).astype(np.complex64))
        weights.append(rng.uniform(size=(60, len(frequency))).astype(np.float32))
    return Drawn(plane, beams, blocks, data, weights)


def made(one: Drawn, *, on_canvas: bool = False) -> tuple[JointMeasurement, np.ndarray, np.ndarray, np.ndarray]:
    """The operator; the dirty image, the PSF and the sum of squared beams that it makes."""
    canvas = None
    if on_canvas:
        frequency = float(one.blocks[0].freq.max())
        pointings = [block.pointing for block in one.blocks if one.plane.holds(block.pointing)]
        radius = max(one.beams.pattern(pointing, frequency).radius(frequency) for pointing in pointings)
        detail = (200 + 82) * frequency / LIGHT_SPEED
        canvas = Canvas.of(one.plane, pointings, radius, (detail, detail))
        assert canvas is not None
    joint = JointMeasurement(one.plane, one.beams, canvas)
    dirty, psf, squares = joint.blank(1, 1), joint.blank(1), joint.blank(1)
    for block, data, weight in zip(one.blocks, one.data, one.weights, strict=True):
        joint.add_dirty(dirty, block, [data], [weight])
        joint.add_psf(psf, block, [weight])
        joint.add_squared_beam(squares, block, [weight])
    return joint, joint.finished(dirty)[0, 0], joint.finished(psf)[0], joint.finished(squares)[0]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("options", "on_canvas"),
    [
        ({}, False),
        ({"dishes": (LARGE, SMALL, MIXED)}, False),
        ({"to_null": True}, False),
        ({"to_null": True}, True),
        ({"shape": (101, 64), "step": 0.5}, False),
    ],
)
def test_images_are_direct_sums(seed: int, options: dict, on_canvas: bool) -> None:
    rng = np.random.default_rng(seed)
    one = drawn(rng, **options)
    _, dirty, psf, squares = made(one, on_canvas=on_canvas)
    frequency = 230e9
    for pixel in one.pixels(rng, 40):
        truth = np.zeros(3)
        for block, data, weight in zip(one.blocks[:4], one.data, one.weights, strict=False):
            beam = one.beam(block, pixel, frequency)
            rotated = np.exp(-1j * one.phases(block, pixel))
            truth[0] += beam * float((weight * (data * rotated).real).sum())
            truth[1] += beam * float((weight * np.cos(one.phases(block, pixel, of_psf=True))).sum())
            truth[2] += beam**2 * float(weight.sum())
        found = [image[pixel[1], pixel[0]] for image in (dirty, psf, squares)]
        peaks = [np.abs(image).max() for image in (dirty, psf, squares)]
        assert (np.abs(found - truth) < OF_PEAK * np.array(peaks)).all(), (pixel, found, truth)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("count", "on_canvas"), [(7, False), (7, True), (MOST + 1, False), (MOST + 1, True)])
def test_predictions_are_direct_sums(seed: int, count: int, on_canvas: bool) -> None:
    """Of few points, and of so many that they go by way of a grid."""
    rng = np.random.default_rng(seed)
    one = drawn(rng, to_null=True, shape=(96, 90))
    joint = made(one, on_canvas=on_canvas)[0]
    plane = np.zeros(one.plane.shape, np.float32)
    plane.ravel()[rng.choice(plane.size, count, replace=False)] = rng.normal(size=count)
    model = joint.sky_plane(plane.T)
    assert (model.points is None) == (count > MOST)
    pixels = np.argwhere(plane)
    for number, block in enumerate(one.blocks):
        found = joint.predict(block, model)
        if number == 4:
            assert not found.any()
            continue
        seen = np.array([plane[tuple(pixel)] * one.beam(block, tuple(pixel), 230e9) for pixel in pixels])
        phases = np.stack([one.phases(block, tuple(pixel))[:, 0] for pixel in pixels], axis=1)
        truth = np.exp(1j * phases) @ seen
        assert np.abs(found[:, 0] - truth).max() < OF_PEAK * max(np.abs(seen).sum(), 1)


def test_a_wide_band_has_a_beam_for_each_of_its_bands() -> None:
    rng = np.random.default_rng(7)
    freq = np.linspace(220e9, 240e9, 11)[::-1]
    one = drawn(rng, freq=freq)
    _, _, _, squares = made(one)
    for pixel in one.pixels(rng, 30):
        truth = sum(
            one.beam(block, pixel, frequency) ** 2 * float(weight[:, channel].sum())
            for block, weight in zip(one.blocks[:4], one.weights, strict=False)
            for channel, frequency in enumerate(freq)
        )
        assert abs(squares[pixel[1], pixel[0]] - truth) < 1e-4 * squares.max()


def test_bands_share_out_all_channels() -> None:
    freq = np.random.default_rng(1).permutation(np.linspace(100e9, 104e9, 50))
    found = bands(freq)
    assert sorted(np.concatenate(found).tolist()) == list(range(50))
    assert all(np.ptp(freq[channels]) <= 0.0021 * 100e9 for channels in found)
    assert bands(np.array([1e9])) == [slice(None)]


def test_a_canvas_is_refused_where_it_is_not_coarser() -> None:
    plane = ImagePlane(np.eye(3), (100, 100), (-1e-6, 1e-6))
    assert Canvas.of(plane, [], 2e-5, (4.9e5, 4.9e5)) is None
    assert Canvas.of(plane, [], 2e-5, (1e5, 1e5)) is not None


def test_a_voltage_pattern_is_one_on_the_axis_and_ends_at_a_null() -> None:
    dish = BlockedAiry.of_dish(12.0, 100 * ARCSEC)
    assert dish(np.array([0.0])) == pytest.approx(1.0)
    assert dish.last_null == pytest.approx(0.86 * dish.reach, rel=0.01)
    assert abs(dish(np.array([dish.last_null]))[0]) < 1e-6
    assert BlockedAiry.of_dish(7.0, 0.0).dish == 6.25
    assert BlockedAiry.of_dish(12.0, 1000 * ARCSEC).reach > dish.reach
