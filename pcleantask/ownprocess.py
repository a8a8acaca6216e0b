"""This process, as CASA needs it: how memory goes back to the system, how many files may be open, and no open ports."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from types import FrameType

try:
    import resource
except ImportError:  # not a Unix
    resource = None  # type: ignore[assignment]

# glibc's mallopt parameters and values: large arrays stay in the process instead of going back to the kernel on each
# free, which saves CASA a fifth of its time in page faults.
MALLOPT = {-3: 1 << 30, -1: (1 << 31) - 1, -2: 64 << 20}  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD


def tune_malloc() -> bool:
    """Make glibc keep large blocks (see MALLOPT); False where the C library has no mallopt."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    accepted = [mallopt(parameter, value) for parameter, value in MALLOPT.items()]
    return all(accepted)


def allow_many_files() -> None:
    """Let this process, and its children, have as many files open as the system lets it ask for."""
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):  # macOS has a limit of its own below the one that it tells
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def without_new_ports() -> Iterator[None]:
    """A block after which this process listens to the network at no port at which it didn't before.

    casatools opens one at its import, its registry of services, without asking. A socket on which nothing ever comes is
    put in the port's place: gRPC, which waits for callers there, would complain in the last words of the process of one
    that is shut down under it, or of what is no socket.
    """
    before = _ports()
    yield
    for descriptor in _ports() - before:
        silent, other_end = socket.socketpair()
        os.dup2(silent.fileno(), descriptor, inheritable=False)
        silent.close()
        other_end.detach()  # stays open


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """A block that Ctrl-C doesn't end, but what comes after it: casatools' import would swallow it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    former = signal.signal(signal.SIGINT, lambda *values: came.append(values))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
    if came and callable(former):
        former(*came[0])


def _ports() -> set[int]:
    """Descriptors on which this process listens to the network."""
    found = set()
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):  # listdir's own descriptor is closed by now
            if _listens(int(name)):
                found.add(int(name))
    return found


def _listens(descriptor: int) -> bool:
    """Whether it is a port of the network that is open to all."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with socket.socket(fileno=os.dup(descriptor)) as entry:
        is_inet = entry.family in (socket.AF_INET, socket.AF_INET6)
        return is_inet and bool(entry.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
