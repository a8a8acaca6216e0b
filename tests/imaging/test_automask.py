"""auto-multithresh on arrays: each stage against a slow and plain version of it, then the whole, speed and memory."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage, signal

from pcleantask.imaging import automask as am
from pcleantask.imaging import regions, robust

CROSS = ndimage.generate_binary_structure(2, 1)
SIGMA = (2.4, 1.6)
AREA = 2 * np.pi * SIGMA[0] * SIGMA[1]
TASK = am.AutoMaskConfig(growiterations=75, minpercentchange=-1.0)
SECONDS_PER_PLANE = 2.0 / 64  # a fifteenth of CASA's 35 s for 64 planes of 512 x 512
BYTES_PER_PIXEL = 12


def _field(n: int, seed: int = 1, sources: int = 6) -> np.ndarray:
    """Noise of rms 1 with some Gaussian sources, float32 [n, n] in Fortran order."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(0, 1, (n, n)), 1.5)
    sky = np.zeros((n, n))
    sky[tuple(rng.integers(n // 6, 5 * n // 6, (2, sources)))] = rng.uniform(20, 60, sources)
    return np.asfortranarray(noise / noise.std() + 60 * ndimage.gaussian_filter(sky, 3.0), dtype=np.float32)


def _run(
    residual: np.ndarray, cfg: am.AutoMaskConfig = TASK, state: am.AutoMaskState | None = None, **options
) -> np.ndarray:
    return am.automask_plane(residual, 0.05, AREA, SIGMA, cfg, state or am.AutoMaskState(), **options)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("n", [1, 2, 7, 1000, 1001, 40_000])
def test_median_and_mad_equal_those_of_a_sort_in_double_precision(n: int, offset: float) -> None:
    values = (np.random.default_rng(n).normal(0, 1, n) + offset).astype(np.float32)
    median = np.median(values.astype(np.float64))
    deviation = np.median(np.abs(values.astype(np.float64) - median))
    assert am.robust_rms(values[:, None]) == (median, 1.4826 * deviation)


@pytest.mark.parametrize("values", [np.zeros(50), np.r_[np.zeros(30), np.arange(20)], np.arange(50) // 10])
def test_median_and_mad_are_exact_where_values_repeat(values: np.ndarray) -> None:
    median = np.median(values)
    plane = values.astype(np.float32)[:, None]
    assert am.robust_rms(plane) == (median, 1.4826 * np.median(np.abs(values - median)))


def test_plane_without_valid_pixels_has_zero_statistics_and_an_empty_mask() -> None:
    nothing = np.zeros((64, 64), bool)
    assert robust.plane_statistics(_field(64), nothing) == (0.0, 0.0, 0.0)
    assert not _run(_field(64), valid=nothing).any()


def test_slow_noise_leaves_out_the_mask_and_without_one_the_outliers() -> None:
    residual = _field(128)
    mask = residual > 4
    assert mask.any()
    outside = residual[~mask].astype(np.float64)
    rms = 1.4826 * np.median(np.abs(outside - np.median(outside)))
    assert am.robust_rms(residual, None, False, mask)[1] == rms
    clipped = am.robust_rms(residual, None, False)[1]
    assert clipped < am.robust_rms(residual, None, True)[1]
    assert am.robust_rms(residual, None, False, mask, fullmask=True)[1] == clipped


@pytest.mark.parametrize(("n", "limit"), [(1, 1.0), (40, 2.5), (13165126, 5.5)])
def test_chauvenet_limit_takes_the_nodes_of_casacore(n: int, limit: float) -> None:
    assert robust._chauvenet_limit(n) == limit


@pytest.mark.parametrize("n", [2, 100, 5000, 2_000_000, 10**9])
def test_chauvenet_limit_expects_half_a_value_beyond_it(n: int) -> None:
    from math import erfc, sqrt

    assert int(0.5 / erfc(robust._chauvenet_limit(n) / sqrt(2))) == pytest.approx(n, rel=1e-6)


@pytest.mark.parametrize("density", [0.02, 0.3, 0.59, 0.95])
@pytest.mark.parametrize("size", [2.0, 6.5, 100.0])
def test_prune_keeps_what_labelling_keeps(density: float, size: float) -> None:
    mask = np.random.default_rng(5).random((71, 90)) < density
    labels, _ = ndimage.label(mask, CROSS)
    keep = np.bincount(labels.ravel()) >= size
    keep[0] = False
    found = mask.copy()
    regions.prune(found, size)
    assert mask.any()
    assert np.array_equal(found, keep[labels])


@pytest.mark.parametrize("steps", [1, 2, 5, 40, 1000])
def test_grow_is_geodesic_dilation(steps: int) -> None:
    rng = np.random.default_rng(6)
    allowed = rng.random((60, 83)) < 0.7
    mask = rng.random((60, 83)) < 0.003
    expected = ndimage.binary_dilation(mask & allowed, CROSS, iterations=steps, mask=allowed)
    found = regions.grow(mask, allowed, steps)
    assert found.sum() > (mask & allowed).sum() > 0
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("kernel", [regions.Kernel(5.0, 3.0, 0.6, 0.8), regions.Kernel(40.0, 12.0, -0.28, 0.96)])
@pytest.mark.parametrize("shape", [(300, 211), (20, 200)])
@pytest.mark.parametrize("cut", [0.001, 0.01, 0.5])
def test_smoothing_in_tiles_is_one_linear_convolution(
    kernel: regions.Kernel, shape: tuple[int, int], cut: float
) -> None:
    mask = np.random.default_rng(8).random(shape) < 0.004
    mask[:3, :3] = True
    full = signal.fftconvolve(mask.astype(float), regions.smoothing_kernel(kernel))
    half = regions.smoothing_kernel(kernel).shape[0] // 2
    smoothed = full[half : half + shape[0], half : half + shape[1]].astype(np.float32)
    expected = smoothed > np.float32(cut) * smoothed.max()
    found = regions.smooth_and_cut(mask, kernel, cut)
    assert found.any()
    assert np.count_nonzero(found != expected) <= 1  # a pixel on the cut to within rounding


def test_memory_order_and_transposition_do_not_matter() -> None:
    residual = _field(100)[:, :80]
    fortran = _run(np.asfortranarray(residual), beam_pa_rad=0.7)
    assert fortran.any()
    assert np.array_equal(_run(np.ascontiguousarray(residual), beam_pa_rad=0.7), fortran)
    turned = _run(np.ascontiguousarray(residual.T), beam_pa_rad=np.pi / 2 - 0.7, cell_sign=-1)
    assert np.array_equal(turned, fortran.T)


def test_state_is_kept_and_updated_in_place() -> None:
    state = am.AutoMaskState(prevmask=np.zeros((128, 128), bool, order="F"))
    mask = state.prevmask
    first = _run(_field(128), state=state)
    assert (state.iteration, state.prevmask is mask, first.dtype) == (1, True, np.float32)
    assert first.any()
    second = _run(_field(128) * np.float32(0.3), state=state)
    assert (second >= first).all()
    assert np.array_equal(second > 0, state.prevmask)
    assert state.posmask is not None
    assert np.array_equal(state.posmask, state.prevmask)


def test_mask_grows_only_after_minor_cycle_iterations() -> None:
    cfg = replace(TASK, sidelobethreshold=0.2, lownoisethreshold=1.0, noisethreshold=6.0)
    grown, same = am.AutoMaskState(), am.AutoMaskState()
    for state in (grown, same):
        _run(_field(128), cfg, state)
    more = _run(_field(128), cfg, grown)
    assert np.array_equal(_run(_field(128), cfg, same, iterdone=0), _run(_field(128), cfg))
    assert more.sum() > _run(_field(128), cfg).sum()


def test_negatives_join_the_mask_but_not_the_emission() -> None:
    residual = -_field(128)
    state = am.AutoMaskState()
    assert not _run(residual).any()
    assert _run(residual, replace(TASK, negativethreshold=5.0), state).any()
    assert not state.posmask.any()


def test_primary_beam_and_pixel_mask_bound_the_mask() -> None:
    residual = _field(128)
    pb = np.zeros_like(residual)
    pb[:, :64] = 0.5
    free = _run(residual)
    assert free[:, 64:].any()
    for options in ({"pb": pb}, {"valid": pb > 0.2}, {"pb": pb, "pbmask": 0.3}):
        bounded = _run(residual, **options)
        assert bounded.any()
        assert not bounded[:, 64:].any()


@pytest.mark.parametrize(
    ("before", "after", "noise", "reached", "percent", "final"),
    [
        (0, 0, True, False, -1.0, True),
        (0, 0, False, True, 50.0, False),
        (100, 100, True, True, -1.0, False),
        (100, 100, True, True, 0.0, True),
        (100, 101, True, True, 0.0, False),
        (100, 101, True, True, 5.0, True),
        (100, 101, True, False, 5.0, False),
    ],
)
def test_a_channel_is_final_when_empty_or_hardly_changed(before, after, noise, reached, percent, final) -> None:
    assert am.should_skip(before, after, noise, reached, percent) is final


def test_final_channel_is_left_alone() -> None:
    state = am.AutoMaskState()
    noise = _field(96, sources=0)
    assert not _run(noise, replace(TASK, noisethreshold=9.0), state).any()
    assert state.skip
    assert not _run(_field(96), state=state).any()


def test_the_skip_flag_is_the_channels_and_depends_on_its_first_polarisation() -> None:
    beam = am.BeamInfo(AREA, 0.05, SIGMA)
    cfg = replace(TASK, noisethreshold=9.0)
    states = [am.AutoMaskState(), am.AutoMaskState()]
    am.automask_channel([_field(96, sources=0), _field(96)], beam, cfg, states)
    assert [state.skip for state in states] == [False, False]
    states = [am.AutoMaskState(), am.AutoMaskState()]
    am.automask_channel([_field(96, sources=0)] * 2, beam, cfg, states)
    assert [state.skip for state in states] == [True, True]


def test_config_has_the_defaults_of_the_tool_and_may_be_assigned_to() -> None:
    cfg = am.AutoMaskConfig()
    assert vars(cfg) == {
        "sidelobethreshold": 3.0, "noisethreshold": 5.0, "lownoisethreshold": 1.5, "negativethreshold": 0.0,
        "smoothfactor": 1.0, "minbeamfrac": 0.3, "cutthreshold": 0.01, "growiterations": 100, "dogrowprune": True,
        "minpercentchange": 0.0, "fastnoise": True,
    }  # fmt: skip
    residual = _field(96)
    assert _run(residual, cfg).any()
    cfg.sidelobethreshold = cfg.noisethreshold = 1e4
    assert not _run(residual, cfg).any()


@pytest.mark.parametrize("fastnoise", [True, False])
def test_a_plane_takes_at_most_a_fifteenth_of_the_time_of_casa(fastnoise: bool) -> None:
    residual, state = _field(512, sources=60), am.AutoMaskState()
    cfg = replace(TASK, fastnoise=fastnoise)
    _run(residual, cfg)  # the kernel's FFT and the imports are paid once a run
    seconds = []
    for cycle in range(6):
        start = time.process_time()
        mask = _run(residual * np.float32(0.7**cycle), cfg, state)
        seconds.append(time.process_time() - start)
    assert mask.mean() > 0.02
    assert np.mean(seconds) < SECONDS_PER_PLANE


@pytest.mark.parametrize("fastnoise", [True, False])
@pytest.mark.parametrize("options", ["none", "pb", "pbmask"])
def test_peak_memory_is_at_most_12_bytes_a_pixel(fastnoise: bool, options: str) -> None:
    n = 2048
    residual = np.asfortranarray(np.tile(_field(256), (n // 256, n // 256)))
    pb = np.full((n, n), 0.9, np.float32, order="F")
    pb[:100] = 0.1
    extra = {"none": {}, "pb": {"pb": pb}, "pbmask": {"pb": pb, "pbmask": 0.3}}[options]
    state, cfg = am.AutoMaskState(), replace(TASK, fastnoise=fastnoise, lownoisethreshold=1.0)
    for _ in range(2):
        tracemalloc.start()
        mask = _run(residual, cfg, state, **extra)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert mask.mean() > 0.02
        assert peak <= BYTES_PER_PIXEL * n * n


def test_needs_no_casa() -> None:
    code = "import sys; import pcleantask.imaging.automask; sys.exit(any(m.startswith('casa') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
