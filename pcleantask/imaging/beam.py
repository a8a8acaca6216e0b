"""Gaussian beams: pixels under a beam, PSF sidelobe level, common beam, channel blocks that share a beam. Arrays only.

A beam is an elliptical Gaussian with full widths at half maximum [rad] and a position angle [rad], north through east.
Images are [x, y] as casacore's getchunk gives them; `cell` is the signed pixel size (dx, dy) [rad], dx < 0 as a rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import acos, atan2, cos, hypot, log, nextafter, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

ARCSEC = pi / (180 * 3600.0)
DEGREE = pi / 180.0
FWHM_PER_SIGMA = sqrt(8 * log(2.0))
GAUSSIAN_CUT = 20.0  # exponent beyond which CASA's Gaussian PSF is zero
PIXELS_PER_BLOCK = 8e6  # what CASA's minor cycle takes to be worth one lock
COMMON_BEAM_ATTEMPTS = 10_000


@dataclass(frozen=True)
class Beam:
    """Elliptical Gaussian beam: `major` and `minor` FWHM [rad], position angle `pa` [rad], north through east."""

    major: float
    minor: float
    pa: float = 0.0

    def area_pix(self, cell: tuple[float, float]) -> float:
        """Beam solid angle in pixels, rounded as in SDMaskHandler::pixelBeamArea."""
        solid_angle = np.float32(pi * self.major * self.minor / (4.0 * log(2.0)))
        return float(np.float32(float(solid_angle) / abs(cell[0] * cell[1])))

    def sigma_pix(self, cell: tuple[float, float]) -> tuple[float, float]:
        """Standard deviations (major, minor) [pixels] along the two axes."""
        scale_x, scale_y = abs(cell[0]), abs(cell[1])
        major = hypot(self.major * sin(self.pa) / scale_x, self.major * cos(self.pa) / scale_y)
        minor = hypot(self.minor * cos(self.pa) / scale_x, self.minor * sin(self.pa) / scale_y)
        return major / FWHM_PER_SIGMA, minor / FWHM_PER_SIGMA

    def pa_pix(self, cell: tuple[float, float]) -> float:
        """Position angle of the major axis on the pixel grid [rad]; `pa` itself where pixels are square."""
        if abs(cell[0]) == abs(cell[1]):
            return self.pa
        return atan2(sin(self.pa) / abs(cell[0]), cos(self.pa) / abs(cell[1]))


def gaussian_psf(
    shape: tuple[int, int], beam: Beam, reference_pixel: tuple[float, float], cell: tuple[float, float]
) -> NDArray[np.float32]:
    """Gaussian of peak 1 at the reference pixel, float32 [nx, ny].

    Follows StokesImageUtil::MakeGaussianPSF, casatools 6.7: zero where the exponent reaches 20.
    """
    angle = float(np.float32(beam.pa + pi / 2))
    major, minor = float(np.float32(beam.major)), float(np.float32(beam.minor))
    x = (np.arange(shape[0]) - reference_pixel[0])[:, None] * abs(cell[0])
    y = (np.arange(shape[1]) - reference_pixel[1])[None, :] * abs(cell[1])
    along = np.cos(angle) * x + np.sin(angle) * y
    across = -np.sin(angle) * x + np.cos(angle) * y
    exponent = 4 * log(2.0) * ((along / major) ** 2 + (across / minor) ** 2)
    return np.where(exponent < GAUSSIAN_CUT, np.exp(-exponent), 0).astype(np.float32)


def _lobe_box(
    shape: tuple[int, ...], beam: Beam, reference_pixel: tuple[float, float], cell: tuple[float, float]
) -> list[slice]:
    """The part of the plane outside of which the Gaussian of `gaussian_psf` is zero."""
    reach = beam.major * sqrt(GAUSSIAN_CUT / (4 * log(2.0)))
    box = []
    for size, centre, step in zip(shape, reference_pixel, cell, strict=True):
        half = reach / abs(step) + 2
        box.append(slice(min(size, max(0, int(centre - half))), max(0, min(size, int(centre + half) + 1))))
    return box


def _peak_off_lobe(
    psf: NDArray[np.float32], beam: Beam, reference_pixel: tuple[float, float], cell: tuple[float, float]
) -> float:
    """Maximum of the PSF less its Gaussian main lobe; the Gaussian is made only where it is not zero."""
    bx, by = _lobe_box(psf.shape, beam, reference_pixel, cell)
    lobe = psf[bx, by]
    centre = (reference_pixel[0] - bx.start, reference_pixel[1] - by.start)
    parts = [
        psf[: bx.start], psf[bx.stop :], psf[bx, : by.start], psf[bx, by.stop :],
        lobe - gaussian_psf((lobe.shape[0], lobe.shape[1]), beam, centre, cell),
    ]  # fmt: skip
    return max(float(part.max()) for part in parts if part.size)


def sidelobe_level(
    planes: Iterable[NDArray[np.float32]],
    beams: Iterable[Beam],
    reference_pixel: tuple[float, float],
    cell: tuple[float, float],
) -> float:
    """PSF sidelobe level of a whole cube, one number, as SIImageStore::getPSFSidelobeLevel finds it.

    The largest of |lowest PSF value| and the highest value of PSF less Gaussian, over all planes. The maximum over the
    levels of sub-cubes is the level of the cube.

    Parameters
    ----------
    planes
        PSF planes, float32 [nx, ny], one at a time: a generator keeps one plane in memory.
    beams
        Fitted beam of each plane, in the same order.
    reference_pixel
        (x, y) of the PSF's peak [pixels].
    """
    lowest = highest = 0.0
    for psf, beam in zip(planes, beams, strict=True):
        lowest = min(lowest, float(psf.min()))
        highest = max(highest, _peak_off_lobe(psf, beam, reference_pixel, cell))
    return max(abs(lowest), abs(highest))


def mask_blocks(nx: int, ny: int, nchan: int, nproc: int = 1) -> list[tuple[int, int]]:
    """Channel blocks (start, stop) over which CASA's automask takes one common beam; `stop` is not in the block.

    Follows SynthesisDeconvolver::numblockchans; nproc=1 is serial CASA.
    """
    best = max(10, int(PIXELS_PER_BLOCK / nx / ny))
    size = best if nchan // nproc > best else max(1, nchan // nproc)
    return [(start, min(start + size, nchan)) for start in range(0, nchan, size)]


# --- common beam. The order of arithmetic is CASA's, as the test that decides on enlarging sits at rounding level. ---


@dataclass(frozen=True)
class _Ellipse:
    """A beam in the units CASA keeps it in: axes [arcsec], PA [deg] as fitted or [rad] as found on the way."""

    major: float
    minor: float
    pa: float
    in_degrees: bool = True

    @staticmethod
    def of(beam: Beam) -> _Ellipse:
        major, minor = _invert_product(beam.major, ARCSEC), _invert_product(beam.minor, ARCSEC)
        return _Ellipse(major, minor, _invert_product(beam.pa, DEGREE))

    @staticmethod
    def ordered(a: float, b: float, pa: float) -> _Ellipse:
        return _Ellipse(max(a, b), min(a, b), pa, in_degrees=False)

    @property
    def pa_rad(self) -> float:
        half_turn = 180.0 if self.in_degrees else pi
        pa = self.pa
        while pa > half_turn / 2:
            pa -= half_turn
        while pa <= -half_turn / 2:
            pa += half_turn
        return pa * DEGREE if self.in_degrees else pa


def _invert_product(product: float, factor: float) -> float:
    """The number that times `factor` gives `product` to the last bit, a float32 one if there is such.

    CASA stores fitted beams as float32 values in arcsec and degrees; a caller hands them over in radians.
    """
    quotient = product / factor
    candidates = (float(np.float32(quotient)), quotient, nextafter(quotient, -np.inf), nextafter(quotient, np.inf))
    return next((value for value in candidates if value * factor == product), quotient)


def _square(x: float) -> float:
    return x * x  # x**2 goes through pow, whose last bit may differ


def _cannot_deconvolve(source: _Ellipse, beam: _Ellipse) -> bool:
    """Whether `beam` can't be deconvolved from `source` (GaussianDeconvolver; Wild 1970, Aust. J. Phys. 23, 113)."""
    a, b, t = source.major * ARCSEC, source.minor * ARCSEC, source.pa_rad
    c, d, u = beam.major * ARCSEC, beam.minor * ARCSEC, beam.pa_rad
    alpha = _square(a * cos(t)) + _square(b * sin(t)) - _square(c * cos(u)) - _square(d * sin(u))
    beta = _square(a * sin(t)) + _square(b * cos(t)) - _square(c * sin(u)) - _square(d * cos(u))
    gamma = 2 * ((b * b - a * a) * sin(t) * cos(t) - (d * d - c * c) * sin(u) * cos(u))
    return alpha < 0 or beta < 0 or alpha + beta < sqrt(_square(alpha - beta) + gamma * gamma)


