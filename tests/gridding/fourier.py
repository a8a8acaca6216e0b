"""The truth about gridding: direct Fourier sums, pixel by pixel."""

from __future__ import annotations

import numpy as np

LIGHT_SPEED = 299792458.0  # [m/s]
ARCSEC = np.pi / 180 / 3600  # [rad]


def _phases(
    uvw: np.ndarray, freq: np.ndarray, shape: tuple[int, int], cell: tuple[float, float], wide: bool, pixel: np.ndarray
) -> np.ndarray:
    """2 pi nu/c (u l + v m + w (n - 1)) for one pixel, [row, chan]."""
    l = (pixel[0] - shape[0] // 2) * cell[0]
    m = (pixel[1] - shape[1] // 2) * cell[1]
    n = np.sqrt(1 - l * l - m * m) - 1 if wide else 0.0
    return 2 * np.pi / LIGHT_SPEED * np.outer(uvw @ [l, m, n], freq)


def dirty_at(uvw, freq, vis, weight, shape, cell, wide, pixels) -> np.ndarray:
    """The dirty image, not normalized, at some pixels [n, 2]."""
    phases = (_phases(uvw, freq, shape, cell, wide, pixel) for pixel in pixels)
    return np.array([(weight * (vis * np.exp(-1j * phase)).real).sum(dtype=float) for phase in phases])


def predicted(uvw, freq, plane, cell, wide) -> np.ndarray:
    """The visibilities of a plane [nx, ny] with few pixels that aren't zero, [row, chan]."""
    total = np.zeros((len(uvw), len(freq)), dtype=complex)
    for pixel in np.argwhere(plane):
        total += plane[tuple(pixel)] * np.exp(1j * _phases(uvw, freq, plane.shape, cell, wide, pixel))
    return total


def offsets(pixels: np.ndarray, shape: tuple[int, int], cell: tuple[float, float], centre, phase_centre) -> np.ndarray:
    """Where pixels [n, 2] of an image lie from a phase centre: l, m and n - 1 of each [n, 3].

    Directions (longitude, latitude) [rad] of the image's centre and of the phase centre are in one frame.
    """
    l, m = ((pixels - np.array(shape) // 2) * cell).T
    east, north, pole = _basis(*centre)
    sky = np.outer(l, east) + np.outer(m, north) + np.outer(np.sqrt(1 - l * l - m * m), pole)
    return sky @ np.array(_basis(*phase_centre)).T - [0, 0, 1]


def _basis(lon: float, lat: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors to the east, to the north and to a direction."""
    east = np.array([-np.sin(lon), np.cos(lon), 0])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    return east, north, np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def visibilities(uvw: np.ndarray, freq: np.ndarray, places: np.ndarray, fluxes: np.ndarray) -> np.ndarray:
    """Those of points at `offsets` [n, 3] with `fluxes` [n, ...], shape (..., row, chan); freq is [row, chan]."""
    total = np.zeros((*fluxes.shape[1:], *freq.shape), dtype=complex)
    for place, flux in zip(places, fluxes, strict=True):
        phase = 2 * np.pi / LIGHT_SPEED * (uvw @ place)[:, np.newaxis] * freq
        total += np.multiply.outer(flux, np.exp(1j * phase))
    return total
