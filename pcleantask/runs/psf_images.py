"""PSFs, primary beams and weights stay as they are once they are made: a run that goes on with another takes them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..images.assemble import Piece, assemble
from ..images.products import PRODUCTS, products
from .identity import Stamps, stamps
from .publication import remove

STAGE = "psf"  # the value in PRODUCTS of what these are
SUMS = (
    "sumwt"  # the kind that CASA writes anew, the same, at each major cycle: it may be cut short when a run is killed
)
SET_ASIDE = "former"  # how folders of pieces are called whose name the new run needs


@dataclass(frozen=True)
class PsfImages:
    """Where they are.

    Attributes
    ----------
    names : list of str
        Each field's image name, under which they are whole.
    pieces : list of list of Piece
        For each field, of what they are to be put together; their paths are image names. Empty where they are whole.
    coordinates : list of dict
        Each field's coordinate system; empty where they are whole.
    nchan : int
        How many channels they have; 0 where they are whole.
    """

    names: list[str]
    pieces: list[list[Piece]]
    coordinates: list[dict[str, Any]]
    nchan: int = 0

    def _images(self) -> Iterator[Path]:
        for number, name in enumerate(self.names):
            for piece in [piece.path for piece in self.pieces[number]] if self.pieces else [name]:
                yield from (path for path, kind in products(piece) if PRODUCTS[kind] == STAGE)

    def _sums(self) -> list[Path]:
        return [path for path in self._images() if f".{SUMS}" in path.name]

    def write_through(self) -> None:
        """Let the disk itself have them, so that they outlive the host's end."""
        for path in self._images():
            for file in path.rglob("*"):
                if file.is_file():
                    with file.open("rb") as opened:
                        os.fsync(opened.fileno())

    def copy_sums(self, target: Path) -> None:
        """Copy the sums of weights, which take hardly any room, to a new folder."""
        target.mkdir()
        for number, path in enumerate(self._sums()):
            shutil.copytree(path, target / str(number))

    def facts(self, folder: Path, copies: Path) -> dict[str, Any]:
        """What `found` reads; paths are as seen from the folder. `copies` is where `copy_sums` has put them."""
        pieces = [
            [(os.path.relpath(one.path, folder), one.channels.start, one.channels.stop, one.start, one.size)
             for one in field]
            for field in self.pieces
        ]  # fmt: skip
        return {
            "names": [os.path.relpath(name, folder) for name in self.names],
            "pieces": pieces,
            "coordinates": self.coordinates,
            "nchan": self.nchan,
            "stamps": self._stamps(folder),
            "sums": [os.path.relpath(path, folder) for path in self._sums()],
            "copies": os.path.relpath(copies, folder),
        }

    def _stamps(self, folder: Path) -> dict[str, Stamps]:
        sums = self._sums()
        return {os.path.relpath(path, folder): stamps(path) for path in self._images() if path not in sums}

    @classmethod
    def found(cls, facts: dict[str, Any], folder: Path) -> PsfImages | None:
        """Those that a run before has told of, if they are as it has left them; sums of weights are put back."""
        names = [os.path.normpath(folder / name) for name in facts["names"]]
        pieces = [
            [Piece(str(folder / name), range(first, stop), start, size) for name, first, stop, start, size in field]
            for field in facts["pieces"]
        ]
        images = cls(names, pieces, facts["coordinates"], facts["nchan"])
        if not facts["stamps"] or images._stamps(folder) != facts["stamps"]:
            return None
        for number, name in enumerate(facts["sums"]):
            remove(folder / name)
            shutil.copytree(folder / facts["copies"] / str(number), folder / name)
        return images

    def entries(self) -> set[Path]:
        """What in the work folders they are, or are in."""
        if self.pieces:
            return {Path(piece.path).parent for field in self.pieces for piece in field}
        return set(self._images())

    def set_aside(self) -> PsfImages:
        """Give the folders of pieces other names; the same images there."""
        moved = {}
        for number, entry in enumerate(sorted(self.entries() if self.pieces else [])):
            moved[entry] = entry.with_name(f"{SET_ASIDE}{number}-{entry.name}")
            entry.rename(moved[entry])
        pieces = [
            [replace(piece, path=str(moved[Path(piece.path).parent] / Path(piece.path).name)) for piece in field]
            for field in self.pieces
        ]
        return replace(self, pieces=pieces)

    def put_together(self) -> None:
        """Make them whole; the pieces go."""
        for number, field in enumerate(self.pieces):
            for suffix in suffixes(field[0].path):
                parts = [replace(piece, path=piece.path + suffix) for piece in field]
                assemble(self.names[number] + suffix, parts, self.coordinates[number], self.nchan)
        for entry in self.entries() if self.pieces else ():
            shutil.rmtree(entry)


def suffixes(imagename: str) -> Sequence[str]:
    """Those of the images of this kind that are there under a name."""
    found = products(imagename)
    return [path.name.removeprefix(Path(imagename).name) for path, kind in found if PRODUCTS[kind] == STAGE]
