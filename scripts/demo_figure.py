"""The demo's figure: channel maps, integrated intensity, velocity field and spectrum of a line cube."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from pcleantask import casa

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LIGHT_SPEED = 299792.458  # km/s
HALF_WIDTH = 4.8  # of the maps [arcmin]
MAP_COLUMNS, MAP_ROWS = 5, 4


@dataclass(frozen=True)
class LineCube:
    """A cube of a spectral line. Arrays are (channel, dec, ra).

    Attributes
    ----------
    intensity : float array [Jy beam^-1]; what was cleaned, with even noise
    corrected : float array [Jy beam^-1]; the same, corrected for the primary beam, 0 outside of it
    mask : bool array; where the line was found
    velocity : float array (channel,) [km s^-1]; radio convention, LSRK
    cell : float [arcsec]; width of a pixel
    beam : (major, minor [arcsec], position angle [degree])
    centre_pixel : (x, y); the pixel from which offsets are counted
    """

    intensity: np.ndarray
    corrected: np.ndarray
    mask: np.ndarray
    velocity: np.ndarray
    cell: float
    beam: tuple[float, float, float]
    centre_pixel: tuple[float, float]

    @property
    def rms(self) -> float:
        """Noise of `intensity` outside the mask, from the median of the absolute values [Jy beam^-1]."""
        return 1.4826 * float(np.median(np.abs(self.intensity[~self.mask])))

    @property
    def beam_area(self) -> float:
        """Pixels in a beam."""
        major, minor, _ = self.beam
        return np.pi * major * minor / (4 * np.log(2)) / self.cell**2

    @property
    def channel_width(self) -> float:
        """Width of a channel [km s^-1]."""
        return abs(float(self.velocity[1] - self.velocity[0]))

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Offsets of the map's edges from `centre_pixel`: left, right, bottom, top [arcmin]; east is left."""
        _, ny, nx = self.intensity.shape
        x, y = self.centre_pixel
        step = self.cell / 60
        return (x + 0.5) * step, (x + 0.5 - nx) * step, -(y + 0.5) * step, (ny - y - 0.5) * step


def read_cube(imagename: str, centre: tuple[str, str]) -> LineCube:
    """The cube that tclean or pclean left under this name (with pbcor=True, a mask and a common beam).

    `centre` is the sky position from which offsets are counted, (right ascension, declination), as CASA writes them.
    """

    def pixels(suffix: str) -> np.ndarray:
        with casa.tool("image") as image:
            image.open(f"{imagename}.{suffix}")
            return image.getchunk(dropdeg=True).T

    with casa.tool("image") as image, casa.tool("quanta") as quanta:
        image.open(f"{imagename}.image")
        beam = image.restoringbeam()
        major, minor = (quanta.convert(beam[axis], "arcsec")["value"] for axis in ("major", "minor"))
        angle = quanta.convert(beam["positionangle"], "deg")["value"]
        system = image.coordsys()
        cell = quanta.convert(system.increment("q", type="direction")["quantity"]["*2"], "arcsec")["value"]
    intensity = pixels("image")
    first, step = (getattr(system, get)(type="spectral")["numeric"] for get in ("referencepixel", "increment"))
    frequency = system.referencevalue(type="spectral")["numeric"] + step * (np.arange(len(intensity)) - first)
    rest = system.restfrequency()["value"][0]
    x, y = system.topixel([*centre, "I", f"{frequency[0]}Hz"])["numeric"][:2]
    system.done()
    return LineCube(
        intensity=intensity,
        corrected=pixels("image.pbcor"),
        mask=pixels("mask") > 0.5,
        velocity=LIGHT_SPEED * (1 - frequency / rest),
        cell=abs(cell),
        beam=(major, minor, angle),
        centre_pixel=(x, y),
    )


def spectrum(cube: LineCube) -> np.ndarray:
    """Flux density of each channel, within the outline of the line in all channels [Jy]."""
    outline = cube.mask.any(axis=0)
    return cube.corrected[:, outline].sum(axis=1) / cube.beam_area


def integrated_flux(cube: LineCube) -> float:
    """Flux of the line, where it was found [Jy km s^-1]."""
    return float(cube.corrected[cube.mask].sum() / cube.beam_area * cube.channel_width)


def integrated_intensity(cube: LineCube) -> np.ndarray:
    """Moment 0: sum over velocity where the line was found [Jy beam^-1 km s^-1]."""
    return np.where(cube.mask, cube.corrected, 0).sum(axis=0) * cube.channel_width


def velocity_field(cube: LineCube, threshold: float = 3.0) -> np.ndarray:
    """Moment 1: mean velocity, weighted by the intensity over `threshold` x noise [km s^-1]; NaN off the line."""
    weight = np.where(cube.mask & (cube.intensity > threshold * cube.rms), cube.intensity, 0)
    total = weight.sum(axis=0)
    mean = np.full(total.shape, np.nan)
    np.divide(np.tensordot(cube.velocity, weight, axes=1), total, out=mean, where=total > 0)
    return mean


