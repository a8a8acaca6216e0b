"""Clean of the Taylor terms of one plane in memory (MT-MFS), component for component as CASA's. Arrays only.

Arrays are [y, x] in C order, the transpose of an image plane as casacore stores it: of equal peaks CASA takes the first
in that order. A component has a place, a scale, and a flux in each Taylor term.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy  # its submodules, which take 0.2 s to load, are loaded when they are used
from numpy.typing import NDArray

from ..errors import ImagingError
from .hogbom import Step
from .scales import Inside, Scales, Transform
from .tiles import Pair, Plane, overlap

Planes = NDArray[np.float32]  # [term, y, x]
Box = tuple[slice, slice]

MASK_LEVEL = np.float32(0.1)  # of a smoothed mask, above which components may lie
LOBE = 4.0  # pixels of a PSF's main lobe, as CASA takes it
LOBES = 20  # of the largest scale seen with such a PSF, along a side of the patch
LEAST_DIFFERENCE = 1e-4  # between the ratios of two rows of a Hessian
BLOCK = 1 << 15  # pixels that are worked on at a time, so that they stay in the cache


class TermProducts(NamedTuple):
    """What a clean of Taylor terms needs of PSFs.

    Attributes
    ----------
    responses : dict
        (scale, scale) -> the PSFs smoothed with both, float32 [order, y, x], a patch around the centre of each: term
        i answers to a component's term j by that of order i + j. The second scale is not before the first.
    inverses : float32 [scale, term, term]
        Of the Hessians, which are the responses' peaks for two terms of the same scale.
    norm : float32
        One over the peak of the first response.
    transforms : complex64 [order, y, x // 2 + 1]
        The PSFs' Fourier transforms.
    """

    responses: dict[Pair, Planes]
    inverses: NDArray[np.float32]
    norm: np.float32
    transforms: NDArray[np.complex64]

    @property
    def nbytes(self) -> int:
        return self.transforms.nbytes + sum(patches.nbytes for patches in self.responses.values())


def usable_scales(shape: Pair, sizes: Sequence[float]) -> tuple[float, ...]:
    """The scales that fit into half a plane; follows MultiTermMatrixCleaner::verifyScaleSizes."""
    return tuple(size for size in sizes or (0.0,) if size <= min(shape) // 2)


def patch_side(shape: Pair, largest: float) -> int:
    """Side of the patch in which a component is subtracted; follows MatrixCleaner::findBeamPatch [pixel]."""
    side = int(np.hypot(LOBE, largest) * LOBES)
    side = min(shape) if side > min(shape) else side
    return side - side % 2


def term_products(psfs: Sequence[Plane], scales: Scales) -> TermProducts:
    """Of PSFs of orders 0, 1, ..., float32 [y, x] with their centres at (ny // 2, nx // 2).

    Follows MultiTermMatrixCleaner::computeHessianPeak (casatools 6.7).

    Raises
    ------
    ImagingError
        The visibilities don't tell as many Taylor terms apart.
    """
    side = patch_side(scales.shape, scales.sizes[-1])
    patch = tuple(slice(size // 2 - side // 2, size // 2 + side // 2) for size in scales.shape)
    found: dict[Pair, list[Plane]] = {}
    transforms = np.stack([scipy.fft.rfft2(psf) for psf in psfs])
    for psf, transform in zip(psfs, transforms, strict=True):
        for pair, smoothed in scales.by_pairs(psf, transform):
            found.setdefault(pair, []).append(smoothed[patch].copy())
    responses = {pair: np.stack(patches) for pair, patches in found.items()}
    orders = np.add.outer(*[np.arange((len(psfs) + 1) // 2)] * 2)
    peaks = [responses[scale, scale][:, side // 2, side // 2] for scale in range(len(scales.sizes))]
    inverses = np.array([inverted(own[orders]) for own in peaks], np.float32)
    return TermProducts(responses, inverses, np.float32(1 / np.float64(peaks[0][0])), transforms)


def inverted(hessian: NDArray[np.float32]) -> NDArray[np.float64]:
    """The inverse of a Hessian [term, term].

    Raises
    ------
    ImagingError
        It has none, or next to none: the visibilities don't tell the Taylor terms apart.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = hessian[:-1] / hessian[1:]
    differences = np.abs(np.diff(ratios, axis=1)).sum(axis=1) / max(1, len(ratios))
    try:
        if not hessian.diagonal().all() or (differences < LEAST_DIFFERENCE).any():
            raise np.linalg.LinAlgError("rows are alike, or zero")
        np.linalg.cholesky(hessian.astype(np.float64))
    except np.linalg.LinAlgError as error:
        raise ImagingError(
            f"the data can't tell {len(hessian)} Taylor terms apart, as their Hessian can't be inverted ({error}): "
            f"lower nterms, or select a wider band"
        ) from error
    return np.linalg.inv(hessian.astype(np.float64))


class _Choice(NamedTuple):
    """The best component: where, of which scale, and the coefficients of its terms."""

    scale: int
    y: int
    x: int
    coefficients: NDArray[np.float32]


class MtmfsPlane:
    """Clean of the Taylor terms of one plane.

    The component is sought that lowers chi^2 most: at each pixel and scale the terms' coefficients are the Hessian's
    inverse times the residuals. It is subtracted within a patch around it, and what is known of other pixels stays;
    after a step all components are subtracted from the residual everywhere.
    Follows MultiTermMatrixCleaner::mtclean and SDAlgorithmMSMFS::takeOneStep (casatools 6.7): components are the same
    as far as FFTs in single precision round alike. Unlike CASA's, they are right along axes of odd size, where CASA's
    Hessian is off the peak; and each polarisation has its own PSFs, for which CASA takes the first one's.

    Parameters
    ----------
    residual, model
        float32 [term, y, x], [Jy/beam] and [Jy/pixel]; both are changed.
    products
        Of the PSFs, by `term_products`.
    scales
        Of planes of this shape, the first of which decides when to stop.
    smallscalebias
        -1 to 1: how much small scales are preferred; values beyond are taken as these.
    mask
        float32 [y, x], a weight for the peak that is reported; None: all ones.
    places
        Where components of each scale may lie, by `term_places`.
    """

    def __init__(
        self, residual: Planes, model: Planes, products: TermProducts, scales: Scales, smallscalebias: float,
        mask: Plane | None, places: Inside,
    ) -> None:  # fmt: skip
        self.residual, self.model = residual, model
        self._first_model, self._mask = model.copy(), mask
        self._behind: list[Transform] = []  # of what is to be subtracted from the terms after the first
        self._products, self._scales = products, scales
        self._biases = scales.biases(smallscalebias)
        self._inside = [None if inside.all() else inside for inside in places]
        self._smoothed: list[_SmoothedTerms] = []
        self._brightness: _Levels

    def take_step(self, gain: np.float32, niter: int, threshold: np.float32) -> Step:
        """Clean until the peak of the first term is below `threshold` [Jy/beam], or through `niter` iterations.

        As in CASA a second step subtracts the first one's components once more from the residual that it leaves.
        """
        self.finish()
        self._smooth()
        number = 0
        while number < niter and not self._peak() < threshold:
            self._subtract(self._best(), gain)
            number += 1
        if number:
            self._behind = [scipy.fft.rfft2(plane) for plane in self.model - self._first_model]
            self._subtract_responses(0)
        product = self.residual[0] if self._mask is None else self.residual[0] * self._mask
        return Step(number, max(float(product.max()), -float(product.min())))

    def finish(self) -> None:
        """Bring the residuals of the terms after the first up to date."""
        if self._behind:
            for term in range(1, len(self.residual)):
                self._subtract_responses(term)
        self._behind = []

    def _subtract_responses(self, term: int) -> None:
        """Subtract the responses to the model's change from the residual of a term."""
        total = sum(self._products.transforms[term + other] * own for other, own in enumerate(self._behind))
        shifted = scipy.fft.irfft2(total, self.model.shape[1:], overwrite_x=True)
        self.residual[term] -= np.roll(shifted, [-(size // 2) for size in shifted.shape], (0, 1))

    def _smooth(self) -> None:
        """Smooth the residuals with each scale."""
        by_terms = [[np.array(own) for own in self._scales.smooth(plane)] for plane in self.residual]
        self._smoothed = [
            _SmoothedTerms(list(planes), inverse, inside)
            for planes, inverse, inside in zip(
                zip(*by_terms, strict=True), self._products.inverses, self._inside, strict=True
            )
        ]
        self._brightness = _Levels(self._smoothed[0].terms[0].shape)
        self._look_at_brightness((slice(None), slice(None)))

    def _peak(self) -> np.float32:
        """Peak |residual| of the first term and scale within the mask, over the PSF's peak [Jy/beam]."""
        return self._brightness.peak * self._products.norm

    def _look_at_brightness(self, box: Box) -> None:
        levels = np.abs(self._smoothed[0].terms[0][box])
        _clear_outside(levels, self._inside[0], box)
        self._brightness.put(box, levels)

    def _best(self) -> _Choice:
        """The component that lowers chi^2 most, weighed with the scales' biases; of equal ones the first scale's."""
        best, highest = None, np.float32(-np.inf)
        for scale, smoothed in enumerate(self._smoothed):
            y, x = smoothed.merits.place
            coefficients, merit = smoothed.solution(y, x)
            weighed = merit * self._biases[scale]
            if best is None or weighed > highest:
                best, highest = _Choice(scale, y, x, coefficients), weighed
        assert best is not None
        return best

    def _subtract(self, found: _Choice, gain: np.float32) -> None:
        """Add a component to the model, and subtract it from the residual at all scales."""
        fluxes = gain * found.coefficients
        image = self._scales.images[found.scale]
        box, cut = _overlaps((found.y, found.x), self.model.shape[1:], image.shape)
        for plane, flux in zip(self.model, fluxes, strict=True):
            plane[box] += image[cut] * flux
        for scale, smoothed in enumerate(self._smoothed):
            responses = self._products.responses[min(scale, found.scale), max(scale, found.scale)]
            box, cut = _overlaps((found.y, found.x), self.model.shape[1:], responses.shape[1:])
            smoothed.subtract(fluxes, responses[(slice(None), *cut)], box)
            if scale == 0:
                self._look_at_brightness(box)


def principal_solution(residuals: Sequence[Plane], products: TermProducts) -> list[Plane]:
    """The coefficients of the terms at the first scale, which restored images have in place of the residuals.

    Follows MultiTermMatrixCleaner::computeprincipalsolution (casatools 6.7).
    """
    return [_dot(row, residuals) for row in products.inverses[0]]


def term_places(scales: Scales, mask: Plane | None) -> Inside:
    """For each scale where its components may lie, bool [scale, y, x].

    Follows MultiTermMatrixCleaner::setupUserMask (casatools 6.7): those of the first scale may lie at the edges.
    """
    return scales.places(mask, MASK_LEVEL, reaches_edge=True)


class _Levels:
    """Values [y, x] that are not negative, with the highest of each row; it is told where they change."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._values = np.zeros(shape, np.float32)
        self._highest = np.zeros(shape[0], np.float32)

    def put(self, box: Box, values: Plane) -> None:
        self._values[box] = values
        self._highest[box[0]] = self._values[box[0]].max(axis=1)

    @property
    def peak(self) -> np.float32:
        return np.float32(self._highest.max())

    @property
    def place(self) -> Pair:
        """(y, x) of the first of the highest."""
        y = int(self._highest.argmax())
        return y, int(self._values[y].argmax())


class _SmoothedTerms:
    """The residuals of all terms at one scale, and by how much a component at each pixel would lower chi^2.

    Parameters
    ----------
    terms
        float32 [y, x] for each term; they are changed.
    inverse
        Of the Hessian, float32 [term, term].
    inside
        bool [y, x]; None: everywhere.
    """

    def __init__(self, terms: list[Plane], inverse: NDArray[np.float32], inside: Inside | None) -> None:
        self.terms = terms
        self._inverse, self._inside = inverse, inside
        ny, nx = terms[0].shape
        self.merits = _Levels((ny, nx))
        for box, _ in _blocks((slice(0, ny), slice(0, nx))):
            self._look(box)

    def solution(self, y: int, x: int) -> tuple[NDArray[np.float32], np.float32]:
        """The coefficients of the terms at a pixel, and how much they would lower chi^2; 0 outside."""
        values = [plane[y, x] for plane in self.terms]
        coefficients = [_dot(row, values) for row in self._inverse]
        is_inside = self._inside is None or self._inside[y, x]
        return np.array(coefficients), _dot(coefficients, values) if is_inside else np.float32(0)

    def subtract(self, fluxes: NDArray[np.float32], responses: Planes, box: Box) -> None:
        """Subtract a component, whose responses [order, y, x] fill the box."""
        for part, own in _blocks(box):
            for term, plane in enumerate(self.terms):
                pixels = plane[part]
                for other, flux in enumerate(fluxes):
                    pixels -= responses[term + other, own] * flux
            self._look(part)

    def _look(self, box: Box) -> None:
        """Find what components would do in a box."""
        values = [plane[box] for plane in self.terms]
        merits = np.zeros_like(values[0])
        for row, value in zip(self._inverse, values, strict=True):
            coefficients = _dot(row, values)
            coefficients *= value
            merits += coefficients
        np.abs(merits, out=merits)
        _clear_outside(merits, self._inside, box)
        self.merits.put(box, merits)


def _dot(factors: Any, values: Sequence[Any]) -> Any:
    """The sum of factors times values, which are pixels or arrays of them, from the first on in single precision."""
    total = factors[0] * values[0]
    for factor, value in zip(factors[1:], values[1:], strict=True):
        total += factor * value
    return total


def _clear_outside(levels: Plane, inside: Inside | None, box: Box) -> None:
    if inside is not None:
        levels *= inside[box]


def _overlaps(at: Pair, shape: tuple[int, ...], sides: tuple[int, ...]) -> tuple[Box, Box]:
    """The box that a patch centred `at` a pixel covers of a plane, and that part of the patch."""
    (rows, own_rows), (columns, own_columns) = (overlap(*axis) for axis in zip(at, shape, sides, strict=True))
    return (rows, columns), (own_rows, own_columns)


def _blocks(box: Box) -> Iterator[tuple[Box, slice]]:
    """Some rows of a box after the other, and which of the box's rows they are."""
    rows, columns = box
    count = max(1, BLOCK // (columns.stop - columns.start))
    for first in range(rows.start, rows.stop, count):
        last = min(first + count, rows.stop)
        yield (slice(first, last), columns), slice(first - rows.start, last - rows.start)
