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
from sky import ARCSEC, SKIES, Sky, Source

from pcleantask import casa

CHUNK_ROWS = 8192


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
    model = Sky(sky, frequencies, correlations.split(), pointings, float(layout.diameters[0]), primary_beam)
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


def _blocks(fields: np.ndarray, spws: np.ndarray) -> Iterator[tuple[int, int]]:
    """(first row, rows) of stretches with one field and one spw, at most CHUNK_ROWS long."""
    breaks = np.flatnonzero((np.diff(fields) != 0) | (np.diff(spws) != 0)) + 1
    for begin, end in zip([0, *breaks], [*breaks, len(fields)], strict=True):
        for row in range(begin, end, CHUNK_ROWS):
            yield row, min(CHUNK_ROWS, end - row)


def _fill(
    path: Path,
    sky: Sky,
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
