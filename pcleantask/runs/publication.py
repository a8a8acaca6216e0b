"""Products take their final names: all of them, or none.

A journal of the renames to come is written first. Who finds one that a dead process has left does what is left to do;
and a run to which the disk refuses one of them takes the others back.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from ..errors import OutputError

JOURNAL = "publication.json"
KEPT = "former"  # the folder of what stood under the final names before


@dataclass(frozen=True)
class Move:
    """One product: where it is, where it goes, and where what stands there is kept till all have moved."""

    source: Path
    target: Path
    kept: Path

    def do(self) -> None:
        """Do it, as far as it isn't done yet."""
        if not os.path.lexists(self.source):
            return
        if os.path.lexists(self.target):
            self.kept.parent.mkdir(exist_ok=True)
            remove(self.kept)  # there where somebody has put a new one in place of what was moved away
            os.rename(self.target, self.kept)
        os.rename(self.source, self.target)

    def take_back(self) -> None:
        """Undo what is done of it."""
        if not os.path.lexists(self.source) and os.path.lexists(self.target):
            os.rename(self.target, self.source)
        if os.path.lexists(self.kept) and not os.path.lexists(self.target):
            os.rename(self.kept, self.target)


def publish(folder: Path, moves: Sequence[Move], folders: Sequence[Path]) -> None:
    """Do all moves; `folder` is where the journal is kept, `folders` are those that are to be removed thereafter.

    Raises
    ------
    OutputError
        The disk refuses one of them; all are taken back.
    """
    journal = folder / JOURNAL
    entries = [[os.path.relpath(path, folder) for path in astuple(move)] for move in moves]
    places = [os.path.relpath(path, folder) for path in folders]
    write_safely(journal, json.dumps({"moves": entries, "folders": places}).encode())
    complete(folder)


def complete(folder: Path) -> list[Path]:
    """Do what is left to do of the journal in a folder; the folders that are to be removed thereafter."""
    journal = folder / JOURNAL
    found = json.loads(journal.read_bytes())
    moves = [Move(*(_from(folder, path) for path in entry)) for entry in found["moves"]]
    try:
        for move in moves:
            move.do()
    except OSError as error:
        for move in reversed(moves):
            move.take_back()
        journal.unlink()
        raise OutputError(
            f"the products can't take their final names ({error.strerror}: {error.filename!r}); they are in "
            f"{str(folder)!r}, and what stood there before stands there"
        ) from error
    return [_from(folder, path) for path in found["folders"]]


def _from(folder: Path, path: str) -> Path:
    """A path that is given as seen from a folder."""
    return Path(os.path.normpath(folder / path))


def write_safely(path: Path, data: bytes) -> None:
    """Write a file, of which there is the old one or the whole new one at any time, on the disk itself."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()
