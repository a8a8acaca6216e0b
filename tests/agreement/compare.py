"""Compare two image sets, return dictionaries and MODEL_DATA columns: to the last bit, or say where they differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pcleantask import casa

# What differs between two runs of tclean itself: in each image the memory that was free; in a virtual model the name of
# its image, which has the process number in it, and a number of antennas that CASA never sets.
UNSTABLE_KEYS = frozenset({"memavail", "diskimage", "nantenna"})


@dataclass(frozen=True)
class Image:
    """What an image holds: pixels and pixel mask in the order (ra, dec, stokes, channel), and what describes them."""

    pixels: np.ndarray
    good: np.ndarray
    description: dict[str, Any]


def read_image(path: Path) -> Image:
    """Read the whole image at `path`."""
    with casa.tool("image") as image:
        image.open(str(path))
        return Image(image.getchunk(), image.getchunk(getmask=True), description(image))


def description(image: Any) -> dict[str, Any]:
    """What describes the image that the image tool has open."""
    coordinates = image.coordsys()
    found = {
        "coordinates": coordinates.torecord(),
        "beams": image.restoringbeam(),
        "unit": image.brightnessunit(),
        "miscinfo": image.miscinfo(),
        "masks": sorted(image.maskhandler("get")),
    }
    coordinates.done()
    return found


def is_image(path: Path) -> bool:
    """Whether `path` is an image on disk."""
    return (path / "table.dat").exists()


def products(folder: Path, imagename: str) -> dict[str, Path]:
    """Everything on disk whose name starts with `imagename` and a dot: suffix -> path."""
    return {path.name.removeprefix(imagename): path for path in sorted(folder.glob(f"{imagename}.*"))}


def differences(expected: Any, found: Any, place: str = "") -> Iterator[str]:
    """Where two nested values differ: types of containers, keys, lengths, numbers by ==, NaN equal to NaN."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in [*expected, *(key for key in found if key not in expected)]:
            if key in UNSTABLE_KEYS and key in expected and key in found:
                continue
            if key not in found or key not in expected:
                yield f"{place}[{key!r}]: {'missing' if key not in found else 'not in the expected'}"
            else:
                yield from differences(expected[key], found[key], f"{place}[{key!r}]")
    elif isinstance(expected, (list, tuple)) and isinstance(found, (list, tuple)):
        if len(expected) != len(found):
            yield f"{place}: length {len(expected)} expected, {len(found)} found"
        for i, (one, other) in enumerate(zip(expected, found, strict=False)):
            yield from differences(one, other, f"{place}[{i}]")
    elif isinstance(expected, np.ndarray) or isinstance(found, np.ndarray):
        yield from _array_differences(np.asarray(expected), np.asarray(found), place)
    elif type(expected) is not type(found) or (expected != found and not (expected != expected and found != found)):
        yield f"{place}: {expected!r} expected, {found!r} found"


def _array_differences(expected: np.ndarray, found: np.ndarray, place: str) -> Iterator[str]:
    if expected.shape != found.shape or expected.dtype != found.dtype:
        yield f"{place}: {expected.dtype}{expected.shape} expected, {found.dtype}{found.shape} found"
        return
    same = expected == found
    if expected.dtype.kind in "fc":
        same |= np.isnan(expected) & np.isnan(found)
    if same.all():
        return
    count = f"{np.count_nonzero(~same)} of {same.size} values differ"
    if expected.dtype.kind in "fc":
        worst = np.nanmax(np.abs(expected - found), initial=0.0)
        count += f", max abs difference {worst:.3g} (expected peak {np.nanmax(np.abs(expected), initial=0.0):.3g})"
    where = [int(i) for i in np.argwhere(~same)[0]]
    planes = sorted({tuple(int(i) for i in index[2:]) for index in np.argwhere(~same)}) if same.ndim == 4 else []
    yield f"{place}: {count}; first at {where}" + (f"; planes (stokes, channel) {planes[:8]}" if planes else "")


def compare_images(expected: Path, found: Path) -> list[str]:
    """How two images differ: pixels, pixel masks, coordinates, beams, unit."""
    one, other = read_image(expected), read_image(found)
    return [
        *_array_differences(one.pixels, other.pixels, "pixels"),
        *_array_differences(one.good, other.good, "pixel mask"),
        *differences(one.description, other.description),
    ]


def compare_products(expected: dict[str, Path], found: dict[str, Path]) -> list[str]:
    """How two sets of products differ, a line a difference; both are suffix -> path."""
    lines = [f"{suffix}: missing" for suffix in expected if suffix not in found]
    lines += [f"{suffix}: not among the expected products" for suffix in found if suffix not in expected]
    for suffix in sorted(expected.keys() & found.keys()):
        if is_image(expected[suffix]) != is_image(found[suffix]):
            lines.append(f"{suffix}: an image on one side only")
        elif is_image(expected[suffix]):
            lines += [f"{suffix}: {line}" for line in compare_images(expected[suffix], found[suffix])]
    return lines


def listing(folder: Path) -> list[str]:
    """Names of all that tasks left in `folder`, data and CASA's logs apart."""
    return sorted(path.name for path in folder.iterdir() if path.suffix not in {".ms", ".log"})


def compare_saved_models(expected: Path, found: Path) -> list[str]:
    """How the models saved in two MeasurementSets differ: MODEL_DATA; virtual models and their images."""
    lines = list(differences(_saved_models(expected), _saved_models(found), expected.name))
    images = [sorted((path / "SOURCE").glob("FT_MODEL*")) for path in (expected, found)]
    lines += differences(len(images[0]), len(images[1]), f"{expected.name} virtual models")
    for one, other in zip(*images, strict=False):
        lines += [f"{expected.name} {one.name}: {line}" for line in compare_images(one, other)]
    return lines


def _saved_models(path: Path) -> dict[str, Any]:
    saved: dict[str, Any] = {}
    with casa.tool("table") as table:
        table.open(str(path))
        if "MODEL_DATA" in table.colnames():
            saved["MODEL_DATA"] = table.getcol("MODEL_DATA")
        for name in table.keywordnames():
            if "model" in name.lower():
                saved[name] = table.getkeyword(name)
    with casa.tool("table") as table:
        table.open(str(path / "SOURCE"))
        if "SOURCE_MODEL" in table.colnames():
            saved["SOURCE_MODEL"] = [table.getcell("SOURCE_MODEL", row) for row in range(table.nrows())]
    return saved


def peak(path: Path) -> float:
    """The largest absolute pixel value of an image, pixel mask applied."""
    image = read_image(path)
    return float(np.abs(image.pixels[image.good]).max(initial=0.0))
