"""Continuum images on a team: every worker grids its share of the rows; normalization and all the rest are done here.

The partial images are summed in another order than serial gridding sums visibilities, so that images agree with serial
ones within the rounding of float, not to the last bit.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import measurementsets
from ..config import PcleanConfig
from ..errors import ParameterError
from ..gridding.base import Gridder
from ..gridding.casa_gridder import CasaGridder
from ..imaging.normalizer import Normalizer
from ..imaging.workshop import Parts
from ..toolrecords import ToolRecords, tool_records
from .partition import row_shares
from .team_workshop import TeamMaker, TeamWorkshop

WITHOUT_DENSITY = ("natural", "radial")  # weighting types


class RowsWorkshop(TeamWorkshop):
    """The workshop of a continuum image whose rows a team grids; for the parameters see `TeamWorkshop`."""

    def __init__(self, config: PcleanConfig, make_team: TeamMaker, nworkers: int) -> None:
        check_splittable(config)
        super().__init__(config, make_team, nworkers)

    def make_parts(self) -> Parts:
        config = self._config
        self._records = tool_records(config, self.imagenames)
        self._read_coordinates()
        rows = [measurementsets.selected_rows(entry) for entry in measurementsets.in_time_order(config.selections)]
        shares = row_shares(rows, self._nworkers)
        self._shares = shares = row_shares(rows, self._start_team(len(shares)))
        self.part_names = [self._names_of_part(rank) for rank in range(self._npart)]
        self.call("open_part", [
            ("rows", str(self.path / f"part{rank}.log"), self._part_config.to_dict(), share, self.coordinates, names)
            for rank, (share, names) in enumerate(zip(shares, self.part_names, strict=True))
        ])  # fmt: skip
        parts = Parts(TeamRowGridder(self, self._records))
        parts.gridder.set_weighting()
        parts.normalizers = [
            Normalizer(record, [names[number] for names in self.part_names] if self._npart > 1 else None)
            for number, record in enumerate(self._records.normpars)
        ]
        self._add_deconvolvers(parts)
        return parts

    def share_of(self, rank: int) -> str:
        return "rows " + ", ".join(rows or "none" for rows in self._shares[rank])

    def _names_of_part(self, rank: int) -> list[str]:
        """Each field's partial image name; a single part writes the images themselves."""
        if self._npart == 1:
            return list(self.imagenames)
        folder = self.path / f"part{rank}"
        return [str(folder / f"{number}-{Path(name).name}") for number, name in enumerate(self.imagenames)]

    def publish(self, history: Mapping[str, Any]) -> None:
        for rank in range(self._npart):
            shutil.rmtree(self.path / f"part{rank}", ignore_errors=True)
        if self.saves_model:
            self._save_model()
        super().publish(history)


class TeamRowGridder(Gridder):
    """A Gridder whose calls run on every worker, each on its rows."""

    def __init__(self, workshop: RowsWorkshop, records: ToolRecords) -> None:
        self._workshop, self._records = workshop, records

    def set_weighting(self) -> None:
        """Set the weights by one density of all rows: summed of the parts' where that can be, else made here."""
        weights = self._records.weightpars
        if weights["multifield"] and weights["type"] not in WITHOUT_DENSITY:
            self._workshop.steps("use_density", self._density_of_all_rows())
            return
        paths = self._workshop.steps("set_weighting")
        if weights["type"] not in WITHOUT_DENSITY and len(paths) > 1:
            self._workshop.steps("add_densities", paths)
            self._workshop.each_step("use_sum", [(path,) for path in paths])

    def _density_of_all_rows(self) -> str:
        """The density by field, in which CASA's parts can't be told apart to be summed: made of all rows at once."""
        gridder = CasaGridder(self._records)
        try:
            gridder.set_weighting()
            return gridder.weight_density()
        finally:
            gridder.close()

    def make_psf(self) -> None:
        self._workshop.steps("make_psf")

    def make_pb(self) -> None:
        """The primary beam does not depend on the rows: one worker makes it."""
        self._workshop.call("part", [("make_pb",)])

    def check_pb(self) -> None:
        """tclean doesn't check it in parallel, as its image is not there yet."""

    def major_cycle(self, *, last: bool) -> None:
        self._workshop.steps("major_cycle", last)

    def predict(self) -> None:
        """The model is saved at the end, in one process."""

    def estimate_memory(self) -> float:
        return sum(self._workshop.steps("estimate_memory"))

    def close(self) -> None:
        self._workshop.close_parts()


def check_splittable(config: PcleanConfig) -> None:
    """Raise ParameterError for what CASA can't grid in parts of the rows."""
    if config.gridding.facets > 1:
        raise ParameterError(f"facets={config.gridding.facets} can't be imaged in parallel; use parallel=False")
    if any(field.is_cube for field in config.fields):
        raise ParameterError(
            "a continuum image with an outlier field that is a cube can't be imaged in parallel; use parallel=False"
        )
