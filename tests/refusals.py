"""Calls that must be refused, and leave the disk as it was."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcleantask.errors import PcleanError

CASA_LOG = re.compile(r"casa-[\d-]+\.log")


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder below, links followed, with its size and time of change; CASA's log aside.

    Locks of tables are left out: CASA writes them when it reads.
    """
    found = {}
    for root, folders, files in os.walk(folder, followlinks=True):
        for name in (*folders, *files):
            if not CASA_LOG.fullmatch(name) and name != "table.lock":
                path = Path(root, name)
                is_file = path.is_file()
                found[str(path)] = (path.stat().st_size, path.stat().st_mtime_ns if is_file else 0)
    return found


def refused(folder: Path, call: Callable[..., Any], kind: type[PcleanError], **changes: Any) -> str:
    """The message of the error that a call raises, which must leave the disk as it was."""
    before = listing(folder)
    assert len(before) > 20  # the data are in it
    with pytest.raises(PcleanError) as caught:
        call(**{"vis": "line.ms", "imagename": "img", "imsize": 32, "cell": "0.4arcsec", **changes})
    assert type(caught.value) is kind, caught.value
    assert listing(folder) == before
    return str(caught.value)


def label(value: object) -> str | None:
    return ",".join(f"{k}={v}" for k, v in value.items())[:50] if isinstance(value, dict) else None
