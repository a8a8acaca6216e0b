#!/usr/bin/env python3
"""Simulate interferometer data as a CASA MeasurementSet: known point sources, known noise, the same bits each time.

The simulator of casatools lays out the observation (antennas, times, UVW); the visibilities are summed here in numpy,

    V(u, v, w, nu) = sum_k A_k(nu) S_k(nu) exp(2 pi i nu/c (u l_k + v m_k + w (n_k - 1))),   n = sqrt(1 - l^2 - m^2),

with A the primary beam at the source (a Gaussian), and are written chunk by chunk.

    scripts/simulate.py line.ms                                     # the benchmark: 54,180 rows, 64 channels
    scripts/simulate.py small.ms --antennas 12 --nintegrations 4 --integration-s 600 --nchannels 12 --sky continuum
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pcleantask import casa

LIGHT_SPEED = 299792458.0  # [m/s]
ARCSEC = np.pi / 180 / 3600  # [rad]
CHUNK_ROWS = 8192

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


@dataclass(frozen=True)
class Layout:
    """Antennas of an array: positions in `frame` ('local': east, north, up; 'global': ITRF) and dishes, in metres."""

    telescope: str
    frame: str
    positions: np.ndarray
    diameters: np.ndarray
    names: tuple[str, ...]

    def thinned(self, count: int | None) -> Layout:
        """`count` antennas, spread evenly over the list; all where count is None."""
        if count is None:
            return self
        if not 2 <= count <= len(self.names):
            raise ValueError(f"antennas must be from 2 to {len(self.names)} for this array, got {count}")
        pick = np.linspace(0, len(self.names) - 1, count).round().astype(int)
        names = tuple(self.names[i] for i in pick)
        return Layout(self.telescope, self.frame, self.positions[pick], self.diameters[pick], names)


def read_layout(array: str) -> Layout:
    """Read the layout file `array`.cfg that comes with CASA's data (alma/simmos), or the file of that path."""
    path = Path(array) if array.endswith(".cfg") else Path(casa.load().ctsys.resolve(f"alma/simmos/{array}.cfg"))
    if not path.is_file():
        raise ValueError(f"no antenna layout {array!r}: give a name in CASA's alma/simmos or the path of a .cfg file")
    header: dict[str, str] = {}
    rows = []
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            header[key.strip().lower()] = value.split("(")[0].strip()
        elif line.split():
            rows.append(line.split())
    frames = {"LOC": "local", "XYZ": "global"}
    coordinates = header.get("coordsys", "")
    if coordinates not in frames:
        raise ValueError(f"layout {array}: coordsys must be one of {sorted(frames)}, got {coordinates!r}")
    numbers = np.array([[float(field) for field in row[:4]] for row in rows])
    names = tuple(row[4] if len(row) > 4 else f"A{i:02d}" for i, row in enumerate(rows))
    return Layout(header["observatory"], frames[coordinates], numbers[:, :3], numbers[:, 3], names)


