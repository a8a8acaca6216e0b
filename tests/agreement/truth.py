"""Direct Fourier sums over the visibilities of a drawn case, by numpy alone: what tclean and pclean approximate.

They read nothing by way of pcleantask, and know what is simple: one field and its own centre, natural weights,
continuum images (uniform and Briggs' weights as well), and cubes whose channels are as wide as the data's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from compare import Image
from drawing import Drawn, Params, in_frame
from simulate import ARCSEC, LIGHT_SPEED

from pcleantask import casa

SAME_WIDTH = 1e-2  # CASA averages data channels where the image's are wider than that


@dataclass(frozen=True)
class Samples:
    """Visibilities of a correlation or of Stokes I, in one axis: u, v, w [m], frequency [Hz], value [Jy] and weight."""

    u: np.ndarray
    v: np.ndarray
    w: np.ndarray
    frequency: np.ndarray
    value: np.ndarray
    weight: np.ndarray

    def image(self, kind: str, l: np.ndarray, m: np.ndarray) -> np.ndarray:
        """The PSF (kind '.psf') or the dirty image at offsets l, m [rad] from the phase centre."""
        n = np.sqrt(1 - l * l - m * m)
        path = np.outer(l, self.u) + np.outer(m, self.v) + np.outer(n - 1, self.w)
        phases = 2j * np.pi / LIGHT_SPEED * self.frequency * path
        values = 1.0 if kind.startswith(".psf") else self.value
        return (self.weight * values * np.exp(-phases)).real.sum(axis=1) / self.weight.sum()


def is_known(drawn: Drawn) -> bool:
    """Whether the sums here are the truth about the case."""
    params = drawn.params
    weighting = params["weighting"]
    return (
        params["gridder"] in ("standard", "wproject", "widefield")
        and params["stokes"] in ("I", "XX", "YY", "RR", "LL")
        and all(len(arguments["pointings"]) == 1 for arguments in drawn.data.values())
        and not params["uvtaper"]
        and not params.get("spw")
        and not any(flagging.kind == "correlation" for flagging in drawn.flags)
        and (
            weighting == "natural"
            or (weighting in ("uniform", "briggs") and not params["npixels"] and not drawn.is_cube)
        )
        and (
            not drawn.is_cube
            or params["interpolation"] == "nearest"
            or (not drawn.flags and params["interpolation"] == "linear")
        )
    )


def samples(drawn: Drawn, folder: Path, image: Image, channel: int) -> Samples | None:
    """What a channel of a case's images is summed of; None where that isn't simple.

    Parameters
    ----------
    drawn : Drawn
    folder : Path
        Where the data are.
    image : Image
        One of tclean's; its coordinates and size count.
    channel : int
    """
    if not is_known(drawn):
        return None
    axes = image.description["coordinates"]
    spectral = next(axis["wcs"] for name, axis in axes.items() if name.startswith("spectral"))
    step = spectral["cdelt"]
    frequency = spectral["crval"] + (channel - spectral["crpix"]) * step
    parts = []
    for name, arguments in drawn.data.items():
        for spw in range(len(arguments["start_hz"])):
            if drawn.is_cube and not _is_inside(drawn, arguments, spw, frequency, abs(step)):
                return None
            parts += _read(drawn, folder / name, arguments, spw, frequency if drawn.is_cube else None)
    found = Samples(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    if drawn.params["weighting"] == "natural":
        return found
    robust = drawn.params["robust"] if drawn.params["weighting"] == "briggs" else None
    return _by_density(found, image.pixels.shape, *_cell(drawn), robust)


def sums(drawn: Drawn, found: Samples, shape: Sequence[int], kind: str, pixels: np.ndarray) -> np.ndarray:
    """The PSF (kind '.psf') or dirty image at pixels [n, 2] of an image of that shape."""
    dx, dy = _cell(drawn)
    return found.image(kind, -(pixels[:, 0] - shape[0] // 2) * dx, (pixels[:, 1] - shape[1] // 2) * dy)


def _cell(drawn: Drawn) -> tuple[float, float]:
    """The sides of a pixel [rad]."""
    cells = drawn.params["cell"] if isinstance(drawn.params["cell"], list) else [drawn.params["cell"]] * 2
    dx, dy = (float(cell.removesuffix("arcsec")) * ARCSEC for cell in cells)
    return dx, dy


def _is_inside(drawn: Drawn, arguments: Params, spw: int, frequency: float, step: float) -> bool:
    """Whether a channel is as wide as the spw's and no border of these decides what it gets: it is inside, or far."""
    channels = np.sort(_channels(drawn, arguments, spw, None))
    same = abs(step / abs(arguments["channel_hz"][spw]) - 1) < SAME_WIDTH
    return same and (channels[0] + 2 * step < frequency < channels[-1] - 2 * step)