def deconvolved(source: Beam, beam: Beam) -> Beam | None:
    """The beam that convolved with `beam` gives `source`; None where they are as good as the same.

    Follows GaussianDeconvolver::deconvolve.

    Raises
    ------
    ArithmeticError
        There is no such beam: `source` is narrower than `beam` in one direction.
    """
    a, b, t = source.major, source.minor, source.pa
    c, d, u = beam.major, beam.minor, beam.pa
    alpha = _square(a * cos(t)) + _square(b * sin(t)) - _square(c * cos(u)) - _square(d * sin(u))
    beta = _square(a * sin(t)) + _square(b * cos(t)) - _square(c * sin(u)) - _square(d * cos(u))
    gamma = 2 * ((b * b - a * a) * sin(t) * cos(t) - (d * d - c * c) * sin(u) * cos(u))
    total, difference = alpha + beta, sqrt(_square(alpha - beta) + gamma * gamma)
    if alpha < 0 or beta < 0 or total < difference:
        slack = 0.1 * _square(min(a, b, c, d))
        if (total - difference) / 2 < slack and alpha > -slack and beta > -slack:
            return None
        raise ArithmeticError(f"{source} is narrower than {beam} in one direction")
    pa = 0.0 if abs(gamma) + abs(alpha - beta) == 0 else 0.5 * atan2(-gamma, alpha - beta)
    return Beam(sqrt((total + difference) / 2), sqrt((total - difference) / 2), pa)


