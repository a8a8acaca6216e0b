"""Transforms by ducc0 are the Fourier sums that they stand for, and each other's adjoint."""

from __future__ import annotations

import numpy as np
import pytest

from pcleantask.errors import ImagingError
from pcleantask.gridding.ducc.mosaic.joint import ACCURACY
from pcleantask.gridding.ducc.transform import SINGLE, Transform
from tests.gridding.fourier import ARCSEC, dirty_at, predicted

OF_PEAK = 1e-5  # the largest error of an image or of a prediction in single precision
OF_ADJOINT = 1e-10  # in double precision, of the scalar products
CELL = (-8 * ARCSEC, 8 * ARCSEC)
ORDERS = {"rising": [0, 1, 2, 3], "falling": [3, 2, 1, 0], "mixed": [2, 0, 3, 1]}  # of channels
SHAPES = [(128, 128), (96, 150), (65, 33), (20, 7)]  # even, oblong, odd, smaller than ducc0 takes


def observation(seed: int = 1, nrow: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Baselines up to 1 km with large w, and four channels around 1.4 GHz."""
    generator = np.random.default_rng(seed)
    uvw = generator.normal(size=(nrow, 3)) * [400, 400, 400]
    return uvw, 1.4e9 + 1e7 * np.arange(4.0)


def sky(shape: tuple[int, int], seed: int = 2) -> np.ndarray:
    """A few point sources, one in each corner and one at the centre."""
    plane = np.zeros(shape)
    plane[shape[0] // 2, shape[1] // 2] = 1.0
    for flux, x, y in ((0.7, 0, 0), (0.5, -1, 0), (0.3, 0, -1), (-0.4, -1, -1)):
        plane[x, y] = flux
    return plane


@pytest.mark.parametrize(("wide", "accuracy"), [(False, SINGLE), (False, ACCURACY), (True, SINGLE)])
@pytest.mark.parametrize("shape", SHAPES)
def test_dirty_image_is_the_direct_sum(shape, wide, accuracy):
    uvw, freq = observation()
    generator = np.random.default_rng(3)
    vis = predicted(uvw, freq, sky(shape), CELL, wide) + generator.normal(size=(len(uvw), 4))
    weight = generator.uniform(0.1, 1, size=vis.shape)
    pixels = np.array([[0, 0], [shape[0] - 1, shape[1] - 1], [shape[0] // 2, shape[1] // 2], [shape[0] // 3, 2]])
    transform = Transform(shape, CELL, wide, accuracy=accuracy)
    image = transform.dirty(uvw, freq, vis.astype(np.complex64), weight.astype(np.float32)).T
    truth = dirty_at(uvw, freq, vis, weight, shape, CELL, wide, pixels)
    assert image.shape == shape
    assert abs(truth).max() > 0.5 * weight.sum()
    assert abs(image[tuple(pixels.T)] - truth).max() < OF_PEAK * abs(truth).max()


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_prediction_is_the_direct_sum(shape, wide):
    uvw, freq = observation()
    model = sky(shape)
    truth = predicted(uvw, freq, model, CELL, wide)
    found = Transform(shape, CELL, wide).predict(uvw, freq, model.T.astype(np.float32))
    assert abs(truth).max() > 1.5
    assert abs(found - truth).max() < OF_PEAK * abs(truth).max()


@pytest.mark.parametrize("shape", SHAPES)
def test_prediction_does_not_depend_on_the_order_of_pixels(shape):
    uvw, freq = observation()
    model = sky(shape).T.astype(np.float32)
    found = [Transform(shape, CELL).predict(uvw, freq, np.asarray(model, order=order)) for order in "CF"]
    assert (found[0] == found[1]).all()


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_prediction_is_the_adjoint_of_gridding(shape, wide):
    uvw, freq = observation()
    generator = np.random.default_rng(4)
    plane = generator.normal(size=shape[::-1])
    vis = generator.normal(size=(len(uvw), 4)) + 1j * generator.normal(size=(len(uvw), 4))
    weight = generator.uniform(0.1, 1, size=vis.shape)
    transform = Transform(shape, CELL, wide)
    on_sky = np.vdot(plane, transform.dirty(uvw, freq, vis, weight))
    on_baselines = np.vdot(transform.predict(uvw, freq, plane), weight * vis).real
    scale = np.linalg.norm(plane) * np.linalg.norm(transform.dirty(uvw, freq, vis, weight))
    assert abs(on_sky - on_baselines) < OF_ADJOINT * scale


def test_term_in_w_matters_for_these_baselines():
    uvw, freq = observation()
    flat, wide = (Transform((128, 128), CELL, kind).predict(uvw, freq, sky((128, 128))) for kind in (False, True))
    assert abs(flat - wide).max() > 0.1


def test_number_of_threads_changes_nothing_but_rounding():
    uvw, freq = observation()
    one, two = (Transform((128, 128), CELL, True, n).predict(uvw, freq, sky((128, 128))) for n in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-9)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_channels_may_be_in_any_order(order):
    """Dirty images are as they were, predictions (and where they are wanted) go with their channels."""
    uvw, freq = observation()
    generator = np.random.default_rng(5)
    vis = (predicted(uvw, freq, sky((64, 64)), CELL, False) + generator.normal(size=(len(uvw), 4))).astype(np.complex64)
    weight = generator.uniform(0.1, 1, size=vis.shape).astype(np.float32)
    wanted = weight > 0.3
    transform = Transform((64, 64), CELL)
    before = transform.dirty(uvw, freq, vis, weight)
    model = transform.predict(uvw, freq, before, wanted)
    pieces = (freq[order], np.ascontiguousarray(vis[:, order]), np.ascontiguousarray(weight[:, order]))
    assert (transform.dirty(uvw, *pieces) == before).all()
    assert (transform.predict(uvw, freq[order], before, wanted[:, order]) == model[:, order]).all()
    assert abs(before).max() > 0
    assert len(np.unique(abs(model[0]))) == 4


@pytest.mark.parametrize(("nrow", "nchan"), [(0, 4), (10, 0)])
def test_nothing_is_gridded_to_nothing(nrow, nchan):
    uvw, freq = observation(nrow=nrow)
    vis = np.ones((nrow, nchan), np.complex64)
    image = Transform((64, 64), CELL).dirty(uvw, freq[:nchan], vis, np.ones(vis.shape, np.float32))
    assert image.shape == (64, 64)
    assert not image.any()
    assert Transform((64, 64), CELL).predict(uvw, freq[:nchan], image).shape == (nrow, nchan)


def test_what_ducc0_refuses_is_an_error_of_ours():
    uvw, freq = observation(nrow=10)
    ones = np.ones((10, 4))
    where = r"gridding \(10 rows of 4 channels, 64 x 64 pixels\)"
    with pytest.raises(ImagingError, match=f"ducc0 failed while {where}") as said:
        Transform((64, 64), (0.0, 0.0)).dirty(uvw, freq, ones.astype(np.complex64), ones.astype(np.float32))
    assert "/src/" not in str(said.value)
