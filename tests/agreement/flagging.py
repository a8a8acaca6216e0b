"""Flags of every kind, set in a MeasurementSet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pcleantask import casa

KINDS = (
    "channel",
    "channel in some rows",
    "nearly a channel",  # all rows but two: no beam can be fitted
    "integration",
    "antenna",
    "here and there",
    "correlation",
)


@dataclass(frozen=True)
class Flagging:
    """What is flagged: a kind of KINDS, in a spw of a MeasurementSet, at a channel where the kind is of one."""

    vis: str
    kind: str
    spw: int
    channel: int


def flag(path: Path, flagging: Flagging) -> None:
    """Set the flags in the MeasurementSet at `path`."""
    with casa.opened_table(str(path), writable=True) as table:
        rows = np.flatnonzero(table.getcol("DATA_DESC_ID") == flagging.spw)
        times, antennas = table.getcol("TIME")[rows], table.getcol("ANTENNA1")[rows]
        flags = np.array([table.getcell("FLAG", int(row)) for row in rows])  # (row, correlation, channel)
        _set(flags, flagging, times, antennas)
        for row, values in zip(rows, flags, strict=True):
            table.putcell("FLAG", int(row), values)


def _set(flags: np.ndarray, flagging: Flagging, times: np.ndarray, antennas: np.ndarray) -> None:
    if flagging.kind == "channel":
        flags[:, :, flagging.channel] = True
    elif flagging.kind == "channel in some rows":
        flags[::3, :, flagging.channel] = True
    elif flagging.kind == "integration":
        flags[times == np.unique(times)[1]] = True
    elif flagging.kind == "nearly a channel":
        flags[2:, :, flagging.channel] = True
    elif flagging.kind == "antenna":
        flags[antennas == 1] = True
    elif flagging.kind == "here and there":
        flags |= np.random.default_rng(flagging.channel).random(flags.shape) < 0.1
    else:
        flags[:, 0] = True
