"""Models of few points are summed directly, to what a transform makes of their pixels."""

from __future__ import annotations

import numpy as np
import pytest

from pcleantask.gridding.ducc.channels.block import Sampling
from pcleantask.gridding.ducc.measurement import OneField
from pcleantask.gridding.ducc.sky_plane import MOST, SkyPlane, direct_sum, is_direct_cheaper
from pcleantask.gridding.ducc.transform import Transform
from tests.gridding.fourier import predicted

CELL = (-2e-6, 1.7e-6)
SHAPE = (130, 101)


@pytest.fixture(params=range(3))
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def observed(rng: np.random.Generator, nrow: int = 700) -> Sampling:
    return Sampling(rng.normal(scale=20.0, size=(nrow, 3)), np.array([2.30e11, 2.31e11, 2.29e11]))


def points(rng: np.random.Generator, count: int) -> np.ndarray:
    plane = np.zeros(SHAPE, np.float32)
    plane.ravel()[rng.choice(plane.size, count, replace=False)] = rng.normal(size=count)
    return plane.T


@pytest.mark.parametrize("wide", [False, True])
def test_predictions_are_direct_sums_however_they_are_made(rng: np.random.Generator, wide: bool) -> None:
    at, plane = observed(rng), points(rng, 9)
    transform = Transform(SHAPE, CELL, wide)
    truth = predicted(at.uvw, at.freq, plane.T, CELL, wide)
    found = SkyPlane(plane).points
    assert found is not None
    summed = direct_sum(at.uvw, at.freq, transform.places(found.x, found.y), found.flux)
    scale = np.abs(plane).sum()
    assert np.abs(summed - truth).max() < 1e-6 * scale
    assert np.abs(OneField(transform).predict(at, SkyPlane(plane)) - truth).max() < 1e-5 * scale
    assert np.abs(transform.predict(at.uvw, at.freq, plane) - truth).max() < 5e-5 * scale


def test_the_cheaper_way_is_taken(rng: np.random.Generator) -> None:
    assert is_direct_cheaper(10, 1000, 512 * 512)
    assert not is_direct_cheaper(1000, 100_000, 512 * 512)
    many = np.ones((60, 60), np.float32)
    assert many.size > MOST and SkyPlane(many).points is None
    few = SkyPlane(points(rng, 4), lambda plane: plane * 2)
    assert few.points is not None and len(few.points.flux) == 4
    assert np.array_equal(few.grid, few.pixels * 2)


def test_no_visibilities_and_no_points() -> None:
    nothing = direct_sum(np.zeros((0, 3)), np.ones(2), np.zeros((3, 4)), np.ones(4, np.float32))
    assert nothing.shape == (0, 2)
    empty = direct_sum(np.ones((5, 3)), np.ones(2), np.zeros((3, 0)), np.zeros(0, np.float32))
    assert empty.shape == (5, 2) and not empty.any()
