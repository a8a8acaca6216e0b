"""Shortage of room on a disk: which errors tell of it, and what can be said of it."""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..memory import readable

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# In the text of CASA's errors and of workers'; the last one is of casacore's AppInfo::workDirectory.
SAID = (*map(os.strerror, NO_ROOM), "No work directory with at least")
# In casacore's errors; of a write that is cut short, as it fills the disk, the reason is that of some failure before.
WRITING = "write error"
OTHERWISE = tuple(map(os.strerror, (errno.EFBIG, errno.EIO, errno.EBADF, errno.EINVAL)))  # why else a write can fail


def tells_of_full_disk(error: BaseException) -> bool:
    """Whether an error is there as a disk, or a quota, had no room: the system's own, CASA's or a worker's."""
    text = str(error)
    is_cut_short = WRITING in text and not any(reason in text for reason in OTHERWISE)
    return getattr(error, "errno", None) in NO_ROOM or is_cut_short or any(said in text for said in SAID)


def may_tell_of_full_disk(error: BaseException) -> bool:
    """Whether an error may be there for that reason, whatever it says."""
    return tells_of_full_disk(error) or WRITING in str(error)


def free_at(place: Path) -> float:
    """Bytes that are free on the disk of a folder, which needn't be there; infinite where that isn't known."""
    usage = shutil.disk_usage(next(path for path in (place, *place.parents) if path.is_dir()))
    return usage.free if usage.total else math.inf  # some network disks don't know their size and say 0


def room_in_words(places: Iterable[Path], least: float = math.inf) -> str:
    """How much is free on the fullest of some folders' disks; '' where that isn't known, or isn't less than `least`."""
    free, place = min((free_at(path), path) for path in places)
    return f"{readable(free)} are free by now for {str(place)!r}" if free < least else ""
