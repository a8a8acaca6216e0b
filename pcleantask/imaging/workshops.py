"""Which workshop images what in one process."""

from __future__ import annotations

from ..config import PcleanConfig
from .mvc import MvcWorkshop
from .workshop import SerialWorkshop

SERIAL_WORKSHOPS: dict[str, type[SerialWorkshop]] = {"mvc": MvcWorkshop}  # spectral mode -> its own kind


def serial_workshop(config: PcleanConfig) -> SerialWorkshop:
    """The workshop of a run in this process."""
    return SERIAL_WORKSHOPS.get(config.fields[0].specmode, SerialWorkshop)(config)
