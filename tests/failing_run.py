"""A process whose run of pclean fails on purpose; test_failures.py starts it. `python failing_run.py HOW PARAMETERS`.

After the failure it runs once more, as 'next', and prints what came of both as JSON on its last line.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pcleantask import PcleanConfig, SerialImager
from pcleantask.progress import NullProgress

UNLIMITED = resource.RLIM_INFINITY
NO_IMAGE = 60_000  # bytes: more than a log or a table of CASA's takes, less than an image of 160 x 160 pixels
NO_TABLE = 2_000  # bytes: less than any table takes
INTERRUPT_AFTER_S = 0.05  # less than CASA takes for a major cycle


class Hooks(NullProgress):
    """Calls a function when the run comes to a certain point: a stage's name, or 'cycle N'."""

    def __init__(self, point: str, action: Callable[[], None]) -> None:
        self._point, self._action = point, action

    def stage(self, name: str) -> None:
        if name == self._point:
            self._action()

    def cycle(self, *, number: int, peak_residual: float, cycle_threshold: float | None, iterations: int) -> None:
        self.stage(f"cycle {number}")


def limit_files(size: int) -> None:
    """Let this process write no file beyond `size` bytes, as on a disk with that much room."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, UNLIMITED))


def spoil(image: str) -> None:
    for part in Path(image).glob("table.*"):
        part.write_bytes(b"")


def interrupt_soon() -> None:
    threading.Timer(INTERRUPT_AFTER_S, os.kill, (os.getpid(), signal.SIGINT)).start()


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
        "interrupt in casa": interrupt_soon,
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
    with SerialImager(config, progress=progress, history={"niter": config.iteration.niter}) as imager:
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
    following = PcleanConfig.from_parameters(**{**parameters, "imagename": "next"})
    answer["next"] = image(following, NullProgress())["stopcode"]
    say(json.dumps(answer))


if __name__ == "__main__":
    main()