def _scale_ellipse(a: float, b: float, pa: float, scale_x: float, scale_y: float) -> tuple[float, float, float]:
    """Axes and PA [rad] of an ellipse whose x and y are scaled (CasaImageBeamSet::transformEllipseByScaling)."""
    cosine, sine = cos(pa), sin(pa)
    xx = cosine * cosine / (a * a) + sine * sine / (b * b)
    xy = -2 * cosine * sine * (1 / (a * a) - 1 / (b * b))
    yy = sine * sine / (a * a) + cosine * cosine / (b * b)
    xs, ys = scale_x * scale_x, scale_y * scale_y
    r, s, t = xx / xs, xy * xy / (4 * xs * ys), yy / ys
    f1 = (r - t) * (r - t) + 4 * s
    f2 = sqrt(f1) * abs(r - t)
    j1, j2 = (f2 + f1) / f1 / 2, (-f2 + f1) / f1 / 2
    k1, k2 = (j1 * r + j1 * t - t) / (2 * j1 - 1), (j2 * r + j2 * t - t) / (2 * j2 - 1)
    c1, c2 = sqrt(1 / k1), sqrt(1 / k2)
    if c1 == c2:
        return sqrt(k1), sqrt(k1), 0.0
    sign = 1 if pa >= 0 else -1
    return (c1, c2, sign * acos(sqrt(j1))) if c1 > c2 else (c2, c1, sign * acos(sqrt(j2)))


def _enclosing(largest: _Ellipse, other: _Ellipse) -> _Ellipse:
    """An ellipse from which both can be deconvolved: drawn where `largest` is a circle, then grown by 0.1% steps."""
    turn = other.pa_rad - largest.pa_rad
    if abs(turn) == pi / 2:
        pa = (largest if largest.major >= other.major else other).pa_rad
        return _Ellipse(max(largest.major, other.major), min(largest.major, other.major), pa, in_degrees=False)
    radius = sqrt(largest.major * largest.minor)
    squeeze_x, squeeze_y = radius / largest.major, radius / largest.minor
    major, _, pa = _scale_ellipse(other.major, other.minor, turn, squeeze_x, squeeze_y)
    major, minor, pa = _scale_ellipse(major, radius, pa, 1 / squeeze_x, 1 / squeeze_y)
    pa += largest.pa_rad
    found = _Ellipse.ordered(major, minor, pa)
    while _cannot_deconvolve(found, largest) or _cannot_deconvolve(found, other):
        major, minor = major * 1.001, minor * 1.001
        found = _Ellipse.ordered(major, minor, pa)
    return found


def common_beam(beams: Sequence[Beam]) -> Beam:
    """The beam that all `beams` can be convolved to, as CasaImageBeamSet::getCommonBeam finds it.

    Parameters
    ----------
    beams
        Channel by channel; where there are several polarisations, all channels of the first come first.
    """
    if all(beam == beams[0] for beam in beams):
        return beams[0]
    ellipses = [_Ellipse.of(beam) for beam in beams]
    for _ in range(COMMON_BEAM_ATTEMPTS):
        index = max(range(len(ellipses)), key=lambda i: ellipses[i].major * ellipses[i].minor)
        largest = ellipses[index]
        bad = [e for e in ellipses if e != largest and _cannot_deconvolve(largest, e)]
        if not bad:
            return Beam(largest.major * ARCSEC, largest.minor * ARCSEC, largest.pa_rad)
        ellipses[index] = _enclosing(largest, bad[-1])
        if abs(bad[-1].pa_rad - largest.pa_rad) == pi / 2:
            found = ellipses[index]
            return Beam(found.major * ARCSEC, found.minor * ARCSEC, found.pa_rad)
    raise ArithmeticError(f"no common beam found for {len(beams)} beams in {COMMON_BEAM_ATTEMPTS} steps")
