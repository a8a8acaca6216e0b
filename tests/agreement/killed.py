"""A call of pclean in a process that is killed on the way: `python killed.py WHEN` with the pickled parameters as input.

WHEN is 'kept N': as soon as the Nth minor cycle is kept; 'cycle N': as it is over, before it is kept; 'after S': S
seconds after the call. What is returned, if it comes so far, is pickled to the standard output.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT_S = 300.0


def killed(when: str, parameters: dict[str, Any], status: signal.Signals = signal.SIGKILL) -> Any:
    """Call pclean in a process that is killed; what it has returned, None if nothing."""
    run = subprocess.run(
        [sys.executable, __file__, when, str(int(status))],
        input=pickle.dumps(parameters),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=LIMIT_S,
        check=False,
    )
    return pickle.loads(run.stdout) if run.returncode == 0 else None


def resumed(whens: list[str], parameters: list[dict[str, Any]]) -> Any:
    """Call pclean in processes that are killed, one after the other, and at last in this one, or as far as need be.

    Each call has parameters of its own, which differ in who computes.
    """
    from pcleantask import pclean

    for when, given in zip(whens, parameters, strict=False):
        value = killed(when, given)
        if value is not None:
            return value
    return pclean(**parameters[-1])


def end(status: int) -> None:
    os.kill(os.getpid(), status)


def main() -> None:
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from pcleantask import casa, pclean
    from pcleantask.runs.checkpoint import Checkpoint

    kind, number = sys.argv[1].split()
    status = int(sys.argv[2])
    keep: Callable[..., None] = Checkpoint.keep
    kept = 0

    def keep_and_end(self: Checkpoint, *values: Any) -> None:
        nonlocal kept
        kept += 1
        if kind == "cycle" and kept == int(number):
            end(status)
        keep(self, *values)
        if kind == "kept" and kept == int(number):
            end(status)

    Checkpoint.keep = keep_and_end  # type: ignore[method-assign]
    parameters = pickle.load(sys.stdin.buffer)
    casa.load()
    if kind == "after":
        threading.Timer(float(number), end, [status]).start()
    value = pclean(**parameters)
    sys.stdout.buffer.write(pickle.dumps(value))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
