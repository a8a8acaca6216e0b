"""The products of a run: the only list of their suffixes, and what is on the disk under their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import MissingInputError, ParameterError
from ..traits import makes_terms
from .planes import image_geometry, is_image

TAYLOR = r"(\.tt\d+)?"
# Suffixes of products, each with the run that makes it anew: 'psf' with calcpsf, 'residual' with calcres, 'always'
# where every run does; those of no such run are carried over from the run before.
PRODUCTS = {
    "psf": "psf",
    "pb": "psf",
    "weight": "psf",
    "sumwt": "psf",
    "gridwt": "psf",
    "residual": "residual",
    "model": "",
    "mask": "",
    "image": "always",
    "image.pbcor": "always",
    "alpha": "always",
    "alpha.error": "always",
    "alpha.pbcor": "always",
    "beta": "always",
    "cf": "",
}
SUFFIX = re.compile(r"\.(" + "|".join(re.escape(kind) for kind in PRODUCTS) + r")" + TAYLOR + r"(\.pbcor)?$")


def product_kind(name: str, imagename: str) -> str | None:
    """Which kind of product of `imagename` a file name is, as a key of PRODUCTS; None where it is none."""
    match = SUFFIX.fullmatch(name[len(imagename) :]) if name.startswith(imagename) else None
    return match[1] if match else None


def is_gridded(path: str) -> bool:
    """Whether the gridder makes the product at that path; the deconvolver makes the others."""
    match = SUFFIX.search(path)
    return match is not None and PRODUCTS[match[1]] in ("psf", "residual")


def products(imagename: str) -> Iterator[tuple[Path, str]]:
    """The products of `imagename` on disk, each with its kind."""
    path = Path(imagename)
    if path.parent.is_dir():
        for entry in sorted(path.parent.iterdir()):
            kind = product_kind(entry.name, path.name)
            if kind is not None:
                yield entry, kind


def sumwt_of(imagename: str, deconvolver: str, specmode: str) -> str:
    """The image in which a run has the sums of the weights that it grids; by way of a cube it grids a cube's."""
    term = ".tt0" if makes_terms(deconvolver) and specmode != "mvc" else ""
    return f"{imagename}.sumwt{term}"


def carried_over(imagename: str, *, calcpsf: bool, calcres: bool) -> list[Path]:
    """The products of a run before that a run under the same name reads rather than makes."""
    made = {"always"} | ({"psf"} if calcpsf else set()) | ({"residual"} if calcres else set())
    return [path for path, kind in products(imagename) if PRODUCTS[kind] not in made]


def counted_names(imagenames: tuple[str, ...]) -> tuple[str, ...]:
    """The names with which a run with restart=False spares the products of runs before: name, name_2, name_3, ...

    All fields get the same number. Follows incrementImageNameList of casatasks' input_parameters.py (6.7.0).
    """
    highest = max(_highest_number(Path(name)) for name in imagenames)
    return tuple(f"{name}_{highest + 1}" if highest else name for name in imagenames)


def _highest_number(path: Path) -> int:
    """The highest number that products of this name bear: 1 for the bare name, 0 where there are none."""
    counted = re.compile(re.escape(path.name) + r"(?:_(\d+))?\.(image|residual|model|psf|sumwt)(\.tt0)?")
    matches = [counted.fullmatch(entry.name) for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    return max((int(match[1] or 1) for match in matches if match), default=0)


Shape = tuple[int | None, ...]


def check_shapes(imagename: str, shape: Shape, which: Callable[[Path], bool] = lambda path: True) -> None:
    """Raise ParameterError where a product on disk has another shape (nx, ny, npol, nchan) than the run will make.

    Entries that are None aren't known yet and aren't compared; `which` tells the products that are to have that shape.
    CASA refuses such a restart as well, but late.
    """
    for path, _ in products(imagename):
        if ".sumwt" in path.suffixes or not which(path) or not is_image(str(path)):
            continue
        found = image_geometry(str(path)).shape
        if any(size is not None and size != have for size, have in zip(shape, found, strict=True)):
            raise ParameterError(
                f"imagename {imagename!r}: {path.name} from a run before has the shape {list(found)}, this run would "
                f"make {['?' if size is None else size for size in shape]} (x, y, Stokes, channels); "
                f"choose another imagename, remove the old images, or set restart=False"
            )


def check_former(imagename: str, suffix: str, wanted_by: str) -> None:
    """Raise MissingInputError where a product that the run reads rather than makes is not there.

    `wanted_by` are the parameters that leave it to a run before, such as 'calcpsf=False'.
    """
    if not is_image(f"{imagename}.{suffix}"):
        raise MissingInputError(
            f"{wanted_by} takes {imagename + '.' + suffix!r} of a run before, which is not there; image with "
            f"{wanted_by.partition('=')[0]}=True, or give the imagename of a run that has made it, with restart=True"
        )
