"""The skies that `simulate` observes: point sources, their spectra and what they make of baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LIGHT_SPEED = 299792458.0  # [m/s]
ARCSEC = np.pi / 180 / 3600  # [rad]

# Brightness matrices: correlation -> coefficients of Stokes I, Q, U, V.
CORRELATIONS = {
    "XX": (1, 1, 0, 0),
    "XY": (0, 0, 1, 1j),
    "YX": (0, 0, 1, -1j),
    "YY": (1, -1, 0, 0),
    "RR": (1, 0, 0, 1),
    "RL": (0, 1, 1j, 0),
    "LR": (0, 1, -1j, 0),
    "LL": (1, 0, 0, -1),
}


@dataclass(frozen=True)
class Source:
    """A point source: continuum with a spectral index, plus a Gaussian line, the same polarisation in both.

    Attributes
    ----------
    east, north : float
        Offset from the reference direction [arcsec].
    flux : float
        Stokes I of the continuum at the middle of the band [Jy].
    index : float
        Spectral index: S ~ nu**index.
    line : float
        Peak of the line [Jy].
    centre, width : float
        Centre and standard deviation of the line, as fractions of the band (0 is its first channel, 1 its last).
    polarisation : tuple of float
        Q, U and V as fractions of I.
    """

    east: float
    north: float
    flux: float = 0.0
    index: float = 0.0
    line: float = 0.0
    centre: float = 0.5
    width: float = 0.1
    polarisation: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def spectrum(self, frequencies: np.ndarray, band: tuple[float, float]) -> np.ndarray:
        """Stokes I at `frequencies` [Hz], with `band` the first and last frequency of the whole observation [Jy]."""
        low, high = band
        position = (frequencies - low) / max(high - low, 1.0)
        continuum = self.flux * (frequencies / (0.5 * (low + high))) ** self.index
        return continuum + self.line * np.exp(-0.5 * ((position - self.centre) / self.width) ** 2)

    @property
    def stokes(self) -> np.ndarray:
        """I, Q, U and V as fractions of I."""
        return np.array([1.0, *self.polarisation])


# Five sources whose lines drift through the channels, from the first to the last.
LINE_SKY = (
    Source(0.0, 0.0, flux=0.02, line=1.0, centre=0.50, width=0.08),
    Source(4.2, 2.6, flux=0.02, line=0.8, centre=0.30, width=0.06),
    Source(-5.0, 1.7, flux=0.02, line=0.6, centre=0.70, width=0.10),
    Source(-2.2, -6.1, flux=0.02, line=0.5, centre=0.15, width=0.05),
    Source(7.4, -3.9, flux=0.02, line=0.4, centre=0.85, width=0.07),
)
CONTINUUM_SKY = (
    Source(0.0, 0.0, flux=1.0, index=-0.7),
    Source(4.2, 2.6, flux=0.5, index=2.0),
    Source(-5.0, -1.7, flux=0.3, index=-1.5),
)
POLARISED_SKY = (
    Source(0.0, 0.0, flux=1.0, polarisation=(0.20, -0.10, 0.05)),
    Source(4.2, 2.6, flux=0.6, polarisation=(-0.15, 0.25, -0.10)),
)
WIDE_SKY = (Source(0.0, 0.0, flux=1.0, index=-0.7), Source(920.0, 770.0, flux=0.5, index=-0.7))  # 20 arcmin off
SKIES = {"wide": WIDE_SKY, "line": LINE_SKY, "continuum": CONTINUUM_SKY, "polarised": POLARISED_SKY}


class Sky:
    """Model visibilities of point sources for the rows of one MeasurementSet."""

    def __init__(
        self,
        sources: Sequence[Source],
        bands: Sequence[np.ndarray],
        correlations: Sequence[str],
        pointings: Sequence[tuple[float, float]],
        diameter: float,
        primary_beam: bool,
    ) -> None:
        self.sources = sources
        self.bands = bands
        self.whole = (min(band.min() for band in bands), max(band.max() for band in bands))
        self.brightness = np.array([CORRELATIONS[name] for name in correlations])
        self.pointings = pointings
        self.diameter = diameter
        self.primary_beam = primary_beam

    def visibilities(self, uvw: np.ndarray, field: int, spw: int) -> np.ndarray:
        """Visibilities [Jy], shape (correlations, channels, rows), for `uvw` of shape (3, rows) [m]."""
        frequencies = self.bands[spw]
        total = np.zeros((len(self.brightness), len(frequencies), uvw.shape[1]), dtype=complex)
        for source in self.sources:
            l = (source.east - self.pointings[field][0]) * ARCSEC
            m = (source.north - self.pointings[field][1]) * ARCSEC
            path_m = np.array([l, m, np.sqrt(1 - l * l - m * m) - 1]) @ uvw
            amplitude = source.spectrum(frequencies, self.whole) * self._attenuation(np.hypot(l, m), frequencies)
            # Channels are evenly spaced: one exponential a row, then a product per channel.
            turn = 2j * np.pi / LIGHT_SPEED * path_m
            phasor = np.exp(turn * frequencies[0])
            step = np.exp(turn * (frequencies[1] - frequencies[0])) if len(frequencies) > 1 else 1.0
            weights = self.brightness @ source.stokes
            for channel, value in enumerate(amplitude):
                total[:, channel] += weights[:, None] * (value * phasor)
                phasor *= step
        return total

    def _attenuation(self, offset: float, frequencies: np.ndarray) -> np.ndarray:
        """Gaussian primary beam of full width 1.13 wavelength / diameter, at `offset` [rad]."""
        if not self.primary_beam:
            return np.ones_like(frequencies)
        width = 1.13 * LIGHT_SPEED / frequencies / self.diameter
        return np.exp(-4 * np.log(2) * (offset / width) ** 2)
