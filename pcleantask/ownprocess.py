"""This process, as CASA needs it: how memory goes back to the system, how many files may be open, and no open ports."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from .errors import OutputError
from .memory import has_address_limit

try:
    import resource
except ImportError:  # not a Unix
    resource = None  # type: ignore[assignment]

# glibc's mallopt parameters and values: large arrays stay in the process instead of going back to the kernel on each
# free, which saves CASA a fifth of its time in page faults.
MALLOPT = {-3: 1 << 30, -1: (1 << 31) - 1, -2: 64 << 20}  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD
# Where addresses are limited: one heap for all threads, as each takes 64 MB of them.
SPARING = {-8: 1}  # M_ARENA_MAX
ENDED = 1  # exit status of a process that C++ would abort
PATIENCE_S = 5.0  # that a process's end waits for what is unbroken

unbroken = threading.Lock()  # held while something is written that is of no use unless it is whole


def end_process(status: int) -> NoReturn:
    """End this process from a thread, whatever it is at, but what is `unbroken`."""
    unbroken.acquire(timeout=PATIENCE_S)
    os._exit(status)


def tune_malloc() -> bool:
    """Make glibc keep large blocks, or spare addresses where they are limited; False where there is no mallopt."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = SPARING if has_address_limit() else MALLOPT
    accepted = [mallopt(parameter, value) for parameter, value in wanted.items()]
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
def making_temporary_file() -> Iterator[None]:
    """A block that makes a temporary file; where none can be made, that is an OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"a temporary file can't be made ({error.strerror}); make room, or set TMPDIR to a folder that has some"
        ) from error


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


@contextlib.contextmanager
def last_word_of_cplusplus(say: Callable[[str], None]) -> Iterator[None]:
    """A block in which what would end this process by SIGABRT ends it by the status 1, after something is said.

    casacore's destructors throw where a disk is full, and threads of FFTs where memory is: nobody can catch that.

    Parameters
    ----------
    say : callable
        Given the name of the exception's class, such as 'casacore::AipsError', and what it says, if it says anything.
    """
    try:
        library = ctypes.CDLL("libstdc++.so.6")
        set_terminate, kind, demangle = (
            library[name] for name in ("_ZSt13set_terminatePFvvE", "__cxa_current_exception_type", "__cxa_demangle")
        )
    except (OSError, AttributeError):  # another C++ library
        yield
        return
    set_terminate.restype = kind.restype = ctypes.c_void_p
    demangle.restype = ctypes.c_char_p

    def end() -> None:
        try:
            found = kind()  # std::type_info: a table of functions, and the name
            name = ctypes.cast(found, ctypes.POINTER(ctypes.c_char_p))[1] if found else b""
            message = _said_in_child(ctypes.CFUNCTYPE(None)(former))
            say((demangle(name, None, None, None) or b"unknown").decode() + (f": {message}" if message else ""))
        finally:
            os._exit(ENDED)

    handler = ctypes.CFUNCTYPE(None)(end)
    former = set_terminate(handler)
    try:
        yield
    finally:
        set_terminate(ctypes.c_void_p(former))


def _said_in_child(handler: Callable[[], None]) -> str:
    """What the exception says, told by C++'s own handler, which aborts: in a child, without a core file."""
    reading, writing = os.pipe()
    with contextlib.suppress(OSError):  # no memory for another process
        child = os.fork()
        if child == 0:
            os.dup2(writing, 2)
            if resource is not None:
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            handler()
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            told = file.read().decode(errors="replace")
        os.waitpid(child, 0)
        return told.partition("what():")[2].strip()
    return ""


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
