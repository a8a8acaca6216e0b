"""The products of a run: the only list of their suffixes, and the work folder in which they are made."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import MissingInputError, OutputError, ParameterError
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
WORK_SUFFIX = ".workdirectory"
OWNER_FILE = "owner"


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


class WorkFolder:
    """The folder `<imagename>.workdirectory`, in which a run makes the products of one image field.

    A product takes its final name by a rename, when the run is over; until then what stood there before is untouched.

    Parameters
    ----------
    imagename : str
        Final name of the products, without their suffixes.

    Raises
    ------
    OutputError
        The folder can't be made, or a running process of this machine is at work in it.
    """

    def __init__(self, imagename: str) -> None:
        self._final = Path(imagename)
        self.path = Path(imagename + WORK_SUFFIX)
        self.imagename = str(self.path / self._final.name)
        self._new_parents: list[Path] = []
        self._is_ours = False

    def create(self) -> None:
        """Make the folder; one that a dead run left is replaced."""
        if self.path.exists():
            self._refuse_if_in_use()
            shutil.rmtree(self.path, ignore_errors=True)
        self._new_parents = [parent for parent in self.path.parents if not parent.exists()]
        try:
            self.path.mkdir(parents=True)
            self._is_ours = True
            (self.path / OWNER_FILE).write_text(f"{socket.gethostname()} {os.getpid()}", encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"imagename {str(self._final)!r}: can't make {str(self.path)!r} ({error.strerror})"
            ) from error

    def carry_over(self, *, calcpsf: bool, calcres: bool) -> None:
        """Copy in the products of the run before that this run reads rather than makes."""
        for path in carried_over(str(self._final), calcpsf=calcpsf, calcres=calcres):
            try:
                shutil.copytree(path, self.path / path.name)
            except OSError as error:
                raise OutputError(
                    f"imagename {str(self._final)!r}: can't copy {path.name!r} of the run before to "
                    f"{str(self.path)!r} ({_reason(error)})"
                ) from error

    def publish(self) -> list[Path]:
        """Give the products their final names, remove the folder, and return the products' paths."""
        published = []
        for path, _ in list(products(self.imagename)):
            target = self._final.parent / path.name
            if target.exists():
                target.rename(self.path / (path.name + ".former"))
            path.rename(target)
            published.append(target)
        self.discard()
        return published

    def discard(self) -> None:
        """Remove the folder that `create` has made and all in it, and its new parents unless products are there."""
        if not self._is_ours:
            return
        self._is_ours = False
        shutil.rmtree(self.path, ignore_errors=True)
        for parent in self._new_parents:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()

    def _refuse_if_in_use(self) -> None:
        owner = self.path / OWNER_FILE
        if not owner.is_file():
            return
        host, _, pid = owner.read_text(encoding="utf-8").partition(" ")
        if host == socket.gethostname() and pid.isdigit() and int(pid) != os.getpid() and Path(f"/proc/{pid}").exists():
            raise OutputError(
                f"imagename {str(self._final)!r}: process {pid} is imaging under that name in {str(self.path)!r}; "
                f"wait for it, or choose another name"
            )


def _reason(error: OSError) -> str:
    """Why a copy failed: copytree gathers an entry (from, to, reason) for each file."""
    return error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror or str(error)
