"""A call of pclean in a process that is killed on the way: `python killed.py WHEN SIGNAL`, pickled parameters as input.

WHEN is 'kept N': as soon as the Nth minor cycle is kept; 'cycle N': as it is over, before it is kept; 'move N': before
the Nth product takes its final name; 'after S': S seconds after the call. What is returned, if it comes so far, is
pickled to the standard output.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pcleantask.progress import Progress
    from pcleantask.runs.checkpoint import Checkpoint

LIMIT_S = 300.0
MARK = Path("../resumed.txt")  # beside the folder of the call


def killed(when: str, parameters: dict[str, Any], status: signal.Signals = signal.SIGKILL) -> Any:
    """Call pclean in a process that is killed; what it has returned, None if nothing."""
    run = subprocess.run(
        [sys.executable, __file__, when, str(int(status))],
        input=pickle.dumps(parameters),
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    if run.returncode != -status:
        assert run.returncode == 0, f"it wasn't killed, it failed: {run.stderr.decode()[-3000:]}"
        return pickle.loads(run.stdout)
    return None


def resumed(whens: list[str], parameters: list[dict[str, Any]]) -> Any:
    """Call pclean in processes that are killed, one after the other, and at last in this one, or as far as need be.

    Each call has parameters of its own, which differ in who computes.
    """
    from pcleantask import pclean

    for when, given in zip(whens, parameters, strict=False):
        value = killed(when, given)
        if value is not None:
            return value
    with MARK.open("a", encoding="utf-8") as file, watched(file):
        return pclean(**parameters[-1])


@contextlib.contextmanager
def watched(file: TextIO) -> Iterator[None]:
    """A block in which runs write to a file after which cycle they go on, and whether they have taken over the PSF."""
    from pcleantask.imaging import serial_imager

    def told(checkpoint: Checkpoint, progress: Progress) -> None:
        found = checkpoint.found
        file.write(f"{found.cycle if found else 'anew'} {checkpoint.refusal}\n")

    former, serial_imager.tell_of = serial_imager.tell_of, told
    try:
        yield
    finally:
        serial_imager.tell_of = former


is_over = threading.Event()  # whether the products stand under their names: the same call would clean on from them


def end(status: int) -> None:
    if not is_over.is_set():
        os.kill(os.getpid(), status)


def main() -> None:
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from pcleantask import casa, pclean
    from pcleantask.runs.checkpoint import Checkpoint
    from pcleantask.runs.folder import WorkFolder
    from pcleantask.runs.publication import JOURNAL, Move

    kind, number = sys.argv[1].split()
    status = int(sys.argv[2])
    keep: Callable[..., None] = Checkpoint.keep
    kept = 0

    def keep_and_end(self: Checkpoint, *values: Any, **facts: Any) -> None:
        nonlocal kept
        kept += 1
        if kind == "cycle" and kept == int(number):
            end(status)
        keep(self, *values, **facts)
        if kind == "kept" and kept == int(number):
            end(status)

    do, moved = Move.do, 0

    def end_before_move(self: Move) -> None:
        nonlocal moved
        moved += 1
        if kind == "move" and moved == int(number):
            end(status)
        do(self)

    remove: Callable[..., None] = WorkFolder.remove

    def note_end(self: WorkFolder, **values: bool) -> None:
        if (self.path / JOURNAL).is_file():
            is_over.set()
        remove(self, **values)

    WorkFolder.remove = note_end  # type: ignore[method-assign]
    Move.do = end_before_move  # type: ignore[method-assign]
    Checkpoint.keep = keep_and_end  # type: ignore[method-assign]
    parameters = pickle.load(sys.stdin.buffer)
    casa.load()
    if kind == "after":
        threading.Timer(float(number), end, [status]).start()
    answer = os.dup(1)
    os.dup2(2, 1)  # CASA's asp writes there
    value = pclean(**parameters)
    with os.fdopen(answer, "wb") as file:
        file.write(pickle.dumps(value))
    os._exit(0)


if __name__ == "__main__":
    main()
