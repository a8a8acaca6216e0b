"""Convolution with a beam, component by component or by FFT, and the beam between two beams."""

from __future__ import annotations

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.imaging import restoration
from pcleantask.imaging.beam import ARCSEC, DEGREE, Beam, deconvolved, gaussian_psf
from pcleantask.imaging.restoration import BeamConvolver

CELL = (-0.5 * ARCSEC, 0.5 * ARCSEC)
BEAM = Beam(3 * ARCSEC, 2 * ARCSEC, 30 * DEGREE)


def convolver(shape: tuple[int, int], beam: Beam = BEAM, *, normalized: bool = False) -> BeamConvolver:
    return BeamConvolver(shape, beam, (shape[1] // 2, shape[0] // 2), CELL, normalized=normalized)


@pytest.mark.parametrize("shape", [(64, 64), (40, 100), (63, 81), (10, 12)])
def test_few_components_one_by_one_equal_fft(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    model = np.zeros(shape, np.float32)
    for y, x in [*rng.integers(0, shape, size=(5, 2)), (0, 0), (shape[0] - 1, 3)]:
        model[y, x] += rng.normal()
    monkeypatch.setattr(restoration, "FFT_PLANES", np.inf)
    one_by_one = convolver(shape)(model)
    monkeypatch.setattr(restoration, "FFT_PLANES", 0)
    by_fft = convolver(shape)(model)
    np.testing.assert_allclose(one_by_one, by_fft, atol=1e-5 * np.abs(model).max())
    assert np.abs(one_by_one).max() > 0.5 * np.abs(model).max()


@pytest.mark.parametrize("shape", [(64, 64), (63, 81)])
def test_component_stays_where_it_is_with_its_flux_as_peak(shape: tuple[int, int]) -> None:
    model = np.zeros(shape, np.float32)
    model[20, 41] = 2
    found = convolver(shape)(model)
    assert np.unravel_index(found.argmax(), shape) == (20, 41)
    assert found.max() == 2


@pytest.mark.parametrize("shape", [(64, 64), (63, 81), (10, 12)])
def test_central_component_is_the_gaussian_of_the_plane_to_the_last_bit(shape: tuple[int, int]) -> None:
    model = np.zeros(shape, np.float32)
    model[shape[0] // 2, shape[1] // 2] = 1
    gaussian = gaussian_psf(shape[::-1], BEAM, (shape[1] // 2, shape[0] // 2), CELL).T
    np.testing.assert_array_equal(convolver(shape)(model), gaussian)


def test_normalized_beam_keeps_the_sum() -> None:
    noise = np.random.default_rng(1).normal(1, 1, size=(48, 64)).astype(np.float32)
    found = convolver(noise.shape, normalized=True)(noise)
    np.testing.assert_allclose(found.sum(dtype=float), noise.sum(dtype=float), rtol=1e-5)
    assert found.std() < 0.5 * noise.std()


@pytest.mark.parametrize("source", [(4.0, 3.0, 10.0), (4.5, 3.8, -70.0), (5.0, 5.0, 0.0)])
def test_beam_between_two_is_that_of_casa(source: tuple[float, float, float]) -> None:
    beam = (3.0, 2.0, 30.0)
    names = ("major", "minor", "pa")
    records = [
        {name: f"{value}{unit}" for name, value, unit in zip(names, values, ("arcsec", "arcsec", "deg"), strict=True)}
        for values in (source, beam)
    ]
    tool = casa.load().image()
    answer = tool.deconvolvefrombeam([records[0][name] for name in names], [records[1][name] for name in names])
    expected = answer["fit"]
    found = deconvolved(*(Beam(a * ARCSEC, b * ARCSEC, pa * DEGREE) for a, b, pa in (source, beam)))
    assert found is not None
    values = [expected[name]["value"] for name in names]
    np.testing.assert_allclose(
        [found.major / ARCSEC, found.minor / ARCSEC, found.pa / DEGREE], values, rtol=1e-6, atol=1e-6
    )


def test_beam_between_nearly_equal_beams_is_none() -> None:
    assert deconvolved(Beam(0.999 * BEAM.major, BEAM.minor, BEAM.pa), BEAM) is None


def test_beam_narrower_than_the_other_raises() -> None:
    with pytest.raises(ArithmeticError, match="narrower"):
        deconvolved(Beam(4 * ARCSEC, 1 * ARCSEC, 30 * DEGREE), BEAM)
