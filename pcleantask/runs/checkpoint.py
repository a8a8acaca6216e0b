"""What a run that ends early leaves of its work, for the same call to go on with.

After each minor cycle models, masks, and what the loop knows are written anew; the state, a small file that is replaced
at once, says which of them count. What the iteration control was told is kept of all cycles, to be told again.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..records import from_json, to_json
from .identity import difference
from .publication import remove, write_safely

FOLDER = "checkpoint"
IDENTITY, STATE = "identity.json", "state.json"
RESULT = "result.json"
FINISH = "finish"  # a file that is there when the running cycle is to be the last


@dataclass(frozen=True)
class Found:
    """How far a run has come.

    Attributes
    ----------
    cycle : int
        Minor cycles that are whole.
    since : str
        When the run began, ISO 8601.
    elapsed : float
        How long it has worked until then [s].
    facts : dict
        What the loop knows.
    events : list
        What the iteration control was told, in order.
    """

    cycle: int
    since: str
    elapsed: float
    facts: dict[str, Any]
    events: list[Any]


def finished(work: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Which run, by its identity, has made all of its products in a work folder, and what it returns."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        identity, result = (json.loads((work / FOLDER / name).read_bytes()) for name in (IDENTITY, RESULT))
        return identity, from_json(result)
    return None


class Checkpoint:
    """The checkpoint of a run, in its work folder.

    Parameters
    ----------
    work : Path
        The work folder.

    Attributes
    ----------
    found : Found or None
        Where a run before has ended, if this one goes on there.
    refusal : str
        What differs from the run before, where this one can't go on there.
    """

    def __init__(self, work: Path) -> None:
        self._folder = work / FOLDER
        self._started = time.monotonic()
        self._state: dict[str, Any] = {}
        self.found: Found | None = None
        self.refusal = ""

    def begin(self, identity: dict[str, Any], since: str, *, resumes: bool) -> None:
        """Look for what a run before has left, if that is wanted, and begin."""
        self._state = {"cycle": 0, "since": since, "elapsed": 0.0, "written": 0, "facts": {}}
        if resumes:
            self._look(identity)
        if self.found is None:
            for entry in list(self._folder.glob("*")):
                remove(entry)
        self._folder.mkdir(exist_ok=True)
        self._started = time.monotonic() - self._state["elapsed"]
        write_safely(self._folder / IDENTITY, json.dumps(identity).encode())

    def _look(self, identity: dict[str, Any]) -> None:
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError):  # none was whole yet
            former = json.loads((self._folder / IDENTITY).read_bytes())
            state = from_json(json.loads((self._folder / STATE).read_bytes()))
            self.refusal = difference(former, identity)
            if self.refusal:
                return
            events: list[Any] = []
            for number in range(state["written"]):
                events += from_json(json.loads(self._events(number).read_bytes()))
            self.found = Found(state["cycle"], state["since"], state["elapsed"], state["facts"], events)
            self._state = state

    def keep(self, events: Sequence[Any], save: Callable[[str], dict[str, Any]], **facts: Any) -> None:
        """Make what stands after another minor cycle what counts.

        Parameters
        ----------
        events : sequence
            What the iteration control was told since the last time.
        save : callable
            Writes models and masks to files that begin with the path it is given; returns more facts.
        **facts : object
            What the loop knows.
        """
        cycle, written = self._state["cycle"] + 1, self._state["written"]
        more = save(str(self._folder / f"cycle{cycle}"))
        write_safely(self._events(written), json.dumps(to_json(list(events))).encode())
        self._state |= {"cycle": cycle, "written": written + 1}
        self.note(**facts, **more)
        for entry in list(self._folder.glob("cycle*")):
            if not entry.name.startswith(f"cycle{cycle}-"):
                entry.unlink()

    def note(self, **facts: Any) -> None:
        """Add to what is known."""
        self._state["facts"] |= facts
        self._state["elapsed"] = time.monotonic() - self._started
        write_safely(self._folder / STATE, json.dumps(to_json(self._state)).encode())

    @property
    def path(self) -> Path:
        """The folder of the checkpoint."""
        return self._folder

    @property
    def cycle(self) -> int:
        """Minor cycles that are whole and kept."""
        return int(self._state["cycle"])

    def is_to_finish(self) -> bool:
        """Whether somebody has asked that the running cycle be the last."""
        return (self._folder / FINISH).exists()

    def keep_result(self, result: dict[str, Any]) -> None:
        """Keep what the run returns, as it begins to give its products their names."""
        write_safely(self._folder / RESULT, json.dumps(to_json(result)).encode())

    def _events(self, number: int) -> Path:
        return self._folder / f"events.{number}.json"

    def files(self, number: int) -> list[str]:
        """The files that `save` has written of an image field, of the cycle that was found."""
        assert self.found is not None
        return sorted(map(str, self._folder.glob(f"cycle{self.found.cycle}-{number}.*")))
