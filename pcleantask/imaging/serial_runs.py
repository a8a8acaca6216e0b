"""The kinds of runs in one process."""

from __future__ import annotations

from ..config import PcleanConfig
from .mvc import MvcRun
from .run import SerialRun

SERIAL_RUNS: dict[str, type[SerialRun]] = {"mvc": MvcRun}  # spectral mode -> its own kind


def serial_run(config: PcleanConfig) -> SerialRun:
    """The run that does this in this process."""
    return SERIAL_RUNS.get(config.fields[0].specmode, SerialRun)(config)