def simulate_ms(
    path: str | os.PathLike[str],
    *,
    array: str = "alma.cycle7.3",
    antennas: int | None = None,
    nintegrations: int = 60,
    integration_s: float = 10.0,
    nchannels: int | Sequence[int] = 64,
    channel_hz: float | Sequence[float] = 1e6,
    start_hz: float | Sequence[float] = 230e9,
    telescope: str = "",
    correlations: str = "XX YY",
    pointings: Sequence[tuple[float, float]] = ((0.0, 0.0),),
    sources: Sequence[Source] | str = "line",
    noise_jy: float = 0.01,
    direction: str = "J2000 10h00m00.0s -25d00m00.0s",
    reference_time: str = "2021/01/24",
    hour_angle_h: float = 0.0,
    flagged_channels: Sequence[int] = (),
    primary_beam: bool = True,
    corrected_scale: float | None = None,
    seed: int = 1,
) -> Path:
    """Make a MeasurementSet of point sources; whatever is at `path` is replaced. The defaults are the benchmark.

    Parameters
    ----------
    path
        The MeasurementSet to write.
    array, antennas
        Layout in CASA's data, e.g. 'alma.cycle7.3', 'vla.d', and how many of its antennas (None: all).
    nintegrations, integration_s
        Integrations and their length [s]; no smearing is simulated, so long ones are a cheap way to fill the uv plane.
        Pointings take turns: each observes every so many integrations.
    nchannels, channel_hz, start_hz
        Channels, their width [Hz] and the first one's centre [Hz, TOPO]; several values of start_hz make several spws,
        for which the others may have one value or as many. Frequencies fall where the width is negative.
    telescope
        Its name; '' is the layout's.
    correlations
        'XX YY', 'XX XY YX YY', 'XX', or with R and L.
    pointings
        Offsets (east, north) of the fields from `direction` [arcsec]; several make a mosaic.
    sources
        Point sources, or the name of a sky: 'line', 'continuum', 'polarised', 'wide'. Offsets count from `direction`.
    noise_jy
        Standard deviation of the real and of the imaginary part of each visibility [Jy]; also SIGMA.
    direction, reference_time, hour_angle_h
        Phase centre, day, and hour angle at mid-observation [h]; they set the shift between TOPO and LSRK.
    flagged_channels
        Channels flagged in every row.
    primary_beam
        Attenuate the sources by each field's primary beam.
    corrected_scale
        Write CORRECTED_DATA as well, this many times DATA; without it there is no such column.
    seed
        Of the noise.

    Returns
    -------
    The path.
    """
    path = Path(path)
    if path.exists():
        shutil.rmtree(path)
    sky = SKIES[sources] if isinstance(sources, str) else tuple(sources)
    bands = _bands(start_hz, channel_hz, nchannels)
    layout = read_layout(array).thinned(antennas)
    layout = replace(layout, telescope=telescope or layout.telescope)
    fields = [_offset_direction(direction, east, north) for east, north in pointings]
    with casa.tool("simulator") as simulator:
        simulator.open(str(path))
        _configure(simulator, layout, fields, bands, correlations)
        reference = casa.load().measures().epoch("UTC", reference_time)
        simulator.settimes(f"{integration_s}s", usehourangle=True, referencetime=reference)
        step = nintegrations if len(fields) == 1 else 1
        for first in range(0, nintegrations, step):
            begin = 3600 * hour_angle_h + (first - nintegrations / 2) * integration_s
            field = f"field{first % len(fields)}"
            for spw in range(len(bands)):
                simulator.observe(field, f"spw{spw}", f"{begin}s", f"{begin + step * integration_s}s")
    frequencies = [band.frequencies for band in bands]
    model = _Sky(sky, frequencies, correlations.split(), pointings, float(layout.diameters[0]), primary_beam)
    _fill(path, model, noise_jy, flagged_channels, corrected_scale, np.random.default_rng(seed))
    return path


@dataclass(frozen=True)
class _Band:
    """A spectral window: its first channel's centre and the step to the next [Hz], and how many there are."""

    start: float
    step: float
    nchannels: int

    @property
    def frequencies(self) -> np.ndarray:
        return self.start + self.step * np.arange(self.nchannels)


def _bands(starts: Any, steps: Any, counts: Any) -> list[_Band]:
    """The spectral windows, one for each of `starts`; one step or count is that of all."""
    starts = np.atleast_1d(np.asarray(starts, dtype=float))
    steps, counts = (np.broadcast_to(np.asarray(values), starts.shape) for values in (steps, counts))
    return [_Band(float(a), float(b), int(n)) for a, b, n in zip(starts, steps, counts, strict=True)]


def _offset_direction(direction: str, east: float, north: float) -> dict[str, Any]:
    """The direction record `east`, `north` [arcsec] away from 'FRAME RA DEC'."""
    measures = casa.load().measures()
    frame, ra, dec = direction.split()
    centre = measures.direction(frame, ra, dec)
    lon, lat = centre["m0"]["value"], centre["m1"]["value"]
    l, m = east * ARCSEC, north * ARCSEC
    n = np.sqrt(1 - l * l - m * m)
    x = n * np.cos(lat) - m * np.sin(lat)
    new_lon, new_lat = lon + np.arctan2(l, x), np.arcsin(n * np.sin(lat) + m * np.cos(lat))
    return measures.direction(frame, f"{new_lon}rad", f"{new_lat}rad")


def _configure(
    simulator: Any,
    layout: Layout,
    fields: Sequence[dict[str, Any]],
    bands: Sequence[_Band],
    correlations: str,
) -> None:
    x, y, z = layout.positions.T
    simulator.setconfig(
        telescopename=layout.telescope,
        x=x,
        y=y,
        z=z,
        dishdiameter=layout.diameters,
        mount=["alt-az"],
        antname=list(layout.names),
        padname=list(layout.names),
        coordsystem=layout.frame,
        referencelocation=casa.load().measures().observatory(layout.telescope),
    )
    for spw, band in enumerate(bands):
        simulator.setspwindow(
            spwname=f"spw{spw}",
            freq=f"{band.start}Hz",
            deltafreq=f"{band.step}Hz",
            freqresolution=f"{abs(band.step)}Hz",
            nchannels=band.nchannels,
            refcode="TOPO",
            stokes=correlations,
        )
    simulator.setfeed("perfect R L" if correlations[0] in "RL" else "perfect X Y")
    for number, field in enumerate(fields):
        simulator.setfield(sourcename=f"field{number}", sourcedirection=field)
    simulator.setlimits(shadowlimit=1e-6, elevationlimit="1deg")
    simulator.setauto(autocorrwt=0.0)


