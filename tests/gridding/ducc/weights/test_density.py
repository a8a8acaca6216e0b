"""Imaging weights against loops over visibilities; tests/gridding/test_visibilities.py has them against tclean."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from pcleantask.gridding.ducc.weights.density import (
    ChannelDensity,
    Coverage,
    Density,
    DensityWeights,
    Scheme,
    Taper,
    UvGrid,
    fractional_bandwidth,
)
from pcleantask.gridding.ducc.weights.uv_extent import padded_size

LIGHT_SPEED = 299792458.0
GRID = UvGrid(36, 30, -2e-6, 2.5e-6)
FREQUENCY = np.array([230.0e9, 231.0e9, 232.5e9])


@pytest.fixture
def coverage() -> Coverage:
    """Visibilities in and beyond the grid, some of them flagged."""
    generator = np.random.default_rng(5)
    u, v = generator.normal(0, 120, (2, 400))
    weight = generator.uniform(0.5, 2, (400, 3)).astype(np.float32)
    weight[generator.random(weight.shape) < 0.1] = -1
    return Coverage(u, v, FREQUENCY, np.full(400, 1 - 1e-5), weight)


def counted(coverage: Coverage, box: int) -> tuple[np.ndarray, float]:
    """The density of `coverage`, visibility by visibility."""
    cells, total = np.zeros(GRID.shape), 0.0
    su, sv = GRID.scale
    for row, chan in np.argwhere(coverage.weight > 0):
        inverse = np.float32(coverage.frequency[chan] * coverage.doppler[row] / LIGHT_SPEED)
        u = float(np.float32(coverage.u[row] * float(inverse)))
        v = float(np.float32(coverage.v[row] * float(inverse)))
        for sign in (1, -1):
            i, j = int(sign * su * u + GRID.nx // 2), int(sign * sv * v + GRID.ny // 2)
            if box < i < GRID.nx - box and box < j < GRID.ny - box:
                cells[i - box : i + box + 1, j - box : j + box + 1] += coverage.weight[row, chan]
                total += float(coverage.weight[row, chan]) * (2 * box + 1) ** 2
    return cells, total


@pytest.mark.parametrize("box", [0, 1, 3])
def test_density_counts_each_visibility_and_its_conjugate(box: int, coverage: Coverage) -> None:
    density = Density.empty(GRID)
    density.add(coverage, box)
    cells, total = counted(coverage, box)
    assert (cells > 0).any()
    np.testing.assert_allclose(density.cells, cells, rtol=1e-12, atol=1e-9)
    assert density.total == pytest.approx(total, rel=1e-12)


def test_densities_of_parts_add_up_to_that_of_the_whole(coverage: Coverage) -> None:
    whole = Density.empty(GRID)
    whole.add(coverage)
    parts = []
    for rows in (slice(0, 150), slice(150, 400)):
        parts.append(Density.empty(GRID))
        pieces = {name: getattr(coverage, name)[rows] for name in ("u", "v", "doppler", "weight")}
        parts[-1].add(dataclasses.replace(coverage, **pieces))
    np.testing.assert_allclose((parts[0] + parts[1]).cells, whole.cells, rtol=1e-12)
    assert (parts[0] + parts[1]).total == pytest.approx(whole.total)
    with pytest.raises(ValueError, match="different grids"):
        parts[0] + Density.empty(UvGrid(8, 8, 1e-6, 1e-6))


def test_uniform_weights_make_all_cells_equal(coverage: Coverage) -> None:
    density = Density.empty(GRID)
    density.add(coverage)
    weights = DensityWeights(Scheme("uniform"), density)(coverage)
    assert ((weights < 0) == (coverage.weight < 0)).all()
    again = Density.empty(GRID)
    again.add(dataclasses.replace(coverage, weight=weights))
    # Truncation puts a visibility and its conjugate into cells that are not always each other's mirror image.
    occupied = again.cells[density.cells > 0]
    assert np.median(occupied) == pytest.approx(1, abs=1e-5)


def test_robust_two_is_nearly_natural_and_minus_two_nearly_uniform(coverage: Coverage) -> None:
    density = Density.empty(GRID)
    density.add(coverage)
    inside = DensityWeights(Scheme("uniform"), density)(coverage) > 0

    def relative(scheme: Scheme) -> np.ndarray:
        weights = DensityWeights(scheme, density)(coverage)[inside]
        return weights / weights.mean()

    natural = coverage.weight[inside] / coverage.weight[inside].mean()
    assert relative(Scheme("briggs", "norm", robust=2.0)) == pytest.approx(natural, rel=0.1)
    assert relative(Scheme("briggs", "norm", robust=-2.0)) == pytest.approx(relative(Scheme("uniform")), rel=1e-3)


@pytest.mark.parametrize("shape", [(36, 30), (37, 31), (36, 31), (37, 30)])
def test_channel_density_is_symmetric_and_rounds_to_cells(shape: tuple[int, int], coverage: Coverage) -> None:
    scheme = Scheme("uniform", per_channel=True)
    grid = UvGrid(*shape, GRID.dx, GRID.dy)
    u, v, weight = coverage.u, coverage.v, coverage.weight[:, 0]
    density = ChannelDensity(scheme, grid, [(u, v, FREQUENCY[0], weight)])
    found = density.weights(u, v, FREQUENCY[0], weight)
    mirrored = density.weights(-u, -v, FREQUENCY[0], weight)
    inside = (found > 0) & (mirrored > 0)
    assert inside.any()
    assert found[inside] == pytest.approx(mirrored[inside], rel=1e-6)
    su, sv = grid.scale
    i, j = (np.rint(-a * s * FREQUENCY[0] / LIGHT_SPEED) for a, s in ((u, su), (v, sv)))
    row = int(np.flatnonzero(inside)[0])
    same = inside & (((i == i[row]) & (j == j[row])) | ((i == -i[row]) & (j == -j[row])))
    times = 2 if i[row] == j[row] == 0 else 1
    assert found[row] == pytest.approx(weight[row] / (times * weight[same].sum()), rel=1e-6)


def test_channel_densities_are_looked_up_in_single_precision() -> None:
    """Where a visibility is so near to the edge of a cell that single precision has it in the next one."""
    grid = UvGrid(512, 512, -4.8e-7, 4.8e-7)
    inverse = np.float32(230e9 / LIGHT_SPEED)
    scale = grid.nx * grid.dx
    u = -(np.arange(-200, 200) + 0.5) / scale / float(inverse) * (1 + 1e-9 * np.linspace(-30, 30, 400))
    cells = [np.float32(np.float32(-one * float(inverse)) * np.float32(scale)) + np.float32(256) for one in u]
    expected = np.array([math.floor(cell + 0.5) for cell in map(float, cells)])
    exact = np.floor(-u * 230e9 / LIGHT_SPEED * scale + 256.5)
    assert 20 < (exact != expected).sum() < 380
    weight, v = np.ones(400, np.float32), np.zeros(400)
    centres = -(np.arange(512) - 256) / scale / (230e9 / LIGHT_SPEED)
    count = np.arange(1, 513, dtype=np.float32) ** 1.5  # with its mirror image unlike in all cells
    density = ChannelDensity(Scheme("uniform", per_channel=True), grid, [(centres, np.zeros(512), 230e9, count)])
    symmetric = count + np.concatenate([[0], count[:0:-1]])
    found = density.weights(u, v, 230e9, weight)
    assert found == pytest.approx(1 / symmetric[expected], rel=1e-6)


def test_absolute_weights_of_robust_zero_are_those_of_the_noise(coverage: Coverage) -> None:
    u, v, weight = coverage.u, coverage.v, coverage.weight[:, 0]
    scheme = Scheme("briggs", "abs", robust=0.0, noise=5.0, per_channel=True)
    found = ChannelDensity(scheme, GRID, [(u, v, FREQUENCY[0], weight)]).weights(u, v, FREQUENCY[0], weight)
    assert (found > 0).sum() > 100
    assert found[found > 0] == pytest.approx(weight[found > 0] / 50)


def test_bandwidth_taper_needs_a_bandwidth_to_act(coverage: Coverage) -> None:
    u, v, weight = coverage.u, coverage.v, coverage.weight[:, 0]
    found = {}
    for name, rmode, bandwidth in (("plain", "norm", 0.0), ("narrow", "bwtaper", 1e-9), ("wide", "bwtaper", 0.1)):
        scheme = Scheme("briggs", rmode, per_channel=True, fractional_bandwidth=bandwidth)
        found[name] = ChannelDensity(scheme, GRID, [(u, v, FREQUENCY[0], weight)]).weights(u, v, FREQUENCY[0], weight)
    assert found["narrow"] == pytest.approx(found["plain"], rel=1e-6)
    changed = found["plain"] > 0
    assert (found["wide"][changed] >= found["plain"][changed]).all()
    assert (found["wide"] > 1.01 * found["plain"])[changed].any()


def test_tapers_fall_to_one_half_where_they_should() -> None:
    taper = Taper.of_baselines(1000.0, 500.0, math.pi / 2)
    frequency = LIGHT_SPEED  # metres are wavelengths
    u, v = np.array([1000.0, 0.0]), np.array([0.0, 500.0])
    assert taper(u, v, frequency) == pytest.approx(0.5)
    beam = Taper.of_beam(1e-5, 1e-5, 0.0)  # a Gaussian of full width w has half width 2 ln2 / (pi w) in the uv plane
    assert beam(np.array([2 * math.log(2) / math.pi / 1e-5]), np.zeros(1), frequency) == pytest.approx(0.5)


def test_fractional_bandwidth_is_the_same_both_ways() -> None:
    assert fractional_bandwidth(220e9, 240e9) == fractional_bandwidth(240e9, 220e9) == pytest.approx(40 / 460)


@pytest.mark.parametrize(("pixels", "size"), [(100, 120), (512, 640), (1024, 1250), (90, 108), (4096, 5000), (64, 80)])
def test_padded_sizes_are_even_with_small_factors(pixels: int, size: int) -> None:
    assert padded_size(pixels) == size
