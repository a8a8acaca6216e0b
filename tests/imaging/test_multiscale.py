"""Multiscale in memory is a plain loop over all pixels to the last bit, and CASA's clean of the same planes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import PcleanConfig, SerialImager, report
from pcleantask.images.making import make_product
from pcleantask.images.pixels import read_channels, write_channels
from pcleantask.images.store import ImageStore
from pcleantask.imaging import multiscale
from pcleantask.imaging.deconvolver import Deconvolver
from pcleantask.imaging.hogbom import Step
from pcleantask.imaging.kept import Kept
from pcleantask.imaging.memory_deconvolver import MemoryDeconvolver
from pcleantask.imaging.multiscale import MultiscalePlane
from pcleantask.imaging.scales import PsfProducts, Scales, scale_plane
from pcleantask.imaging.tiles import Plane
from pcleantask.toolrecords import to_casa_decpars
from tests.agreement.cases import CUBE

GAIN = np.float32(0.1)
TOLERANCE = 1e-4  # of the peak: all is FFTs in single precision
DIRTY = {key: value for key, value in CUBE.items() if key != "imagename"}
CONTROLS = {
    "cycleniter": 200, "cyclethreshold": 0.0, "loopgain": 0.1, "nsigma": 0.0, "thresholdreached": False,
    "summaryrows": len(report.FULL_ROWS),
}  # fmt: skip


def make_psf(shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    """The transform of some visibilities, on a random part of the uv-plane."""
    y, x = (np.fft.fftfreq(size) for size in shape)
    coverage = np.exp(-((np.hypot(y[:, np.newaxis], x) / rng.uniform(0.1, 0.2)) ** 2)) * (rng.random(shape) < 0.3)
    coverage[0, 0] = 0
    psf = np.fft.fftshift(np.fft.fft2(coverage).real)
    return (psf / psf.max()).astype(np.float32)


def make_sky(psf: Plane, rng: np.random.Generator) -> Plane:
    """Points and blobs of either sign, seen with the PSF, and noise."""
    sky = np.zeros(psf.shape)
    for _ in range(rng.integers(3, 9)):
        where = [int(rng.integers(size // 5, size - size // 5)) - size // 2 for size in psf.shape]
        blob = scale_plane(psf.shape, float(rng.choice([0.0, 2.5, 6.0, 10.0])))
        sky += rng.uniform(-0.5, 2) * np.roll(blob, where, (0, 1)) * np.count_nonzero(blob) ** 0.7
    seen = np.fft.irfft2(np.fft.rfft2(sky) * np.fft.rfft2(np.fft.ifftshift(psf)), psf.shape)
    return (seen + 0.002 * rng.standard_normal(psf.shape)).astype(np.float32)


def make_mask(shape: tuple[int, int], rng: np.random.Generator) -> Plane | None:
    """None, or ones in some boxes and discs."""
    if rng.random() < 0.4:
        return None
    y, x = np.indices(shape)
    mask = np.zeros(shape, bool)
    for _ in range(rng.integers(1, 4)):
        centre, reach = rng.uniform(0.2, 0.8, 2) * shape, rng.uniform(0.1, 0.4, 2) * shape
        offset = np.abs(y - centre[0]) / reach[0], np.abs(x - centre[1]) / reach[1]
        mask |= np.maximum(*offset) < 1 if rng.random() < 0.5 else np.hypot(*offset) < 1
    return mask.astype(np.float32)


def plain_multiscale(
    residual: Plane, products: PsfProducts, scales: Scales, places: np.ndarray, biases: list[float], niter: int
) -> list[tuple[int, int, int, np.float32]]:
    """The components (scale, y, x, flux) of a loop that looks at all pixels of all scales each time."""
    planes = [plane.copy() for plane in scales.smooth(residual)]
    (ny, nx), (hy, hx) = residual.shape, (size // 2 for size in residual.shape)
    found = []
    for _ in range(niter):
        best = (np.float32(0), 0, 0, 0, np.float32(0))
        for scale, (plane, inside) in enumerate(zip(planes, places, strict=True)):
            y, x = np.unravel_index(np.abs(plane * inside).argmax(), plane.shape)
            value, bias = plane[y, x] * inside[y, x], np.float32(biases[scale])
            merit = value / products.smoothed[scale, scale].max() * bias * value
            if merit > best[0]:
                best = merit, scale, y, x, merit / bias / value
        _, chosen, y, x, strength = best
        flux = GAIN * strength
        found.append((chosen, int(y), int(x), flux))
        rows, columns = slice(max(0, y - hy), min(ny, y + hy)), slice(max(0, x - hx), min(nx, x + hx))
        for scale, plane in enumerate(planes):
            response = products.smoothed[min(scale, chosen), max(scale, chosen)]
            cut = response[rows.start - y + hy : rows.stop - y + hy, columns.start - x + hx : columns.stop - x + hx]
            plane[rows, columns] -= flux * cut
    return found


@pytest.mark.parametrize("tile", [(8, 16), (20, 512), (512, 512)])
@pytest.mark.parametrize(("seed", "bias"), [(1, 0.0), (2, 0.5), (3, -0.5)])
def test_components_are_those_of_a_plain_loop(
    monkeypatch: pytest.MonkeyPatch, tile: tuple[int, int], seed: int, bias: float
) -> None:
    monkeypatch.setattr(multiscale, "TILE", tile)
    rng = np.random.default_rng(seed)
    psf = make_psf((90, 76), rng)
    residual, mask = make_sky(psf, rng), make_mask(psf.shape, rng)
    scales = Scales(psf.shape, (0, 3, 8))
    products, places = scales.products(psf), scales.places(mask)
    plane = MultiscalePlane(residual.copy(), np.zeros_like(psf), products, scales, bias, mask, places)
    added = []
    monkeypatch.setattr(
        MultiscalePlane, "_add", lambda self, found, flux: added.append((found.scale, found.y, found.x, flux))
    )
    plane.take_step(GAIN, 150, np.float32(0))
    expected = plain_multiscale(residual, products, scales, places, [1, 1 - bias * 3 / 8, 1 - bias], 150)
    assert [component[:3] for component in added] == [component[:3] for component in expected]
    np.testing.assert_allclose([component[3] for component in added], [component[3] for component in expected], 1e-4)
    assert len({component[0] for component in expected}) > 1


def test_second_step_goes_on_and_its_residual_lacks_the_first_as_in_casa() -> None:
    rng = np.random.default_rng(5)
    psf = make_psf((64, 50), rng)
    residual, scales = make_sky(psf, rng), Scales((64, 50), (0, 4))
    products, places = scales.products(psf), scales.places(None)
    once, twice = (MultiscalePlane(residual, np.zeros_like(psf), products, scales, 0.0, None, places) for _ in range(2))
    once.take_step(GAIN, 40, np.float32(0))
    twice.take_step(GAIN, 20, np.float32(0))
    first = twice.model.copy()
    step = twice.take_step(GAIN, 20, np.float32(0))
    np.testing.assert_array_equal(twice.model, once.model)
    seen = np.fft.irfft2(np.fft.rfft2(twice.model - first) * np.fft.rfft2(np.fft.ifftshift(psf)), psf.shape)
    np.testing.assert_allclose(twice.residual, residual - seen, 0, 1e-5)
    assert step == Step(20, float(np.abs(twice.residual).max()))


@pytest.mark.parametrize("hidden", ["mask", "psf", "residual"])
def test_plane_that_cannot_be_cleaned_is_left(hidden: str) -> None:
    rng = np.random.default_rng(6)
    psf = make_psf((64, 50), rng)
    residual, mask = make_sky(psf, rng), np.full((64, 50), 0.5 if hidden == "mask" else 1.0, np.float32)
    if hidden == "residual":
        residual[3, 4] = np.nan
    scales, model = Scales((64, 50), (0, 4)), np.zeros_like(psf)
    products = scales.products(-psf if hidden == "psf" else psf)
    plane = MultiscalePlane(residual, model, products, scales, 0.0, mask, scales.places(mask))
    assert plane.take_step(GAIN, 20, np.float32(0)).iterations == 0
    assert not model.any()


@dataclass(frozen=True)
class Drawn:
    """What is cleaned: scales, their bias, and planes [chan] of PSF, residual and, or not, mask."""

    sizes: list[float]
    bias: float
    psfs: list[Plane]
    residuals: list[Plane]
    masks: list[Plane] | None


def draw(seed: int, shape: tuple[int, int], nchan: int) -> Drawn:
    rng = np.random.default_rng(seed)
    psfs = [make_psf(shape, rng) for _ in range(nchan)]
    masks = [make_mask(shape, rng) for _ in psfs]
    ones = np.ones(shape, np.float32)
    return Drawn(
        sizes=sorted(rng.choice([0, 2, 4, 7.5, 10, 14], rng.integers(1, 5), replace=False).tolist()),
        bias=float(rng.choice([0.0, 0.6, -0.5, 1.0])),
        psfs=psfs,
        residuals=[make_sky(psf, rng) for psf in psfs],
        masks=None if masks[0] is None else [ones if mask is None else mask for mask in masks],
    )


class Planes:
    """Dirty images of some shape, in which those that are drawn are put; and the cleans of them on either side."""

    def __init__(self, folder: Path, vis: Path, shape: tuple[int, int], nchan: int) -> None:
        self.folder, self.shape, self.nchan = folder, shape, nchan
        folder.mkdir()
        self._asked = {**DIRTY, "vis": str(vis), "nchan": nchan, "imsize": [shape[1], shape[0]], "niter": 0}
        name = str(folder / "img")
        config = PcleanConfig.from_parameters(**self._asked, imagename=name, restoration=False)
        with SerialImager(config) as imager:
            imager.run()

    def clean(self, drawn: Drawn, controls: dict[str, Any], *, in_memory: bool) -> tuple[dict[str, Any], Plane, Plane]:
        """The record of a minor cycle, the model and the residual [chan, y, x]."""
        folder = self.folder.parent / "clean"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        name = str(folder / "img")
        for suffix, planes in (("psf", drawn.psfs), ("residual", drawn.residuals), ("mask", drawn.masks)):
            if planes is not None:
                if suffix == "mask":
                    make_product(name, suffix)
                write_channels(f"{name}.{suffix}", np.stack(planes)[:, np.newaxis])
        asked = {**self._asked, "imagename": name, "deconvolver": "multiscale", "scales": drawn.sizes}
        config = PcleanConfig.from_parameters(**asked, smallscalebias=drawn.bias, fullsummary=True)
        decpars = to_casa_decpars(config, config.fields[0], name, 0)
        cleaner: Any = Deconvolver(name, decpars)
        if in_memory:
            cleaner = MemoryDeconvolver(name, decpars, keeps_residual=True, store=ImageStore())
        cleaner.init_record()
        cleaner.setup_mask()
        cleaner.init_record()
        record = cleaner.minor_cycle(controls)
        cleaner.close()
        model, residual = (read_channels(f"{name}.{suffix}", 0, self.nchan)[:, 0] for suffix in ("model", "residual"))
        return record, model, residual


@pytest.fixture(scope="module")
def dirty(session_dir: Path, line_ms: Path) -> Callable[[tuple[int, int], int], Planes]:
    """dirty(shape, nchan) is where planes of that shape are cleaned, made when first asked for."""
    made: dict[tuple[tuple[int, int], int], Planes] = {}

    def make(shape: tuple[int, int], nchan: int) -> Planes:
        if (shape, nchan) not in made:
            folder = session_dir / f"planes{len(made)}"
            folder.mkdir()
            made[shape, nchan] = Planes(folder / "dirty", line_ms, shape, nchan)
        return made[shape, nchan]

    return make


@pytest.mark.parametrize(
    ("seeds", "shape", "nchan"),
    [
        pytest.param(range(3), (90, 72), 2, id="cube"),
        pytest.param(range(10, 22), (128, 128), 1, id="plane", marks=pytest.mark.long),
        pytest.param(range(30, 42), (60, 100), 3, id="larger-cube", marks=pytest.mark.long),
        pytest.param(range(50, 62), (40, 40), 1, id="scales-beyond-the-plane", marks=pytest.mark.long),
    ],
)
def test_clean_of_planes_drawn_at_random_is_that_of_casa(
    request: pytest.FixtureRequest, dirty: Callable[[tuple[int, int], int], Planes], seeds: range,
    shape: tuple[int, int], nchan: int,
) -> None:  # fmt: skip
    asked = request.config.getoption("--seed")
    cleaned = 0
    for seed in seeds if asked is None else [asked]:
        drawn = draw(seed, shape, nchan)
        expected, found = (dirty(shape, nchan).clean(drawn, CONTROLS, in_memory=side) for side in (False, True))
        cleaned += found[0]["iterdone"]
        summaries = found[0]["summaryminor"], expected[0]["summaryminor"]
        np.testing.assert_allclose(*summaries, TOLERANCE, TOLERANCE, err_msg=f"--seed {seed}")
        for one, other in zip(expected[1:], found[1:], strict=True):
            np.testing.assert_allclose(other, one, 0, TOLERANCE * np.abs(one).max(), err_msg=f"--seed {seed}")
    assert asked is not None or cleaned > 100 * len(seeds)


@pytest.mark.long
def test_each_of_200_components_is_that_of_casa(
    monkeypatch: pytest.MonkeyPatch, dirty: Callable[[tuple[int, int], int], Planes]
) -> None:
    planes, drawn = dirty((90, 72), 1), replace(draw(3, (90, 72), 1), sizes=[0, 4, 9], bias=0.2)
    chosen, add = [], MultiscalePlane._add
    monkeypatch.setattr(
        MultiscalePlane, "_add", lambda self, found, flux: (chosen.append(found), add(self, found, flux))
    )
    planes.clean(drawn, CONTROLS, in_memory=True)
    images = Scales((90, 72), drawn.sizes).images
    former = np.zeros((90, 72), np.float32)
    for niter, (scale, y, x, strength, _) in enumerate(chosen, 1):
        model = planes.clean(drawn, {**CONTROLS, "cycleniter": niter}, in_memory=False)[1][0]
        expected, half = np.zeros_like(model), images[scale].shape[0] // 2
        expected[y - half : y + half + 1, x - half : x + half + 1] = GAIN * strength * images[scale]
        np.testing.assert_allclose(model - former, expected, 0, TOLERANCE * np.abs(model).max())
        former = model
    assert len(chosen) == 200
    assert {component.scale for component in chosen} == {0, 1, 2}


def test_products_are_kept_for_a_version_and_within_the_limit() -> None:
    made: list[np.ndarray] = []

    def make() -> np.ndarray:
        made.append(np.zeros(10))
        return made[-1]

    kept: Kept[np.ndarray] = Kept(limit=170)
    first, second = (kept.get(key, 1, make) for key in "ab")
    assert kept.get("a", 1, make) is first
    third = kept.get("c", 1, make)  # beyond the limit
    assert [kept.get(key, 1, make) is value for key, value in (("b", second), ("c", third))] == [True, False]
    assert kept.get("a", 2, make) is not first
    assert len(made) == 5


def test_scale_is_a_tapered_parabola_of_sum_one() -> None:
    plane = scale_plane((40, 41), 6.0)
    assert plane.sum() == pytest.approx(1, abs=1e-6)
    assert np.unravel_index(plane.argmax(), plane.shape) == (20, 20)
    assert set(np.flatnonzero(plane.any(axis=1))) == set(range(15, 26))
    np.testing.assert_array_equal(plane[1:], plane[:0:-1])


def test_places_are_away_from_edges_and_from_the_edges_of_the_mask() -> None:
    mask = np.zeros((60, 60), np.float32)
    mask[10:50, 1:30] = 1
    points, large = Scales((60, 60), (0, 8)).places(mask)
    np.testing.assert_array_equal(points, mask > 0)
    assert not large[:, :13].any()
    assert large[30, 20]
    assert not large[30, 28]
    points, large = Scales((60, 60), (0, 20)).places(None)
    assert points.sum() == 58**2
    assert not large.any()