def chosen_channels(cube: LineCube, number: int) -> np.ndarray:
    """At most `number` channels, evenly spread over those with line, by rising velocity."""
    found = np.flatnonzero(cube.mask.any(axis=(1, 2)))
    first, last = (found[0], found[-1]) if found.size else (0, len(cube.velocity) - 1)
    step = -(-(last - first + 1) // number)
    channels = np.arange(first, last + 1, step)
    return channels[np.argsort(cube.velocity[channels])]


def _frame(axes: Axes, cube: LineCube) -> None:
    """Limits, ticks and the beam of a map, in arcminutes."""
    axes.set(xlim=(HALF_WIDTH, -HALF_WIDTH), ylim=(-HALF_WIDTH, HALF_WIDTH), aspect="equal")
    axes.set(xticks=[4, 2, 0, -2, -4], yticks=[-4, -2, 0, 2, 4])
    axes.tick_params(direction="in", top=True, right=True)
    major, minor, angle = cube.beam
    beam = Ellipse((0, 0), minor / 60, major / 60, angle=-angle, facecolor="0.6", edgecolor="k", linewidth=0.6)
    beam.set_center((0.82 * HALF_WIDTH, -0.82 * HALF_WIDTH))
    axes.add_patch(beam)


def _draw_channel_maps(figure: Figure, cube: LineCube) -> None:
    """Grey scale, contours at -3, 3, 6, 12, 24 times the noise, and a cross on the galaxy's centre."""
    grid = figure.add_gridspec(MAP_ROWS, MAP_COLUMNS, left=0.07, right=0.9, bottom=0.385, top=0.94, wspace=0, hspace=0)
    panels = np.asarray(grid.subplots(sharex=True, sharey=True))
    channels = chosen_channels(cube, panels.size)
    levels = 1e3 * cube.rms * np.array([-3, 3, 6, 12, 24])
    lowest, highest = -3e3 * cube.rms, 1e3 * cube.intensity.max()
    grey: dict[str, Any] = {"cmap": "Greys", "vmin": lowest, "vmax": highest, "interpolation": "bicubic"}
    for axes in panels.flat[len(channels) :]:
        axes.set_axis_off()
    for axes, channel in zip(panels.flat, channels, strict=False):
        plane = 1e3 * cube.intensity[channel]
        shown = axes.imshow(plane, origin="lower", extent=cube.extent, **grey)
        axes.contour(plane, levels=levels, extent=cube.extent, colors="C0", linewidths=0.7)
        axes.plot(0, 0, "+", color="C3", markersize=6)
        axes.text(0.05, 0.94, f"{cube.velocity[channel]:.0f} km/s", transform=axes.transAxes, va="top")
        _frame(axes, cube)
        axes.label_outer()
    for axes in panels[-1]:
        axes.set_xlabel("RA offset [arcmin]")
    for axes in panels[:, 0]:
        axes.set_ylabel("Dec offset [arcmin]")
    bar = figure.add_axes((0.91, 0.385, 0.015, 0.555))
    figure.colorbar(shown, cax=bar, label="Intensity [mJy/beam]")


def _draw_moments(left: Axes, right: Axes, cube: LineCube) -> None:
    """Integrated intensity and velocity field."""
    total, mean = integrated_intensity(cube), velocity_field(cube)
    hot: dict[str, Any] = {"cmap": "inferno", "vmin": 0, "interpolation": "bicubic"}
    shown = left.imshow(total, origin="lower", extent=cube.extent, **hot)
    left.contour(total, levels=np.arange(1, 10, 2) / 10 * total.max(), extent=cube.extent, colors="w", linewidths=0.6)
    moving = right.imshow(mean, origin="lower", extent=cube.extent, cmap="RdBu_r")
    levels = np.arange(0, cube.velocity.max(), 20)
    right.contour(mean, levels=levels[levels > cube.velocity.min()], extent=cube.extent, colors="k", linewidths=0.6)
    for axes, image, label in (
        (left, shown, "Integrated intensity [Jy/beam km/s]"),
        (right, moving, "Mean velocity [km/s]"),
    ):
        _frame(axes, cube)
        axes.set_xlabel("RA offset [arcmin]")
        axes.figure.colorbar(image, cax=axes.inset_axes((0, 1.03, 1, 0.05)), location="top", label=label)
    left.set_ylabel("Dec offset [arcmin]")
    right.tick_params(labelleft=False)


def _draw_spectrum(axes: Axes, cube: LineCube) -> None:
    """Flux density against velocity."""
    axes.step(cube.velocity, 1e3 * spectrum(cube), where="mid", color="C0")
    axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.set(xlabel="Velocity [km/s] (LSRK, radio)", ylabel="Flux density [mJy]")
    axes.text(0.5, 0.93, f"{integrated_flux(cube):.1f} Jy km/s", transform=axes.transAxes, ha="center")
    axes.set_box_aspect(1)
    axes.tick_params(direction="in", top=True, right=True)


def draw(cube: LineCube, path: Path, title: str) -> None:
    """Write the figure to `path` (PNG)."""
    with rc_context({"font.size": 9}):
        figure = Figure(figsize=(10.4, 12.3))
        FigureCanvasAgg(figure)
        _draw_channel_maps(figure, cube)
        maps = figure.add_gridspec(1, 2, left=0.07, right=0.64, bottom=0.05, top=0.3, wspace=0.06)
        _draw_moments(figure.add_subplot(maps[0]), figure.add_subplot(maps[1]), cube)
        profile = figure.add_gridspec(1, 1, left=0.72, right=0.98, bottom=0.05, top=0.3)
        _draw_spectrum(figure.add_subplot(profile[0]), cube)
        major, minor, angle = cube.beam
        figure.suptitle(title, y=0.985)
        caption = (
            f'Beam {major:.0f}" x {minor:.0f}", PA {angle:.0f}\N{DEGREE SIGN}. '
            f"Contours at -3, 3, 6, 12 and 24 times the noise of {1e3 * cube.rms:.2f} mJy/beam. "
            "The cross is the point from which offsets are counted."
        )
        figure.text(0.5, 0.962, caption, ha="center", va="top")
        figure.savefig(path, dpi=130)
