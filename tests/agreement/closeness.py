"""Compare images whose sums were made in another order: within a part of the peak, or say which are further off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pcleantask import casa
from tests.agreement.compare import differences, is_image, peak, read_image

TOLERANCE = 1e-5  # of the peak, see `scale`
# Quotients of images down to a tenth of the peak residual, and terms that the data hardly determine.
LOOSER = {".alpha": 1e-4, ".beta": 1e-3, ".image.tt2": 1e-3, ".model.tt2": 1e-3}
WEIGHT_NOTE = "['miscinfo']['useweightimage']"  # CASA notes it in other images where it sums parts than where not
COUNTS = ("iterdone", "stopcode", "nmajordone")  # entries of the return dictionary that rounding doesn't change


def deviations(expected: dict[str, Path], found: dict[str, Path]) -> Iterator[str]:
    """Which images deviate by more than the tolerance, or have another shape or pixel mask; suffix -> path each."""
    for suffix, path in expected.items():
        if not is_image(path):
            continue
        one, other = read_image(path), read_image(found[suffix])
        both = one.good & other.good
        assert is_rounding(one.good != other.good, both, suffix, expected), f"{suffix}: other pixel mask"
        worst = np.abs(one.pixels - other.pixels)[both].max(initial=0.0)
        allowed = limit(suffix, expected)
        if worst > allowed:
            yield f"{suffix}: {worst:.3g} off, {allowed:.3g} allowed"


def is_rounding(differ: np.ndarray, both: np.ndarray, suffix: str, images: dict[str, Path]) -> bool:
    """Whether rounding can be why pixels are good in one image and not in the other.

    Quotients of Taylor terms are where .image.tt0 is above a limit, a part of the peak residual: there it can, for
    pixels of one brightness, below all that are good in both.
    """
    if not differ.any():
        return True
    if not suffix.startswith((".alpha", ".beta")):
        return False
    bright = read_image(images[".image.tt0"]).pixels
    allowed, found = TOLERANCE * np.abs(bright).max(), bright[differ]
    return bool(np.ptp(found) < allowed and found.max() < bright[both].min(initial=np.inf) + allowed)


def limit(suffix: str, images: dict[str, Path]) -> float:
    """The largest difference allowed for an image of a continuum run on several workers; a mask may not differ."""
    if suffix == ".mask":
        return 0.0
    tolerance = next((value for part, value in LOOSER.items() if part in suffix), TOLERANCE)
    return tolerance * scale(suffix, images)


def scale(suffix: str, images: dict[str, Path]) -> float:
    """What rounding is relative to: the image's own peak; a residual may be small beside what was cleaned from it.

    Taylor terms differ by orders of magnitude. Of a narrow band the higher ones are all rounding, and large. In higher
    terms' sums of weights, what lies below the reference frequency cancels what lies above it.
    """
    if suffix.startswith(".sumwt.tt"):
        return peak(images[".sumwt.tt0"])
    own = peak(images[suffix])
    bright = images.get(".image.tt0", images.get(".image"))
    if not suffix.startswith(".residual") or bright is None:
        return own
    return max(own, peak(bright) * peak(images[suffix.replace("residual", "psf")]))


def other_counts(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Which counts of two return dictionaries differ."""
    return [
        f"{key}: {expected.get(key)} expected, {found.get(key)} found"
        for key in COUNTS
        if expected.get(key) != found.get(key)
    ]


def minor_cycle_deviations(expected: dict[str, Any], found: dict[str, Any], place: str = "") -> Iterator[str]:
    """Where two summaries of the minor cycles differ: counts at all, fluxes by more than a sum's rounding."""
    assert expected.keys() == found.keys(), place
    for key, value in expected.items():
        if isinstance(value, dict):
            yield from minor_cycle_deviations(value, found[key], f"{place}[{key!r}]")
            continue
        one, other = np.asarray(value, dtype=float), np.asarray(found[key], dtype=float)
        allowed = 0.0 if key == "iterDone" else TOLERANCE * np.abs(one).max(initial=0.0)
        if one.shape != other.shape or (np.abs(one - other) > allowed).any():
            yield f"{place}[{key!r}]: {value} expected, {found[key]} found"


def model_deviation(expected: Path, found: Path) -> float:
    """The largest difference between two MODEL_DATA columns, of the peak; 0 where neither has one."""
    columns = []
    for path in (expected, found):
        with casa.opened_table(str(path)) as table:
            columns.append(table.getcol("MODEL_DATA") if "MODEL_DATA" in table.colnames() else np.zeros(1))
    return float(np.abs(columns[0] - columns[1]).max() / (np.abs(columns[0]).max() or 1.0))


def description_differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """How the descriptions of two images differ, but for rounding and the weight note."""
    return [line for line in differences(expected, aligned(expected, found)) if WEIGHT_NOTE not in line]


def aligned(expected: Any, found: Any) -> Any:
    """`found`, with numbers and arrays that are within the tolerance of those in `expected` replaced by them."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return {key: aligned(expected.get(key), value) for key, value in found.items()}
    if isinstance(expected, np.ndarray) and isinstance(found, np.ndarray) and expected.dtype == found.dtype:
        floats = expected.dtype.kind == "f" and expected.shape == found.shape
        return expected if floats and np.allclose(expected, found, rtol=TOLERANCE, atol=0.0) else found
    if isinstance(expected, float) and isinstance(found, float) and abs(expected - found) <= TOLERANCE * abs(expected):
        return expected
    return found
