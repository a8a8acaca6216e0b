"""The work folder of one image field: made, locked, given up or removed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..images.products import carried_over, products
from .checkpoint import finished
from .lock import LOCK, Owner
from .publication import JOURNAL, KEPT, Move, complete, remove, write_safely

WORK_SUFFIX = ".workdirectory"
LOOKS = 3
PASSING = 8  # letters at the end of the name of a folder that is being made or removed


class WorkFolder:
    """The folder `<imagename>.workdirectory`, in which a run makes the products of one image field.

    A product takes its final name by a rename, when the run is over; until then what stood there before is untouched.
    The folder has a lock in it at any time that it is there under that name: it is made and removed under another.

    Parameters
    ----------
    imagename : str
        Final name of the products, without their suffixes.

    Attributes
    ----------
    path : Path
        The folder, absolute.
    shown : str
        The folder as the user would write it.
    imagename : str
        Name of the products in it.
    lock : Path
        The file with which this process has the folder.
    former : Owner or None
        Of a folder that `take` has found: the process that has left it.
    """

    def __init__(self, imagename: str) -> None:
        self._imagename = imagename
        self.shown = imagename + WORK_SUFFIX
        self._final = Path(imagename).absolute()
        self.path = self._final.with_name(self._final.name + WORK_SUFFIX)
        self.imagename = str(self.path / self._final.name)
        self.lock = self.path / "lock.1"
        self.former: Owner | None = None
        self._owner: Owner | None = None
        self._new_parents: list[Path] = []

    def take(self, owner: Owner) -> None:
        """Make the folder, or take over the one that a dead process has left, with all in it.

        Raises
        ------
        OutputError
            The folder can't be made, a living process is at work in it, or pclean hasn't made it.
        """
        self._new_parents = [parent for parent in self.path.parents if not parent.exists()]
        try:
            if not self.path.parent.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True)
            for rest in list(self._passing()):
                _delete(rest)
            while not (self._make(owner) or self._take_over(owner)):
                pass
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(f"imagename {self._imagename!r}: can't make {self.shown!r} ({error.strerror})") from error
        self._owner = owner

    def _make(self, owner: Owner) -> bool:
        """Make the folder, with the lock in it from the first; False where there is one."""
        if os.path.lexists(self.path):
            return False
        new = self._passing_name()
        new.mkdir()
        self.lock, self.former = self.path / "lock.1", None
        try:
            (new / self.lock.name).write_text(owner.text(), encoding="utf-8")
            new.rename(self.path)
        except OSError:
            shutil.rmtree(new, ignore_errors=True)
            if not os.path.lexists(self.path):
                raise
            return False
        return True

    def _take_over(self, owner: Owner) -> bool:
        """Take the folder of a dead process; False where it changes hands at this moment."""
        newest = self._newest_lock()
        if newest is None:
            if self._is_strange():
                raise OutputError(
                    f"imagename {self._imagename!r}: {self.shown!r} isn't a folder that pclean has made; move it "
                    f"away, or choose another name"
                )
            return False
        former = self._read(newest)
        if former is None:
            return False
        if not former.is_this_process and former.is_alive(newest):
            raise OutputError(
                f"imagename {self._imagename!r}: process {former.pid} on {former.host} is imaging under that name in "
                f"{self.shown!r}, since {former.since}; wait for it, or choose another name"
            )
        own = self.path / f"lock.{_number(newest) + 1}"
        written = self.path / f"lock-{uuid.uuid4().hex}"
        try:
            written.write_text(owner.text(), encoding="utf-8")
            os.link(written, own)  # unlike a rename it fails where another was quicker
        except (FileExistsError, FileNotFoundError):
            return False
        finally:
            written.unlink(missing_ok=True)
        if self._read(newest) != former:  # the folder is another one by now
            own.unlink(missing_ok=True)
            return False
        newest.unlink(missing_ok=True)
        self.lock, self.former = own, former
        return True

    def _is_strange(self) -> bool:
        """Whether what stands there has no lock; looked at again, as it may have been made or removed just now."""
        return all(os.path.lexists(self.path) and self._newest_lock() is None for _ in range(LOOKS))

    def _read(self, lock: Path) -> Owner | None:
        """Whose the lock is; None where it is gone."""
        try:
            return Owner.read(lock)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise OutputError(
                f"imagename {self._imagename!r}: {str(lock)!r} can't be read, so that nobody knows whether "
                f"{self.shown!r} is in use; remove that folder if it isn't, or choose another name"
            ) from error

    def main_path(self) -> Path:
        """The work folder of the main field of the run that has, or had, this one; this one where there is none."""
        owner = self.owner()
        return self.path if owner is None else Path(os.path.normpath(self.path / owner.main))

    def is_in_use(self) -> bool:
        """Whether a living process is at work in the folder."""
        owner = self.owner()
        return owner is not None and not owner.is_this_process and owner.is_alive(self.lock)

    def owner(self) -> Owner | None:
        """Whose the folder is, or was; None where it is nobody's. `lock` is their lock then."""
        lock = self._newest_lock()
        self.lock = lock or self.lock
        with contextlib.suppress(FileNotFoundError, ValueError):
            return None if lock is None else Owner.read(lock)
        return None

    def _newest_lock(self) -> Path | None:
        if self.path.is_symlink():
            return None
        try:
            locks = [entry for entry in self.path.iterdir() if LOCK.fullmatch(entry.name)]
        except (FileNotFoundError, NotADirectoryError):
            return None
        return max(locks, key=_number, default=None)

    def is_owned(self) -> bool:
        """Whether this process has the folder still: another takes it over where this one gives no sign of life."""
        return self._owner is not None and self._newest_lock() == self.lock

    def clear(self, but: Collection[Path] = ()) -> None:
        """Remove all that is in the folder, but these entries."""
        _empty(self.path, but)

    def carry_over(self, *, calcpsf: bool, calcres: bool) -> None:
        """Copy in the products of the run before that this run reads rather than makes."""
        for path in carried_over(str(self._final), calcpsf=calcpsf, calcres=calcres):
            try:
                shutil.copytree(path, self.path / path.name)
            except OSError as error:
                raise OutputError(
                    f"imagename {self._imagename!r}: can't copy {path.name!r} of the run before to "
                    f"{self.shown!r} ({_reason(error)})"
                ) from error

    def moves(self) -> list[Move]:
        """How the products take their final names."""
        return [
            Move(path, self._final.parent / path.name, self.path / KEPT / path.name)
            for path, _ in list(products(self.imagename))
        ]

    def give_up(self) -> None:
        """Leave the folder with all in it to whoever takes it next."""
        owner, self._owner = self._owner, None
        if owner is not None and self._newest_lock() == self.lock:
            with contextlib.suppress(OSError):  # a disk that is full or gone: the process's end says the same
                write_safely(self.lock, dataclasses.replace(owner, is_over=True).text().encode())

    def remove(self, *, with_parents: bool = False) -> None:
        """Remove the folder that is this process's and all in it; new parents too, unless products are there."""
        owned, self._owner = self.is_owned(), None
        if owned:
            gone = self._passing_name()
            os.rename(self.path, gone)
            _delete(gone)
        for parent in self._new_parents if with_parents else []:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()

    def _passing_name(self) -> Path:
        return self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex[:PASSING]}")

    def _passing(self) -> Iterator[Path]:
        """Folders that dead processes have left as they made or removed theirs."""
        length = len(self.path.name) + 1 + PASSING
        for entry in self.path.parent.iterdir():
            if entry.name.startswith(self.path.name + ".") and len(entry.name) == length and entry.is_dir():
                for lock in [path for path in entry.iterdir() if LOCK.fullmatch(path.name)]:
                    with contextlib.suppress(OSError, ValueError):  # removed by its own process, or not ours
                        owner = Owner.read(lock)
                        if owner.is_here and not owner.is_alive(lock):
                            yield entry


