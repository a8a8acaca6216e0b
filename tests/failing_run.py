"""A process whose run of pclean fails on purpose; test_failures.py starts it. `python failing_run.py HOW PARAMETERS`.

After the failure it runs once more, as 'next', and prints what came of both as JSON on its last line.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pcleantask import PcleanConfig, SerialImager
from pcleantask.parallel.plan import Plan
from pcleantask.parallel.team_runs import make_run
from pcleantask.progress import NullProgress

UNLIMITED = resource.RLIM_INFINITY
NO_IMAGE = 60_000  # bytes: more than a log or a table of CASA's takes, less than an image of 160 x 160 pixels
NO_TABLE = 2_000  # bytes: less than any table takes
INTERRUPT_AFTER_S = 0.05  # less than CASA takes for a major cycle
LONG_WAIT_S = 1.0

failed_at: list[float] = []  # when the failure was made


class Hooks(NullProgress):
    """Calls a function when the run comes to a certain point: a stage's name, or 'cycle N'."""

    def __init__(self, point: str, action: Callable[[], None]) -> None:
        self._point, self._action = point, action

    def stage(self, name: str) -> None:
        if name == self._point:
            failed_at.append(time.monotonic())
            self._action()

    def cycle(self, *, number: int, peak_residual: float, cycle_threshold: float | None, iterations: int) -> None:
        self.stage(f"cycle {number}")

    def note(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")


def limit_files(size: int) -> None:
    """Let this process write no file beyond `size` bytes, as on a disk with that much room."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, UNLIMITED))


def spoil(image: str) -> None:
    for part in Path(image).glob("table.*"):
        part.write_bytes(b"")


def signal_soon(pid: int, number: signal.Signals, delay_s: float = INTERRUPT_AFTER_S) -> None:
    threading.Timer(delay_s, os.kill, (pid, number)).start()


def workers() -> list[int]:
    """The processes that this one has started, in their order."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            pid, _, state = path.read_text().partition(" (")
            if int(state.rpartition(") ")[2].split()[1]) == os.getpid():
                found.append(int(pid))
    return sorted(found)


def fill_disk_of_workers() -> None:
    for pid in workers():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (NO_IMAGE, UNLIMITED))
    limit_files(NO_IMAGE)


def interrupt_wait() -> None:
    """Interrupt this process while it waits for a worker that does nothing."""
    os.kill(workers()[0], signal.SIGSTOP)
    signal_soon(os.getpid(), signal.SIGINT, LONG_WAIT_S)


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def hooks(how: str, config: PcleanConfig) -> Hooks:
    """What makes the run fail in the way of that name."""
    name, _, point = how.partition(" at ")
    work = f"{config.fields[0].imagename}.workdirectory/{config.fields[0].imagename}"
    vis = Path(config.selections[0].vis)
    actions: dict[str, Callable[[], None]] = {
        "full disk": lambda: limit_files(NO_IMAGE),
        "utterly full disk": lambda: limit_files(NO_TABLE),
        "psf spoilt": lambda: spoil(f"{work}.psf"),
        "data gone": lambda: vis.rename("hidden.ms"),
        "interrupt": lambda: os.kill(os.getpid(), signal.SIGINT),
        "interrupt in casa": lambda: signal_soon(os.getpid(), signal.SIGINT),
        "interrupt in a long wait": interrupt_wait,
        "interrupt of all": lambda: os.killpg(0, signal.SIGINT),  # what Ctrl-C at a terminal is
        "worker killed": lambda: signal_soon(workers()[-1], signal.SIGKILL),
        "worker crashed": lambda: signal_soon(workers()[0], signal.SIGSEGV),
        "part removed": lambda: shutil.rmtree(f"{Path(work).parent}/part1"),
        "full disk everywhere": fill_disk_of_workers,
        "announcement": lambda: say(point),
    }
    return Hooks(point, actions[name])


@contextlib.contextmanager
def put_right(config: PcleanConfig) -> Iterator[None]:
    """Take back, at the end, what made the run fail."""
    try:
        yield
    finally:
        limit_files(UNLIMITED)
        with contextlib.suppress(FileNotFoundError):
            Path("hidden.ms").rename(config.selections[0].vis)


def image(config: PcleanConfig, progress: NullProgress) -> dict[str, Any]:
    progress.stage("start")
    history = {"niter": config.iteration.niter}
    with SerialImager(config, progress=progress, history=history, run=make_run(config, Plan.of(config))) as imager:
        return imager.run()


def main() -> None:
    how, parameters = sys.argv[1], json.loads(sys.argv[2])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    config = PcleanConfig.from_parameters(**parameters)
    answer: dict[str, Any] = {}
    try:
        with put_right(config):
            image(config, hooks(how, config))
    except BaseException as error:  # noqa: BLE001  whatever comes out is what the test wants to see
        answer = {"kinds": [kind.__name__ for kind in type(error).__mro__], "message": str(error)}
        answer["seconds"] = time.monotonic() - failed_at[0] if failed_at else 0.0
        answer["workers left"] = workers()
        answer.update({name: value for name, value in vars(error).items() if name in ("rank", "host", "trace")})
    following = PcleanConfig.from_parameters(**{**parameters, "imagename": "next"})
    answer["next"] = image(following, NullProgress())["stopcode"]
    say(json.dumps(answer))


if __name__ == "__main__":
    main()
