"""One part of the rows of a continuum image, in a worker: it grids them, and knows nothing of the rest."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ... import memory
from ...config import PcleanConfig
from ...gridding import makers
from ...images.coordinates import ImageCoordinates
from ...images.store import ImageStore
from ...recordvalues import Record
from ...toolrecords import tool_records


class RowGridding:
    """Gridding of some rows to partial images, which the lead gathers.

    Parameters
    ----------
    config : dict
        `PcleanConfig.to_dict` of the whole run.
    rows : list
        For each MeasurementSet, in order of time, a TaQL expression that picks the part's rows; None where it has none.
    coordinates : list of dict
        Each field's coordinate system.
    names : list of str
        Each field's partial image name.
    makes_pb : bool
        Whether this part is the one that is asked for .pb.
    """

    def __init__(
        self,
        config: dict[str, Any],
        rows: list[str | None],
        coordinates: list[Record],
        names: list[str],
        makes_pb: bool,
    ) -> None:
        Path(names[0]).parent.mkdir(exist_ok=True)
        parsed = PcleanConfig.from_dict(config)
        records = tool_records(parsed, tuple(names))
        images = zip(coordinates, parsed.fields, strict=True)
        whole = records.placed([ImageCoordinates(csys, field.nchan) for csys, field in images], startmodel="")
        own = whole.showing(
            dataclasses.replace(selection, taql=expression)
            for selection, expression in zip(records.selections, rows, strict=True)
            if expression is not None
        )
        self._gridder = makers(parsed).rows(parsed, own, ImageStore(keeps=False), whole, makes_pb)

    def set_weighting(self) -> None:
        """Set the weights by these rows alone."""
        self._gridder.set_weighting()

    def weight_density(self) -> str:
        """Where the image of these rows' density is written."""
        return self._gridder.weight_density()

    def use_density(self, path: str) -> None:
        """Set the weights by the density of all rows, and its constants."""
        self._gridder.use_weight_density(path)

    def make_psf(self) -> None:
        self._gridder.make_psf()

    def make_pb(self) -> None:
        self._gridder.make_pb()

    def major_cycle(self, last: bool) -> None:
        self._gridder.major_cycle(last=last)

    def estimate_memory(self) -> float:
        """What gridding takes here [kB]; raises MemoryLimitError where limits leave less."""
        needed = self._gridder.estimate_memory()
        memory.check_fits(1024 * needed)
        return needed

    def close(self) -> None:
        """Release the tools; the partial images stay."""
        self._gridder.close()