def complete_publications(imagename: str, owner: Owner) -> list[Any]:
    """Complete what a run has begun that was killed as it gave the products of `imagename`, or `imagename`_N, names.

    Returns
    -------
    list
        Of each such run what `checkpoint.finished` finds.

    Raises
    ------
    OutputError
        The disk refuses it; what stood there before stands there.
    """
    final = Path(imagename)
    named = re.compile(re.escape(final.name) + r"(_\d+)?" + re.escape(WORK_SUFFIX))
    entries = list(final.parent.iterdir()) if final.parent.is_dir() else []
    found = [
        _complete(WorkFolder(str(entry).removesuffix(WORK_SUFFIX)), owner)
        for entry in entries
        if named.fullmatch(entry.name)
    ]
    return [run for run in found if run is not None]


def _complete(folder: WorkFolder, owner: Owner) -> Any:
    """Complete the publication of the dead run that a folder is of, if it was at one, and remove its folders."""
    main = WorkFolder(str(folder.main_path()).removesuffix(WORK_SUFFIX))
    if not (main.path / JOURNAL).is_file() or main.is_in_use():
        return None
    main.take(owner)
    run = finished(main.path)
    try:
        for path in complete(main.path):
            other = WorkFolder(str(path).removesuffix(WORK_SUFFIX))
            if other.path != main.path and other.path.is_dir():
                other.take(owner)
                other.remove()
    except OSError:
        main.give_up()
        raise
    main.remove()
    return run


def _number(lock: Path) -> int:
    return int(lock.name.rpartition(".")[2])


def _empty(folder: Path, but: Collection[Path] = ()) -> None:
    """Remove all that is in a folder but its locks and some other entries."""
    for entry in folder.iterdir():
        if not LOCK.fullmatch(entry.name) and entry not in but:
            remove(entry)


def _delete(folder: Path) -> None:
    """Remove a folder, its locks last: whoever finds what a killed process has left of it knows whose it was."""
    with contextlib.suppress(OSError):  # what can't be removed now is looked at by the next run under that name
        _empty(folder)
        shutil.rmtree(folder)


def _reason(error: OSError) -> str:
    """Why a copy failed: copytree gathers an entry (from, to, reason) for each file."""
    return error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror or str(error)
