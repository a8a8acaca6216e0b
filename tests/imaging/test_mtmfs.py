"""Taylor terms in memory: CASA's clean of the same planes, and a plain loop over all pixels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import PcleanConfig, SerialImager, report
from pcleantask.errors import ImagingError
from pcleantask.images.making import make_product
from pcleantask.images.pixels import read_channels, write_channels
from pcleantask.images.store import ImageStore
from pcleantask.imaging.deconvolver import Deconvolver
from pcleantask.imaging.mtmfs import MtmfsPlane, inverted, patch_side, term_places, term_products, usable_scales
from pcleantask.imaging.multiterm_deconvolver import MultiTermMemoryDeconvolver
from pcleantask.imaging.scales import Scales, scale_plane
from pcleantask.imaging.tiles import Plane
from pcleantask.toolrecords import to_casa_decpars
from tests.agreement.cases import MFS
from tests.imaging.test_multiscale import make_mask

TOLERANCE = 1e-4  # of the peak, for each Taylor term less: all is FFTs in single precision, and solved for the terms
LOSS = 10
DIRTY = {key: value for key, value in MFS.items() if key != "imagename"}
CONTROLS = {
    "cycleniter": 200, "cyclethreshold": 0.0, "loopgain": 0.1, "nsigma": 0.0, "thresholdreached": False,
    "summaryrows": len(report.FULL_ROWS),
}  # fmt: skip
OFFSETS = np.linspace(-0.3, 0.3, 6)  # (nu - reffreq) / reffreq of the channels


@dataclass(frozen=True)
class Drawn:
    """What is cleaned: scales, their bias, the gain, PSFs by order, residuals by term, and a mask or none."""

    sizes: list[float]
    bias: float
    gain: float
    psfs: list[Plane]
    residuals: list[Plane]
    mask: Plane | None


def draw(seed: int, shape: tuple[int, int], nterms: int) -> Drawn:
    """PSFs of a random coverage in each channel, and a sky of points and blobs of random spectra, seen with it."""
    rng = np.random.default_rng(seed)
    lengths = np.hypot(*np.meshgrid(*(np.fft.fftfreq(size) for size in shape), indexing="ij")) / rng.uniform(0.1, 0.2)
    coverages = [np.exp(-((lengths / (1 + w)) ** 2)) * (rng.random(shape) < 0.4) * (lengths > 0) for w in OFFSETS]
    beams = [np.fft.fft2(coverage).real for coverage in coverages]
    peak = sum(beams).max()
    sky = np.zeros((nterms, *shape))
    for _ in range(rng.integers(3, 9)):
        where = [int(rng.integers(size // 5, size - size // 5)) - size // 2 for size in shape]
        blob = scale_plane(shape, float(rng.choice([0.0, 2.5, 6.0])))
        flux = rng.uniform(-0.5, 2) * np.count_nonzero(blob) ** 0.7
        sky += (
            flux * rng.uniform(-1, 1, (nterms, 1, 1)) ** np.arange(nterms)[:, None, None] * np.roll(blob, where, (0, 1))
        )
    seen = [
        np.fft.irfft2(sum(np.fft.rfft2(term) * w**order for order, term in enumerate(sky)) * np.fft.rfft2(beam), shape)
        for w, beam in zip(OFFSETS, beams, strict=True)
    ]

    def moment(planes: list[np.ndarray], order: int) -> np.ndarray:
        return sum(plane * w**order for plane, w in zip(planes, OFFSETS, strict=True)) / peak

    noise = 0.002 * rng.standard_normal((nterms, *shape)) * (0.3 ** np.arange(nterms))[:, None, None]
    return Drawn(
        sizes=sorted(rng.choice([0, 2, 4, 7.5, 10], rng.integers(1, 4), replace=False).tolist()),
        bias=float(rng.choice([0.0, 0.6, -0.5, 1.0])),
        gain=float(rng.choice([0.05, 0.1, 0.3])),
        psfs=[np.fft.fftshift(moment(beams, order)).astype(np.float32) for order in range(2 * nterms - 1)],
        residuals=[(moment(seen, term) + noise[term]).astype(np.float32) for term in range(nterms)],
        mask=make_mask(shape, rng),
    )


def plain_components(drawn: Drawn, niter: int) -> list[tuple[int, int, int, np.ndarray]]:
    """(scale, y, x, fluxes) of a loop that looks at all pixels of all scales each time, in double precision."""
    shape = drawn.psfs[0].shape
    scales, nterms = Scales(shape, drawn.sizes), len(drawn.residuals)
    half = patch_side(shape, drawn.sizes[-1]) // 2
    places = term_places(scales, drawn.mask)
    responses = [dict(scales.products(psf).smoothed) for psf in drawn.psfs]
    (cy, cx), orders = (size // 2 for size in shape), np.add.outer(np.arange(nterms), np.arange(nterms))
    planes = [np.array(planes, float) for planes in zip(*map(scales.smooth, drawn.residuals), strict=True)]
    peaks = [np.array([own[scale, scale][cy, cx] for own in responses]) for scale in range(len(drawn.sizes))]
    inverses = [np.linalg.inv(own[orders]) for own in peaks]
    found = []
    for _ in range(niter):
        best = (-np.inf, 0, 0, 0, np.zeros(nterms))
        for scale, (own, inverse, inside) in enumerate(zip(planes, inverses, places, strict=True)):
            coefficients = np.tensordot(inverse, own, 1)
            merits = (coefficients * own).sum(axis=0) * inside
            y, x = np.unravel_index(merits.argmax(), shape)
            merit = merits[y, x] * scales.biases(drawn.bias)[scale]
            if merit > best[0]:
                best = merit, scale, y, x, coefficients[:, y, x]
        _, chosen, y, x, coefficients = best
        found.append((chosen, int(y), int(x), drawn.gain * coefficients))
        rows, columns = (slice(max(0, at - half), min(size, at + half)) for at, size in zip((y, x), shape, strict=True))
        cut = slice(rows.start - y + cy, rows.stop - y + cy), slice(columns.start - x + cx, columns.stop - x + cx)
        for scale, own in enumerate(planes):
            pair = min(scale, chosen), max(scale, chosen)
            for term, other in np.ndindex(nterms, nterms):
                own[term][rows, columns] -= found[-1][3][other] * responses[term + other][pair][cut]
    return found


@pytest.mark.parametrize(("seed", "shape", "nterms"), [(1, (120, 100), 2), (2, (90, 97), 3), (4, (101, 99), 1)])
def test_components_are_those_of_a_plain_loop(
    monkeypatch: pytest.MonkeyPatch, seed: int, shape: tuple[int, int], nterms: int
) -> None:
    drawn = draw(seed, shape, nterms)
    scales = Scales(shape, drawn.sizes)
    products = term_products(drawn.psfs, scales)
    residual, places = np.stack(drawn.residuals), term_places(scales, drawn.mask)
    plane = MtmfsPlane(residual, np.zeros_like(residual), products, scales, drawn.bias, drawn.mask, places)
    chosen, subtract = [], MtmfsPlane._subtract
    monkeypatch.setattr(
        MtmfsPlane, "_subtract", lambda self, found, gain: (chosen.append(found), subtract(self, found, gain))
    )
    plane.take_step(np.float32(drawn.gain), 100, np.float32(0))
    expected = plain_components(drawn, 100)
    assert [component[:3] for component in chosen] == [component[:3] for component in expected]
    fluxes = [drawn.gain * component.coefficients for component in chosen]
    wanted = np.array([component[3] for component in expected])
    highest = np.abs(wanted).max(axis=0)
    np.testing.assert_allclose(fluxes / highest, wanted / highest, 0, TOLERANCE)
    assert len({component[1:3] for component in expected}) > 3


class Planes:
    """Dirty Taylor terms of some shape, in which those that are drawn are put; and their cleans on either side."""

    def __init__(self, folder: Path, vis: Path, shape: tuple[int, int], nterms: int) -> None:
        self.folder, self.shape, self.nterms = folder, shape, nterms
        folder.mkdir()
        imsize = [shape[1], shape[0]]
        self._asked = {**DIRTY, "vis": str(vis), "imsize": imsize, "deconvolver": "mtmfs", "nterms": nterms, "niter": 0}
        config = PcleanConfig.from_parameters(**self._asked, imagename=str(folder / "img"), restoration=False)
        with SerialImager(config) as imager:
            imager.run()

    def clean(self, drawn: Drawn, *, in_memory: bool) -> tuple[dict[str, Any], list[Plane], list[Plane]]:
        """The record of a minor cycle, and the models and residuals of the terms."""
        folder = self.folder.parent / "clean"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        name = str(folder / "img")
        images = [(f"psf.tt{order}", psf) for order, psf in enumerate(drawn.psfs)]
        images += [(f"residual.tt{term}", residual) for term, residual in enumerate(drawn.residuals)]
        if drawn.mask is not None:
            make_product(name, "mask")
            images.append(("mask", drawn.mask))
        for suffix, plane in images:
            write_channels(f"{name}.{suffix}", plane[np.newaxis, np.newaxis])
        asked = {**self._asked, "imagename": name, "scales": drawn.sizes, "smallscalebias": drawn.bias}
        config = PcleanConfig.from_parameters(**asked, fullsummary=True)
        decpars = to_casa_decpars(config, config.fields[0], name, 0)
        cleaner: Any = Deconvolver(name, decpars)
        if in_memory:
            cleaner = MultiTermMemoryDeconvolver(name, decpars, keeps_residual=True, store=ImageStore())
        cleaner.init_record()
        cleaner.setup_mask()
        cleaner.init_record()
        record = cleaner.minor_cycle({**CONTROLS, "loopgain": drawn.gain})
        cleaner.close()
        models, residuals = (
            [read_channels(f"{name}.{kind}.tt{term}", 0, 1)[0, 0] for term in range(self.nterms)]
            for kind in ("model", "residual")
        )
        return record, models, residuals


@pytest.fixture(scope="module")
def dirty(session_dir: Path, continuum_ms: Path) -> Callable[[tuple[int, int], int], Planes]:
    """dirty(shape, nterms) is where planes of that shape are cleaned, made when first asked for."""
    made: dict[tuple[tuple[int, int], int], Planes] = {}

    def make(shape: tuple[int, int], nterms: int) -> Planes:
        if (shape, nterms) not in made:
            folder = session_dir / f"terms{len(made)}"
            folder.mkdir()
            made[shape, nterms] = Planes(folder / "dirty", continuum_ms, shape, nterms)
        return made[shape, nterms]

    return make


LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("seeds", "shape", "nterms"),
    [
        pytest.param(range(3), (90, 100), 2, id="two-terms"),
        pytest.param(range(10, 22), (128, 128), 2, id="plane", marks=LONG),
        pytest.param(range(30, 42), (150, 100), 3, id="three-terms", marks=LONG),
        pytest.param(range(50, 58), (96, 96), 4, id="four-terms", marks=LONG),
        pytest.param(range(70, 78), (100, 128), 1, id="one-term", marks=LONG),
        pytest.param(range(90, 98), (16, 20), 2, id="scales-beyond-the-plane", marks=LONG),
    ],
)
def test_clean_of_planes_drawn_at_random_is_that_of_casa(
    request: pytest.FixtureRequest, dirty: Callable[[tuple[int, int], int], Planes], seeds: range,
    shape: tuple[int, int], nterms: int,
) -> None:  # fmt: skip
    asked = request.config.getoption("--seed")
    cleaned = 0
    for seed in seeds if asked is None else [asked]:
        drawn = draw(seed, shape, nterms)
        expected, found = (dirty(shape, nterms).clean(drawn, in_memory=side) for side in (False, True))
        cleaned += found[0]["iterdone"]
        allowed = TOLERANCE * LOSS ** max(0, nterms - 2)
        summaries = found[0]["summaryminor"], expected[0]["summaryminor"]
        np.testing.assert_allclose(*summaries, allowed, allowed, err_msg=f"--seed {seed}")
        for one, other in zip([*expected[1], *expected[2]], [*found[1], *found[2]], strict=True):
            np.testing.assert_allclose(other, one, 0, allowed * np.abs(one).max(), err_msg=f"--seed {seed}")
    assert asked is not None or cleaned > 100 * len(seeds)


def test_scales_that_do_not_fit_are_left_out() -> None:
    assert usable_scales((100, 61), (0, 30, 31)) == (0, 30)
    assert usable_scales((100, 61), ()) == (0,)


def test_patch_is_even_and_no_larger_than_the_plane() -> None:
    assert [patch_side((1000, 1001), size) for size in (0, 5, 15)] == [80, 128, 310]
    assert patch_side((1000, 701), 200) == 700


@pytest.mark.parametrize("hessian", [[[1, 0.1], [0.1, 0.01]], [[1, 0], [0, 0]], [[1, 2], [2, 1]]])
def test_terms_that_data_do_not_tell_apart_are_refused(hessian: list[list[float]]) -> None:
    with pytest.raises(ImagingError, match="2 Taylor terms"):
        inverted(np.array(hessian, np.float32))
    np.testing.assert_allclose(inverted(np.array([[4]], np.float32)), [[0.25]])
