"""SIGTERM and Ctrl-C while CASA computes: its tools don't come back to Python for minutes, but let threads run."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from ..ownprocess import end_process

TERMINATED, INTERRUPTED = 143, 130  # exit statuses, as shells give them to processes that these signals end
PATIENCE_S = 5.0  # that a program has to end by itself after Ctrl-C


@contextlib.contextmanager
def told_at_once(number: signal.Signals, act: Callable[[], None]) -> Iterator[None]:
    """A block in which a thread acts as soon as a signal comes, whatever the main thread is at.

    Nothing is changed in threads beside the main one. What others have asked to be told of signals they are told.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    former = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(reading, former, number, act), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(former)
        os.close(writing)
        watcher.join()
        os.close(reading)


def _watch(reading: int, former: int, number: signal.Signals, act: Callable[[], None]) -> None:
    while came := os.read(reading, 1):
        if former >= 0:
            with contextlib.suppress(OSError):
                os.write(former, came)
        if came[0] == number:
            act()


@contextlib.contextmanager
def ended_by_sigterm(last_act: Callable[[], None]) -> Iterator[None]:
    """A block in which SIGTERM ends this process at once, with the status 143, after a last act.

    Where somebody has a handler of their own for it, it is theirs.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end() -> None:
        try:
            last_act()
        finally:
            end_process(TERMINATED)

    signal.signal(signal.SIGTERM, _nothing)
    try:
        with told_at_once(signal.SIGTERM, end):
            yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def ended_by_interrupt(last_act: Callable[[], None]) -> Iterator[None]:
    """A block in which Ctrl-C ends this process, with the status 130, if it doesn't end by itself within seconds."""

    def end() -> None:
        try:
            last_act()
        finally:
            end_process(INTERRUPTED)

    timers: list[threading.Timer] = []

    def begin() -> None:
        timers.append(threading.Timer(PATIENCE_S, end))
        timers[-1].daemon = True
        timers[-1].start()

    try:
        with told_at_once(signal.SIGINT, begin):
            yield
    finally:
        for timer in timers:
            timer.cancel()


def _nothing(*_: object) -> None:
    """A signal's handler in Python; the watcher does what is to be done."""
