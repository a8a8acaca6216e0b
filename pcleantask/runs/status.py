"""What a run is at, told to other processes that see its folder; and the request that its running cycle be the last."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import MissingInputError
from ..progress import Progress
from ..records import from_json
from .checkpoint import FINISH, FOLDER, STATE
from .folder import WorkFolder, complete_publications
from .lock import new_owner

FILE = "progress.json"


class RecordedProgress:
    """A Progress that also writes what it is told to a file in the run's folder.

    Parameters
    ----------
    shown : Progress
        What shows it to the user.
    folder : callable
        Gives the work folder, which need not be there.
    """

    def __init__(self, shown: Progress, folder: Callable[[], Path]) -> None:
        self._shown, self._folder = shown, folder
        self._told: dict[str, Any] = {}

    def stage(self, name: str) -> None:
        self._write(stage=name, stage_since=_now())
        self._shown.stage(name)

    def cycle(self, *, number: int, peak_residual: float, cycle_threshold: float | None, iterations: int) -> None:
        self._write(
            stage="cleaning",
            stage_since=_now(),
            cycle=number,
            peak_residual=peak_residual,
            cycle_threshold=cycle_threshold,
            iterations=iterations,
        )
        self._shown.cycle(
            number=number, peak_residual=peak_residual, cycle_threshold=cycle_threshold, iterations=iterations
        )

    def note(self, text: str) -> None:
        self._shown.note(text)

    def stopped(self, code: int, reason: str) -> None:
        self._write(stopcode=code)
        self._shown.stopped(code, reason)

    def finish(self) -> None:
        self._shown.finish()

    def _write(self, **told: Any) -> None:
        self._told |= told
        folder = self._folder()
        with contextlib.suppress(OSError):  # a full disk is told of by who writes images
            new = folder / f"{FILE}.new"
            new.write_text(json.dumps(self._told), encoding="utf-8")
            new.replace(folder / FILE)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def status(imagename: str) -> dict[str, Any]:
    """What the run under a name is at, or was at when it was ended. A publication that a dead run was at is completed.

    Returns
    -------
    dict
        `imagename`; `state`: 'running', 'ended' or 'none', where there is nothing to tell; `host`, `pid` and `since`
        of its process; `stage` and `stage_since`, and what was told at the last cycle: `cycle`, `peak_residual` and
        `cycle_threshold` [Jy/beam], `iterations`; `last_sign_s`, seconds since its last sign of life; and what the same
        call would go on with: `kept_cycle`, a whole minor cycle, and `kept_s`, the seconds of work until then.
    """
    with contextlib.suppress(OSError):  # who may only read sees it as it is
        complete_publications(imagename, new_owner())
    folder = WorkFolder(imagename)
    owner = folder.owner()
    if owner is None:
        return {"imagename": imagename, "state": "none"}
    is_alive = owner.is_alive(folder.lock)
    told = {"imagename": imagename, "state": "running" if is_alive else "ended", "host": owner.host, "pid": owner.pid}
    main = folder.main_path()
    state = from_json(_read(main / FOLDER / STATE))
    return {
        **told,
        "since": owner.since,
        "last_sign_s": round(max(0.0, time.time() - os.stat(folder.lock).st_mtime), 1),
        **_read(main / FILE),
        "kept_cycle": state.get("cycle", 0),
        "kept_s": round(state.get("elapsed", 0.0), 1),
    }


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(path.read_bytes()))
    return {}


def ask_to_finish(imagename: str) -> None:
    """Let the running cycle of the run under a name be its last: it restores and publishes as ever, with stop code 3.

    Raises
    ------
    MissingInputError
        No run is going on under that name.
    """
    if status(imagename)["state"] != "running":
        raise MissingInputError(
            f"imagename {imagename!r}: no run is going on under that name; pclean status tells more"
        )
    (WorkFolder(imagename).main_path() / FOLDER / FINISH).touch()


def in_words(told: dict[str, Any]) -> str:
    """What `status` returns, for people."""
    name, state = told["imagename"], told["state"]
    if state == "none":
        return f"{name}: no run"
    who = f"process {told['pid']} on {told['host']}, since {told['since']}"
    at = f"{told['stage']} since {told['stage_since']}" if "stage" in told else "starting"
    lines = [f"{name}: {state}, {who}", f"  {'at' if state == 'running' else 'was at'}: {at}"]
    if "cycle" in told:
        lines.append(
            f"  cycle {told['cycle']}: {told['peak_residual']:.4g} Jy/beam at the peak, {told['iterations']} iterations"
        )
    kept = f"minor cycle {told['kept_cycle']}" if told["kept_cycle"] else "the PSF" if told["kept_s"] else ""
    if kept:
        lines.append(f"  kept: {kept}, after {told['kept_s']:.0f} s of work; the same call goes on from there")
    return "\n".join(lines)
