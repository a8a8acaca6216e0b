"""Who works in a work folder: written in a file there, and judged from it whether that process is still alive."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

LOCK = re.compile(r"lock\.(\d+)")  # a folder that is taken over from a dead process gets a lock with the next number
BEAT_S = 5.0  # between two signs of life
STALE_S = 60.0  # without a sign of life, after which a process that can't be looked at counts as dead
LOOK_S = 0.5  # between two looks for one


@dataclass(frozen=True)
class Owner:
    """The process that works in a folder.

    Attributes
    ----------
    run : str
        The same in all folders of a run, and in no other's.
    host : str
        Its name, for people.
    place : str
        Where process numbers mean the same: a boot of a kernel, and a namespace of it.
    pid, started : int
        Process number, and when the process began [ticks of the kernel since its boot], as numbers are used again.
    since : str
        When the run began, ISO 8601.
    main : str
        The work folder of the run's main field, as seen from this one.
    is_over : bool
        Whether the process has left the folder by itself.
    """

    run: str
    host: str
    place: str
    pid: int
    started: int
    since: str
    main: str = "."
    is_over: bool = False

    @classmethod
    def this_process(cls, run: str, since: str) -> Owner:
        """This process, for a run of that name that began then."""
        return cls(run, socket.gethostname(), _place(), os.getpid(), _start_of(os.getpid()), since)

    @classmethod
    def read(cls, path: Path) -> Owner:
        """Read a lock.

        Raises
        ------
        ValueError
            The file is no lock.
        """
        found = json.loads(path.read_bytes())
        names = {field.name: field.type for field in dataclasses.fields(cls)}
        if not isinstance(found, dict) or found.keys() != names.keys():
            raise ValueError(f"{path} is no lock")
        if any(type(value).__name__ != names[name] for name, value in found.items()):
            raise ValueError(f"{path} is no lock")
        return cls(**found)

    def text(self) -> str:
        """What `read` reads."""
        return json.dumps(dataclasses.asdict(self))

    @property
    def is_here(self) -> bool:
        """Whether its process, if it is alive, can be looked at."""
        return self.place == _place()

    @property
    def is_this_process(self) -> bool:
        return (self.place, self.pid, self.started) == (_place(), os.getpid(), _start_of(os.getpid()))

    def is_alive(self, lock: Path) -> bool:
        """Whether the process works in the folder still, whose lock is at that path.

        One of this machine is looked at. Of others only signs of life are seen: this waits for the next one.
        """
        if self.is_over:
            return False
        if self.is_here:
            return _start_of(self.pid) == self.started
        return _beats(lock)


def new_owner() -> Owner:
    """This process, for a run that begins now."""
    return Owner.this_process(uuid.uuid4().hex, datetime.now().astimezone().isoformat(timespec="seconds"))


def _place() -> str:
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return socket.gethostname()


def _start_of(pid: int) -> int:
    """When a process began; -1 where there is none, 0 where the system doesn't say."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0 if not os.path.isdir("/proc/self") and _exists(pid) else -1
    state, *rest = text.rpartition(")")[2].split()
    return -1 if state in "ZX" else int(rest[18])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _beats(lock: Path) -> bool:
    """Whether a lock gets a sign of life within the time that it has to."""
    seen = _changed(lock)
    age = _clock_of_disk(lock.parent) - seen
    deadline = time.monotonic() + STALE_S - min(max(age, 0.0), STALE_S)
    while time.monotonic() < deadline:
        time.sleep(LOOK_S)
        if _changed(lock) != seen:
            return lock.exists()
    return False


def _changed(path: Path) -> float:
    """When a file was last touched; network disks say so truly only of a file that is opened. -1 if it isn't there."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return -1.0


def _clock_of_disk(folder: Path) -> float:
    """The time by the clock of the machine that has the disk; 0 where this process may not write there."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return 0.0


class Heartbeat:
    """Signs of life on the locks of a run, given by a thread: CASA's tools let it run while they compute."""

    def __init__(self, locks: Sequence[Path]) -> None:
        self._locks = list(locks)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._end.wait(BEAT_S):
            for lock in self._locks:
                with contextlib.suppress(OSError):  # that it is gone is found by who asks `WorkFolder.check_owned`
                    os.utime(lock)

    def stop(self) -> None:
        self._end.set()
        self._thread.join()
