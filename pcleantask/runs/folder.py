"""The work folder of one image field: made, locked, published or discarded."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from ..errors import OutputError
from ..images.products import carried_over, products

WORK_SUFFIX = ".workdirectory"
OWNER_FILE = "owner"


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
