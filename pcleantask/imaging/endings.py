"""What is said and done as a process ends in the midst of a run: by SIGTERM, or as C++ can't go on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..ownprocess import last_word_of_cplusplus
from ..processes.signals import ended_by_sigterm
from ..progress import Progress
from .run import Run


@contextlib.contextmanager
def ending_in_order(run: Run, progress: Progress) -> Iterator[None]:
    """A block of a run; where the process ends in it, that is told, and the run's folder is left to the next.

    Both are done in the midst of a computation, SIGTERM's in a thread.
    """

    def end(how: str, why: str = "") -> None:
        if run.folders is not None:
            progress.note(f"{how} {run.folders.reached}{why}")
            run.folders.give_up()

    def end_by_cplusplus(exception: str) -> None:
        shortage = run.folders.shortage if run.folders is not None else ""
        end("pclean: ended", f": CASA or ducc0 can't go on ({exception})" + (f"; {shortage}" if shortage else ""))

    with last_word_of_cplusplus(end_by_cplusplus), ended_by_sigterm(lambda: end("Ended by SIGTERM")):
        yield