class _Sky:
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


def _blocks(fields: np.ndarray, spws: np.ndarray) -> Iterator[tuple[int, int]]:
    """(first row, rows) of stretches with one field and one spw, at most CHUNK_ROWS long."""
    breaks = np.flatnonzero((np.diff(fields) != 0) | (np.diff(spws) != 0)) + 1
    for begin, end in zip([0, *breaks], [*breaks, len(fields)], strict=True):
        for row in range(begin, end, CHUNK_ROWS):
            yield row, min(CHUNK_ROWS, end - row)


def _fill(
    path: Path,
    sky: _Sky,
    noise_jy: float,
    flagged: Sequence[int],
    corrected_scale: float | None,
    generator: np.random.Generator,
) -> None:
    """Write DATA, FLAG, SIGMA and WEIGHT; of the simulator's scratch columns keep what is asked for."""
    with casa.tool("table") as table:
        table.open(str(path), nomodify=False)
        unwanted = {"MODEL_DATA"} if corrected_scale is not None else {"MODEL_DATA", "CORRECTED_DATA"}
        if scratch := sorted(unwanted.intersection(table.colnames())):
            table.removecols(scratch)
        fields = table.getcol("FIELD_ID")
        spws = table.getcol("DATA_DESC_ID")
        for row, count in _blocks(fields, spws):
            data = sky.visibilities(table.getcol("UVW", row, count), fields[row], spws[row])
            noise = generator.standard_normal((2, *data.shape))
            data += noise_jy * (noise[0] + 1j * noise[1])
            table.putcol("DATA", data, row, count)
            if corrected_scale is not None:
                table.putcol("CORRECTED_DATA", corrected_scale * data, row, count)
            flags = np.zeros(data.shape, dtype=bool)
            flags[:, list(flagged)] = True
            table.putcol("FLAG", flags, row, count)
        rows, ncorrelations = len(fields), len(sky.brightness)
        sigma = max(noise_jy, 1e-6)
        table.putcol("FLAG_ROW", np.zeros(rows, dtype=bool))
        table.putcol("SIGMA", np.full((ncorrelations, rows), sigma))
        table.putcol("WEIGHT", np.full((ncorrelations, rows), sigma**-2))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="the MeasurementSet to write; what is there is replaced")
    parser.add_argument("--array", default="alma.cycle7.3", help="antenna layout in CASA's data (default: %(default)s)")
    parser.add_argument("--antennas", type=int, help="how many of its antennas (default: all)")
    parser.add_argument("--nintegrations", type=int, default=60, help="integrations (default: %(default)s)")
    parser.add_argument("--integration-s", type=float, default=10.0, help="their length in s (default: %(default)s)")
    parser.add_argument("--nchannels", type=int, default=64, help="channels (default: %(default)s)")
    parser.add_argument(
        "--channel-hz", type=float, default=1e6, help="their width in Hz, or minus that (default: %(default)s)"
    )
    parser.add_argument("--start-hz", type=float, nargs="+", default=[230e9], help="first channel of each spw in Hz")
    parser.add_argument("--correlations", default="XX YY", help="correlations (default: %(default)s)")
    parser.add_argument("--sky", dest="sources", default="line", choices=sorted(SKIES), help="what is on the sky")
    parser.add_argument("--noise-jy", type=float, default=0.01, help="noise a visibility in Jy (default: %(default)s)")
    parser.add_argument("--reference-time", default="2021/01/24", help="day of the observation (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the noise (default: %(default)s)")
    return parser


def main() -> None:
    """Simulate from the command line; CASA's log goes with a temporary working directory."""
    options = vars(_options().parse_args())
    path = Path(options.pop("path")).resolve()
    if options["array"].endswith(".cfg"):
        options["array"] = str(Path(options["array"]).resolve())
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        simulate_ms(path, **options)
        os.chdir(path.parent)
    print(path)


if __name__ == "__main__":
    main()