def _channels(drawn: Drawn, arguments: Params, spw: int, time_s: float | None) -> np.ndarray:
    """The frequencies of a spw's channels in the image's frame [Hz]."""
    topo = arguments["start_hz"][spw] + arguments["channel_hz"][spw] * np.arange(arguments["nchannels"][spw])
    frame = "TOPO" if drawn.params["specmode"] == "cubedata" else drawn.params.get("outframe") or "LSRK"
    return topo * in_frame(topo[0], frame, arguments, time_s) / topo[0]


def _read(
    drawn: Drawn, path: Path, arguments: Params, spw: int, frequency: float | None
) -> Sequence[tuple[np.ndarray, ...]]:
    """u, v, frequency, value and weight of a spw's data; of a cube's channel, interpolated to its frequency."""
    with casa.opened_table(str(path)) as table:
        rows = table.query(f"DATA_DESC_ID=={spw}")
        uvw, times, weight = (rows.getcol(name) for name in ("UVW", "TIME", "WEIGHT"))
        data, flags = rows.getcol("DATA"), rows.getcol("FLAG")
        rows.close()
    names = arguments["correlations"].split()
    wanted = [0, 1] if drawn.params["stokes"] == "I" else [names.index(drawn.params["stokes"])]
    value, good, weight = data[wanted].mean(axis=0), ~flags[wanted].any(axis=0), weight[wanted].mean(axis=0)
    found = []
    for time in np.unique(times):
        now = times == time
        channels = _channels(drawn, arguments, spw, float(time))
        u, v, w = uvw[:, now]
        w = w * (drawn.params["gridder"] != "standard")
        if frequency is None:
            arrays = (u, v, w, channels[:, np.newaxis], value[:, now], weight[now] * good[:, now])
            found.append(tuple(array.ravel() for array in np.broadcast_arrays(*arrays)))
        else:
            v_now, w_now = _at_frequency(drawn, channels, frequency, value[:, now], weight[now] * good[:, now])
            found.append((u, v, w, np.full(len(u), frequency), v_now, w_now))
    return found


def _at_frequency(
    drawn: Drawn, channels: np.ndarray, frequency: float, value: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Values and weights interpolated between channels; linear ones only of data without flags."""
    place = (frequency - channels[0]) / (channels[1] - channels[0])
    if drawn.params["interpolation"] == "nearest":
        return value[round(place)], weight[round(place)]
    low, part = int(place), place - int(place)
    values, weights = ((1 - part) * array[low] + part * array[low + 1] for array in (value, weight))
    return values, weights


def _by_density(samples: Samples, shape: Sequence[int], dx: float, dy: float, robust: float | None) -> Samples:
    """Uniform weights, or Briggs': by the weight in each cell of the uv plane, a visibility counting at -u, -v too."""
    u, v = (
        places * samples.frequency / LIGHT_SPEED for places in (samples.u * shape[0] * dx, samples.v * shape[1] * dy)
    )
    density: Counter[tuple[int, int]] = Counter()
    for sign in (1, -1):
        for cell, weight in zip(_cells(sign * u, sign * v, shape), samples.weight, strict=True):
            density[cell] += weight
    divisor = np.array([density[cell] or 1.0 for cell in _cells(u, v, shape)])
    if robust is not None:
        mean = sum(weight**2 for weight in density.values()) / sum(density.values())
        divisor = 1 + divisor * (5 * 10**-robust) ** 2 / mean
    return replace(samples, weight=samples.weight / divisor)


def _cells(u: np.ndarray, v: np.ndarray, shape: Sequence[int]) -> list[tuple[int, int]]:
    """The cells of the uv plane that u and v, in cells, fall into; the origin lies on a border of cells."""
    return list(
        zip(*(np.floor(x + n // 2).astype(int).tolist() for x, n in zip((u, v), shape, strict=False)), strict=True)
    )
