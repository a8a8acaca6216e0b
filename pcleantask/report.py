"""The task's return dictionary: stop codes in words, the minor cycles' summary by field, channel and Stokes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .config import PcleanConfig
from .images import planes

STOP_DESCRIPTIONS = {
    1: "iteration limit",
    2: "threshold",
    3: "force stop",
    4: "no change in peak residual across two major cycles",
    5: "peak residual increased by more than 3 times from the previous major cycle",
    6: "peak residual increased by more than 3 times from the minimum reached",
    7: "zero mask",
    8: "any combination of n-sigma and other valid exit criterion",
    9: "reached nmajor",
}

NOTHING_GRIDDED = "nothing was gridded"  # what is said of the stop where no visibility has fallen on the images


def stop_reason(code: int, *, is_blank: bool) -> str:
    """Why the loop has ended, in words; CASA says of blank images that the threshold is reached."""
    return NOTHING_GRIDDED if is_blank else STOP_DESCRIPTIONS.get(code, "no iteration was done")


# Rows of the controller's summary matrix (SIMinorCycleController). fullsummary=False has the first of them: how many
# is a matter of casatools (up to 6.7.0 six, without `stoke`; later seven), so that a matrix's own height decides.
FULL_ROWS = (
    *("iterDone", "peakRes", "modelFlux", "cycleThresh", "deconId", "chan", "stoke", "cycleStartIters"),
    *("startIterDone", "startPeakRes", "startModelFlux", "startPeakResNM", "peakResNM", "masksum", "mpiServer"),
    *("multifieldId", "stopCode"),
)
# Keys of a plane's summary, in the order in which tclean gives them.
PLANE_KEYS = (
    *(
        "startIterDone",
        "iterDone",
        "startPeakRes",
        "peakRes",
        "startModelFlux",
        "modelFlux",
        "startPeakResNM",
        "peakResNM",
    ),
    *("cycleThresh", "cycleStartIters", "masksum", "mpiServer", "stopCode"),
)
# Keys of a plane in the report on a run without iterations, in its order.
RESIDUAL_KEYS = (
    *("iterDone", "peakRes", "modelFlux", "cycleThresh", "cycleStartIters", "startIterDone", "startPeakRes"),
    *("startModelFlux", "startPeakResNM", "peakResNM", "masksum", "mpiServer", "stopCode"),
)

# How casatasks reports that nothing was cleaned.
ZERO_ITERATIONS = {"stopcode": 3, "stopDescription": "Zero iterations performed"}

MinorSummary = dict[int, dict[int, dict[int, dict[str, list[Any]]]]]


def clean_summary(summary: dict[str, Any]) -> dict[str, Any]:
    """The return dictionary of a run with iterations, from the iteration controller's summary."""
    report = dict(summary)
    if "stopcode" in report:
        report["stopDescription"] = STOP_DESCRIPTIONS.get(report["stopcode"])
    if "summaryminor" in report:
        report["summaryminor"] = minor_summary(report["summaryminor"])
    return report


def minor_summary(matrix: np.ndarray) -> MinorSummary:
    """Index the summary matrix [row, cycle and plane] by field, channel, Stokes and key.

    Follows casatasks' summary_minor.py (6.7.0, and 6.7.5 for matrices of seven rows). Each value is a list with one
    entry for each minor cycle; planes with fewer are filled up with zeros.
    """
    if matrix.shape[1] == 0:
        return {0: {}}
    rows = FULL_ROWS[: len(matrix)]
    fields = matrix[rows.index("multifieldId" if "multifieldId" in rows else "deconId")]
    return {int(field): _field_summary(matrix[:, fields == field], rows) for field in np.unique(fields)}


def _field_summary(matrix: np.ndarray, rows: tuple[str, ...]) -> dict[int, dict[int, dict[str, list[Any]]]]:
    channels = matrix[rows.index("chan")].astype(int)
    stokes = matrix[rows.index("stoke")].astype(int) if "stoke" in rows else np.zeros_like(channels)
    ncycles = matrix.shape[1] // (len(np.unique(channels)) * len(np.unique(stokes)))

    def values(key: str, plane: np.ndarray) -> list[Any]:
        entries = list(matrix[rows.index(key), plane])
        return entries + [0] * (ncycles - len(entries))

    return {
        int(channel): {
            int(pol): {key: values(key, (channels == channel) & (stokes == pol)) for key in PLANE_KEYS if key in rows}
            for pol in np.unique(stokes)
        }
        for channel in np.unique(channels)
    }


