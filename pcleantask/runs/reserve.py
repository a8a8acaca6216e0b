"""Room on the disk that is held for images to come: a file without a name, which gets smaller with each step.

So others who fill the disk in mid-run leave this run the room for what its later steps make. The file goes with the
process, however that ends.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from pathlib import Path

from .shortage import NO_ROOM


class Reserve:
    """A file that takes room.

    Parameters
    ----------
    folder : Path
        On the disk whose room is held.

    Attributes
    ----------
    size : int
        Bytes that it holds; 0 on disks that can't set room aside.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  `close` closes it
        self.size = 0

    def hold(self, wanted: int) -> None:
        """Hold so many bytes.

        Raises
        ------
        OSError
            The disk, or a quota, hasn't the room.
        """
        if wanted > self.size:
            self.size = wanted if _allocate(self._file.fileno(), wanted) else 0
        elif wanted < self.size:
            os.ftruncate(self._file.fileno(), wanted)
            self.size = wanted

    def close(self) -> None:
        """Let go of all."""
        self._file.close()


def _allocate(descriptor: int, size: int) -> bool:
    """Have the disk set so many bytes aside for a file; False where it can't, without writing them one by one."""
    try:
        call = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):  # not Linux
        return False
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if call(descriptor, 0, 0, size) == 0:
        return True
    code = ctypes.get_errno()
    if code in NO_ROOM:
        raise OSError(code, os.strerror(code))
    return False
