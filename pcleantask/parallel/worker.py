"""What a worker can be called for: `python -m pcleantask.parallel.worker FD LIFELINE`, a CASA process."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

from .. import casa
from ..errors import ImagingError
from ..processes import worker_process
from .coordinates import image_coordinates
from .cube.slab_imager import SlabImager
from .rows.row_gridding import RowGridding

PARTS = {"cube": SlabImager, "rows": RowGridding}


class Worker:
    """Answers the calls of a team: opens one part of a run, and does its steps."""

    def __init__(self) -> None:
        self._part: SlabImager | RowGridding | None = None

    def hello(self) -> dict[str, Any]:
        """Load CASA; where and what this process is."""
        return {"host": socket.gethostname(), "pid": os.getpid(), "casatools": casa.load().version_string()}

    def enter(self, folder: str) -> None:
        """Work in that folder, the caller's."""
        try:
            os.chdir(folder)
        except OSError as error:
            raise ImagingError(
                f"can't work in {folder!r} ({error.strerror}): all workers must see the disk that the caller works on"
            ) from error

    def coordinates(self, log: str, *values: Any) -> list[Any]:
        """Each field's coordinate system and number of channels; see `coordinates.image_coordinates`.

        CASA's messages, which say why it refuses one, go to the file `log`.
        """
        casa.use_log(log)
        return image_coordinates(*values)

    def open_part(self, kind: str, log: str, *values: Any) -> None:
        """Open a part, of a kind in PARTS, made with `values`; CASA's messages go to the file `log`."""
        self.close_part()
        casa.use_log(log)
        self._part = PARTS[kind](*values)

    def part(self, step: str, *values: Any) -> Any:
        """Do one step of the open part: call its public method of that name."""
        if self._part is None:
            raise ImagingError(f"no part is open to {step}")
        if step.startswith("_"):
            raise AttributeError(f"{step!r} is not a step")
        return getattr(self._part, step)(*values)

    def assemble(self, *values: Any) -> None:
        """Make one image of a cube out of those of its parts; see `images.assemble.assemble`."""
        from ..images.assemble import Piece, assemble

        target, parts, coordinates, nchan = values
        found = [Piece(path, range(*channels), start, size) for path, channels, start, size in parts]
        assemble(target, found, coordinates, nchan)

    def close_part(self) -> None:
        """Release the open part's tools, if there is one."""
        part, self._part = self._part, None
        if part is not None:
            part.close()


if __name__ == "__main__":
    worker_process.main(sys.argv[1:], Worker)
