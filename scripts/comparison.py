"""What scripts/compare_with_tclean finds when it compares the images, return values and saved models of two tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pcleantask import casa
from pcleantask.images.products import SUFFIX
from tests.agreement.closeness import (
    TOLERANCE,
    description_differences,
    limit,
    minor_cycle_deviations,
    model_deviation,
    other_counts,
)
from tests.agreement.compare import compare_saved_models, description, differences, is_image

HEADER = ("image", "peak", "largest difference", "of the peak", "allowed", "pixel mask", "coordinates, beams, units")


@dataclass(frozen=True)
class ImageDifference:
    """How an image differs from tclean's.

    Attributes
    ----------
    name : str
    peak : float
        The largest absolute pixel value of tclean's image, pixel mask applied.
    largest : float
        The largest absolute difference of pixels, in a split run of those that aren't masked; infinite where shapes
        differ, or only one side has an image or a NaN.
    allowed : float
    nmasked : int
        Pixels whose pixel masks differ.
    notes : tuple of str
        How coordinates, beams, unit and miscellaneous information differ.
    """

    name: str
    peak: float
    largest: float
    allowed: float
    nmasked: int = 0
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether it is within what is allowed."""
        return self.largest <= self.allowed and not self.nmasked and not self.notes

    def cells(self) -> tuple[str, ...]:
        """A row of the table with HEADER."""
        relative = self.largest / self.peak if self.peak else self.largest
        return (
            self.name,
            f"{self.peak:.6g}",
            f"{self.largest:.3g}",
            f"{relative:.2g}",
            f"{self.allowed:.2g}",
            f"{self.nmasked} differ" if self.nmasked else "same",
            f"{len(self.notes)} differ" if self.notes else "same",
        )


def images_in(folder: Path, data: Iterable[str]) -> dict[str, Path]:
    """The images that a task has left in a folder, data apart: name -> path."""
    return {path.name: path for path in sorted(folder.iterdir()) if path.name not in set(data) and is_image(path)}


def compare_folders(expected: Path, found: Path, data: Iterable[str], *, split: bool) -> Iterator[ImageDifference]:
    """Compare all images of two folders; with `split`, sums may have been made in another order."""
    theirs, ours = images_in(expected, data), images_in(found, data)
    for name in sorted(theirs.keys() | ours.keys()):
        if name not in theirs or name not in ours:
            side = "only tclean has it" if name in theirs else "tclean has none"
            yield ImageDifference(name, 0.0, np.inf, 0.0, notes=(side,))
        else:
            yield compare_image(theirs[name], ours[name], allowed(name, theirs) if split else 0.0, split=split)


def allowed(name: str, images: dict[str, Path]) -> float:
    """The largest difference that an image of a split run may have; 0 for what is no product of a task."""
    match = SUFFIX.search(name)
    if match is None:
        return 0.0
    base = name[: match.start()]
    return limit(match[0], {other.removeprefix(base): path for other, path in images.items() if other.startswith(base)})


def compare_image(expected: Path, found: Path, allowance: float, *, split: bool) -> ImageDifference:
    """Compare two images, channel by channel, so that those larger than the memory can be compared."""
    with casa.opened_image(str(expected)) as one, casa.opened_image(str(found)) as other:
        theirs, ours = description(one), description(other)
        notes = tuple((description_differences if split else differences)(theirs, ours))
        shape = [int(size) for size in one.shape()]
        if shape != [int(size) for size in other.shape()]:
            return ImageDifference(expected.name, 0.0, np.inf, allowance, notes=("another shape", *notes))
        peak = largest = 0.0
        nmasked = 0
        for channel in range(shape[3]):
            box = {"blc": [0, 0, 0, channel], "trc": [*(size - 1 for size in shape[:3]), channel]}
            pixels, others = one.getchunk(**box), other.getchunk(**box)
            good, other_good = one.getchunk(**box, getmask=True), other.getchunk(**box, getmask=True)
            peak = max(peak, float(np.nanmax(np.abs(pixels[good]), initial=0.0)))
            counted = good if split else np.ones_like(good)
            largest = max(largest, largest_difference(pixels[counted], others[counted]))
            nmasked += int(np.count_nonzero(good != other_good))
    return ImageDifference(expected.name, peak, largest, allowance, nmasked, notes)


def largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest absolute difference of two arrays; NaN equals NaN, and is infinitely far from a number."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(one - other)
    difference[(one == other) | (np.isnan(one) & np.isnan(other))] = 0.0
    return float(np.nan_to_num(difference, nan=np.inf, posinf=np.inf).max(initial=0.0))


def compare_returned(expected: dict[str, Any], found: dict[str, Any], *, split: bool) -> list[str]:
    """How return dictionaries differ; of a split run, counts and the minor cycles' summaries."""
    if not split:
        return list(differences(expected, found, "returned"))
    lines = other_counts(expected, found)
    if not lines and "summaryminor" in expected:
        lines = list(minor_cycle_deviations(expected["summaryminor"], found["summaryminor"], "summaryminor"))
    return lines


def compare_models(expected: Path, found: Path, *, split: bool) -> list[str]:
    """How the models saved in two copies of a MeasurementSet differ."""
    if not split:
        return compare_saved_models(expected, found)
    deviation = model_deviation(expected, found)
    return [f"{expected.name}: MODEL_DATA {deviation:.2g} of the peak off"] if deviation > TOLERANCE else []


def table(rows: Iterable[Iterable[str]]) -> str:
    """Rows of cells as text in columns."""
    cells = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
