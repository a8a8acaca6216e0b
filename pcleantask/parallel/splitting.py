"""Why a run can't be split among workers and stay exact."""

from __future__ import annotations

from pathlib import Path

from ..config import PcleanConfig
from ..gridding.data import casacore_memory
from ..gridding.data.coordinates import image_coordinates
from ..toolrecords import tool_records
from ..traits import ENGINES, GRIDDERS


def why_not_split(config: PcleanConfig) -> str:
    """The first reason, without a full stop; '' where the run can be split."""
    main = config.fields[0]
    if main.specmode == "mvc":
        return "specmode='mvc' needs the whole cube between its cycles"
    reasons = _of_cube(config) if main.is_cube else _of_rows(config)
    return next((reason for reason, is_so in reasons.items() if is_so), "")


def _of_cube(config: PcleanConfig) -> dict[str, bool]:
    """What can't be split by channels: reason -> whether it is so."""
    main, gridding = config.fields[0], config.gridding
    return {
        "automaskengine='casa' masks by blocks of channels that it chooses by itself, and they differ in parts of a "
        "cube; use automaskengine='numpy'": main.usemask == "auto-multithresh" and config.run.automaskengine == "casa",
        "with veltype='optical' the channels are not regular": config.frame.veltype == "optical",
        "outlier fields are no cubes, or have other channels": any(not field.is_cube for field in config.fields)
        or len(_channel_counts(config)) > 1,
        "psfphasecenter makes the PSF of a mosaic anew": config.replaces_psf,
        f"gridder={main.gridder!r} fills its cache for the whole cube": GRIDDERS[main.gridder].projects_aperture,
        "facets are imaged together": gridding.facets > 1,
        "with nsigma and fastnoise=False the mask of the first channel decides how all noise is measured": (
            config.iteration.nsigma > 0 and not config.masking.fastnoise
        ),
    }


def _channel_counts(config: PcleanConfig) -> set[int | None]:
    """The numbers of channels that the fields have; those of several are looked up where the parameters don't tell."""
    counts = {config.image_shape(field)[3] for field in config.fields}
    if len(config.fields) > 1 and None in counts:
        counts = {image.nchan for image in image_coordinates(tool_records(config))}
        casacore_memory.forget()  # the times at which the data were looked at
    return counts


def _of_rows(config: PcleanConfig) -> dict[str, bool]:
    """What CASA can't grid in parts of the rows: reason -> whether it is so."""
    main, gridding = config.fields[0], config.gridding
    return {
        "facets are imaged together": gridding.facets > 1,
        f"gridder={main.gridder!r} fills its cache for all rows; give cfcache a filled one": (
            GRIDDERS[main.gridder].keeps_cache and not (gridding.cfcache and Path(gridding.cfcache).is_dir())
        ),
        "with wprojplanes=-1 the planes depend on all rows; give a number": (
            any(field.wprojplanes < 1 and GRIDDERS[field.gridder].takes_w for field in config.fields)
            and ENGINES[config.engine].counts_w_planes
        ),
        "psfphasecenter makes the PSF of a mosaic anew": config.replaces_psf,
        "an outlier field is a cube": any(field.is_cube for field in config.fields),
    }
