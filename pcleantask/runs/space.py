"""Disk space: what a run has still to write, so that a full disk is a named error.

CASA doesn't survive a full disk: a destructor in casacore throws, which ends the whole process, the user's session
with it. So the space is looked at before the work begins and again before each step of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from types import MappingProxyType

from ..config import PcleanConfig
from ..errors import OutputError
from ..images.products import products
from ..images.taylor import CUBES
from ..memory import readable
from ..sections import ImageField

# Step of an imager -> kinds of images that it makes where they aren't there.
MADE_IN = {
    "make_psf": (".psf", ".pb"),
    "make_pb": (".pb",),
    "run_major_cycle": (".residual", ".model"),
    "restore": (".image",),
    **dict.fromkeys(("update_masks", "init_records", "has_converged", "run_minor_cycle"), (".mask", ".model")),
}
TABLES = 200 << 10  # what an image takes beside its pixels, and temporary copies of that [bytes]


def check_space(
    config: PcleanConfig,
    imagenames: Sequence[str],
    pieces: Sequence[Sequence[str]] = (),
    nchans: Sequence[int | None] = (),
    held: Mapping[int, int] = MappingProxyType({}),
) -> None:
    """Raise OutputError where a disk has less room than the images that aren't there yet will surely take.

    Parameters
    ----------
    config : PcleanConfig
    imagenames : sequence of str
        Where each field's images are made, without suffixes; the folders need not be there yet.
    pieces : sequence of sequence of str
        For each field, the names of the pieces of which its images are put together at the end, where that is so.
    nchans : sequence of int or None
        For each field, its number of channels, where that is known by now and the parameters leave it to the data.
    held : mapping
        Bytes of room that this run holds for these images: the number of the disk's device -> their sum.
    """
    needs: dict[int, int] = {}
    places: dict[int, Path] = {}
    parted = pieces or [()] * len(imagenames)
    counts = nchans or [None] * len(imagenames)
    for field, name, names, nchan in zip(config.fields, imagenames, parted, counts, strict=True):
        place = next(parent for parent in Path(name).absolute().parents if parent.is_dir())
        disk = place.stat().st_dev
        places.setdefault(disk, place)
        needs[disk] = needs.get(disk, 0) + bytes_to_come(config, field, name, names, nchan)
    for disk, need in needs.items():
        usage = shutil.disk_usage(places[disk])
        free = usage.free + held.get(disk, 0)
        if usage.total and need > free:  # some network disks don't know their size and say 0
            raise OutputError(
                f"imagename {config.fields[0].imagename!r}: the images need {readable(need)} more, and "
                f"{str(places[disk])!r} has {readable(free)} free; make room there, or choose another place"
            )


def bytes_to_come(
    config: PcleanConfig,
    field: ImageField,
    imagename: str,
    pieces: Sequence[str] = (),
    nchan: int | None = None,
    made: tuple[str, ...] = (),
) -> int:
    """The least that the images of one field which aren't on disk yet will take [bytes].

    Pieces count as the image; but as many images as there are pieces are put together at once, before the pieces go.
    Kinds of images in `made`, such as '.psf', count as if they were there.
    """
    there: dict[str, int] = {}
    for name in (imagename, *pieces):
        for path, _ in products(name):
            suffix = path.name.removeprefix(Path(name).name)
            there[suffix] = there.get(suffix, 0) + _size(path)
    shape = config.image_shape(field)
    cubes = {suffix: size for suffix, size in there.items() if field.specmode == "mvc" and suffix in CUBES}
    rest = {suffix: size for suffix, size in there.items() if suffix not in cubes}
    groups = [
        (planned(config, field), rest, shape[3] or nchan),
        (planned_cubes(config, field), cubes, max(field.nchan, 1)),
    ]
    total = 0
    for images, found, count in groups:
        pixels = 4 * prod(size or 1 for size in (*shape[:3], count))
        to_come = [suffix for suffix in images if suffix not in found and not suffix.startswith(made)]
        total += (len(to_come) + min(len(pieces), len(images))) * (max([pixels, *found.values()]) + TABLES)
    return total


def planned(config: PcleanConfig, field: ImageField) -> list[str]:
    """Suffixes of the large images that the run is sure to make."""
    run = config.run
    terms = [f".tt{term}" for term in range(field.nterms)] if field.multiterm else [""]
    more = [f".tt{term}" for term in range(2 * field.nterms - 1)] if field.multiterm else [""]
    suffixes = [f".psf{term}" for term in more] if run.calcpsf else []
    suffixes += [f".pb{terms[0]}"] if run.calcpsf else []
    suffixes += [f".residual{term}" for term in terms] if run.calcres else []
    if config.iteration.niter > 0:
        suffixes += [".mask", *(f".model{term}" for term in terms)]
    if config.deconvolution.restoration:
        suffixes += [f".image{term}" for term in terms]
    return suffixes


def planned_cubes(config: PcleanConfig, field: ImageField) -> list[str]:
    """Suffixes of the cubes that specmode='mvc' is sure to make beside its images of Taylor terms."""
    if field.specmode != "mvc":
        return []
    run = config.run
    made = {".psf": run.calcpsf, ".pb": run.calcpsf, ".residual": run.calcres, ".model": config.iteration.niter > 0}
    return [suffix for suffix, is_made in made.items() if is_made]


def _size(path: Path) -> int:
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
