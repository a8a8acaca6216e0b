"""What is made of planes, and kept as long as these stay as they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from .. import casa
from ..cores import memory_share

SHARE = 1 / 8  # of the memory that is free when the first is made


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


T = TypeVar("T", bound=_Sized)


class Kept(Generic[T]):
    """Keeps what has been made, as far as there is room; what isn't kept is made anew each time. Any thread may ask.

    Parameters
    ----------
    limit : float, optional
        Bytes that may be kept. By default SHARE of the memory that is free now.
    """

    def __init__(self, limit: float | None = None) -> None:
        self._left = casa.available_memory() * 1024 * SHARE * memory_share() if limit is None else limit
        self._made: dict[Hashable, tuple[int, T]] = {}
        self._turn = threading.Lock()

    def get(self, key: Hashable, version: int, make: Callable[[], T]) -> T:
        """What was made under a key for this version of what it is made of; or `make()`."""
        known = self._made.get(key)
        if known is not None and known[0] == version:
            return known[1]
        made = make()
        with self._turn:
            former = self._made.pop(key, None)
            self._left += former[1].nbytes if former else 0
            if made.nbytes <= self._left:
                self._left -= made.nbytes
                self._made[key] = version, made
        return made
