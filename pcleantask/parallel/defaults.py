"""What holds for the calls of a script that can't be edited: `pclean run --nworkers`."""

from __future__ import annotations

_asked_for: list[int] = []  # what `parallel_by_default` was told last


def parallel_by_default(nworkers: int) -> None:
    """From now on, image in parallel in this process, whatever a call's `parallel` says.

    Parameters
    ----------
    nworkers : int
        Workers of a call that names no number itself; 0 is one per core that this process may use.
    """
    _asked_for[:] = [nworkers]


def is_parallel(parallel: bool) -> bool:
    """Whether a call with that `parallel` is to be parallel."""
    return parallel or bool(_asked_for)


def asked_workers(nworkers: int) -> int:
    """How many workers a call with that `nworkers` is to have; 0 where nobody has said a number."""
    return nworkers or sum(_asked_for)