def residual_summary(config: PcleanConfig, imagenames: tuple[str, ...]) -> dict[str, Any]:
    """The return dictionary of a run with niter=0, made from the images on disk.

    Follows ImagingDict.construct_residual_dict of casatasks' imager_return_dict.py (6.7.0).
    """
    masks = [field.mask for field in config.fields]
    return zero_summary(config, residual_planes(imagenames, masks, fullsummary=config.iteration.fullsummary))


def zero_summary(config: PcleanConfig, summaryminor: MinorSummary) -> dict[str, Any]:
    """The return dictionary of a run with niter=0, from the summary of its planes."""
    return {
        "cleanstate": "running",
        "cyclefactor": config.iteration.cyclefactor,
        "cycleiterdone": 0,
        "cycleniter": 0,
        "cyclethreshold": 0,
        "interactiveiterdone": 0,
        "interactivemode": False,
        "interactiveniter": 0,
        "interactivethreshold": 0,
        "iterdone": 0,
        "loopgain": 0,
        "maxpsffraction": 0,
        "maxpsfsidelobe": 0,
        "minpsffraction": 0,
        "niter": 0,
        "nmajordone": 1,
        "nsigma": 0.0,
        **ZERO_ITERATIONS,
        "summarymajor": np.array([0]),
        "summaryminor": summaryminor,
        "threshold": config.iteration.threshold,
    }


def _image(imagename: str, kind: str) -> str | None:
    """The path of the image of that kind, its first Taylor term where there are several, or None."""
    for suffix in (f".{kind}.tt0", f".{kind}"):
        if Path(imagename + suffix).exists():
            return imagename + suffix
    return None


def residual_planes(imagenames: Sequence[str], masks: Sequence[Any], *, fullsummary: bool) -> MinorSummary:
    """The minor cycles' summary of images on disk that were not cleaned; `masks` are the fields' `mask` parameters."""
    if _image(imagenames[0], "residual") is None:
        return {0: {0: {0: {key: [] for key in RESIDUAL_KEYS}}}}
    report: MinorSummary = {}
    for number, (parameter, imagename) in enumerate(zip(masks, imagenames, strict=True)):
        residual = _image(imagename, "residual")
        if residual is None:
            continue
        model = _image(imagename, "model")
        given = parameter if isinstance(parameter, str) else ""
        mask = given if given and Path(given).exists() else imagename + ".mask"
        mask = mask if planes.is_image(mask) else ""
        geometry = planes.image_geometry(residual)
        report[number] = {
            chan: {
                pol: _residual_plane(residual, model, mask, pol, chan, fullsummary=fullsummary)
                for pol in range(geometry.shape[2])
            }
            for chan in range(geometry.shape[3])
        }
    return report


def _residual_plane(
    residual: str, model: str | None, mask: str, pol: int, chan: int, *, fullsummary: bool
) -> dict[str, list[Any]]:
    data = planes.read_plane_double(residual, pol, chan)
    weights = planes.read_plane_double(mask, pol, chan) if mask else None
    flux = np.sum(planes.read_plane_double(model, pol, chan)) if model else 0
    peak = np.amax(data if weights is None else data * weights)
    report: dict[str, list[Any]] = {"iterDone": [0.0], "peakRes": [peak], "modelFlux": [flux], "cycleThresh": [0.0]}
    if fullsummary:
        peak_unmasked = np.amax(data)
        report |= {
            "cycleStartIters": [0.0],
            "startIterDone": [0.0],
            "startPeakRes": [peak],
            "startModelFlux": [flux],
            "startPeakResNM": [peak_unmasked],
            "peakResNM": [peak_unmasked],
            "masksum": [np.float64(0.0) if weights is None else np.sum(weights)],
            "mpiServer": [0.0],
            "stopCode": [3],
        }
    return report
