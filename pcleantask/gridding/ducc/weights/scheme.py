"""The task's weighting parameters -> a Scheme and the grid of its densities."""

from __future__ import annotations

from .... import casa
from ....errors import ParameterError
from ....images.coordinates import ImageCoordinates
from ....sections import ImageField, Weighting
from ...spectral.axis import SpectralAxis
from .density import Scheme, Taper, UvGrid, fractional_bandwidth

KINDS = ("natural", "radial", "uniform", "briggs", "superuniform")


def weighting_scheme(weighting: Weighting, axis: SpectralAxis | None = None) -> Scheme:
    """The scheme of a run.

    Parameters
    ----------
    weighting : Weighting
    axis : SpectralAxis, optional
        The whole cube's; None for a continuum image.

    Raises
    ------
    ParameterError
        The kind of weighting isn't available.
    """
    if weighting.kind not in KINDS:
        raise ParameterError(f"weighting={weighting.weighting!r} isn't available with engine='ducc'; use engine='casa'")
    bandwidth = fractional_bandwidth(axis.frequency[0], axis.frequency[-1]) if axis is not None else 0.0
    return Scheme(
        kind=weighting.kind,
        rmode=weighting.rmode,
        robust=weighting.robust,
        noise=casa.jansky(weighting.noise),
        npixels=weighting.npixels,
        per_channel=axis is not None and weighting.perchanweightdensity,
        fractional_bandwidth=bandwidth,
        taper=_taper(weighting.uvtaper),
    )


def uv_grid(field: ImageField, coordinates: ImageCoordinates) -> UvGrid:
    """The cells of the uv plane that belong to an image."""
    return UvGrid(*field.imsize, *coordinates.cell)


def _taper(uvtaper: tuple[str, ...]) -> Taper | None:
    """uvtaper is up to (major, minor, angle); major and minor are angles on the sky or distances in wavelengths."""
    if not uvtaper or not str(uvtaper[0]).strip():
        return None
    major = str(uvtaper[0])
    minor = str(uvtaper[1]) if len(uvtaper) > 1 else major
    with casa.tool("quanta") as quanta:
        angle = _radians(quanta, str(uvtaper[2])) if len(uvtaper) > 2 else 0.0
        if "lambda" in major:
            return Taper.of_baselines(_wavelengths(quanta, major), _wavelengths(quanta, minor), angle)
        return Taper.of_beam(_radians(quanta, major), _radians(quanta, minor), angle)


def _radians(quanta: object, text: str) -> float:
    return float(quanta.convert(quanta.quantity(text), "rad")["value"])  # type: ignore[attr-defined]


def _wavelengths(quanta: object, text: str) -> float:
    return float(quanta.convert(quanta.quantity(text), "lambda")["value"])  # type: ignore[attr-defined]
