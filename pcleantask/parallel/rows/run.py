"""Continuum images on a team: every worker grids its share of the rows; normalization and all the rest are done here.

The partial images are summed in another order than serial gridding sums visibilities, so that images agree with serial
ones within the rounding of float, not to the last bit.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import casa, measurementsets
from ...config import PcleanConfig
from ...images.products import products
from ...imaging.normalizer import Normalizer
from ...imaging.run import Parts
from ...recordvalues import Densities
from ...toolrecords import ToolRecords, tool_records
from ...traits import ENGINES
from ..partition import field_shares, row_shares, useful_parts
from ..plan import Plan
from ..team_run import TeamGridder, TeamMaker, TeamRun


class RowsRun(TeamRun):
    """A run that makes continuum images, whose rows a team grids; for the parameters see `TeamRun`."""

    def __init__(self, config: PcleanConfig, plan: Plan, make_team: TeamMaker) -> None:
        super().__init__(config, plan, make_team)
        self.shares_density = False

    def make_parts(self) -> Parts:
        self._records = tool_records(self._config, self.imagenames)
        shares = self._split(self._plan.workers)
        self._shares = shares = self._split(self._start_team(len(shares)))
        self._read_coordinates(with_model=True)
        self.part_names = [self._names_of_part(rank) for rank in range(self._npart)]
        config = self._part_config.to_dict()
        self.call("open_part", [
            ("rows", str(self.log_of(rank)), config, share, self.coordinate_records, names, rank == 0)
            for rank, (share, names) in enumerate(zip(shares, self.part_names, strict=True))
        ])  # fmt: skip
        parts = Parts(TeamRowGridder(self, self._records))
        parts.gridder.set_weighting()
        parts.normalizers = [
            Normalizer(record, [names[number] for names in self.part_names], store=self.store)
            for number, record in enumerate(self._records.normpars)
        ]
        self._add_deconvolvers(parts)
        return parts

    @property
    def engine(self) -> str:
        """Who grids."""
        return self._config.engine

    def share_of(self, rank: int) -> str:
        return "rows " + ", ".join(rows or "none" for rows in self._shares[rank])

    def _split(self, nparts: int) -> list[list[str | None]]:
        """Who grids which rows: with a density for each field, all rows of a field go to one part."""
        ordered = measurementsets.in_time_order(self._config.selections)
        fields = [measurementsets.rows_of_fields(selection) for selection in ordered]
        densities = self._records.densities
        counts = [sum(one.values()) for one in fields]
        if not self._plan.is_asked_for:
            nparts = useful_parts(sum(counts), nparts)
        shares = field_shares(fields, nparts) if densities.by_field else row_shares(counts, nparts)
        self.shares_density = densities.are_there and not densities.by_field and len(shares) > 1
        return shares

    def _names_of_part(self, rank: int) -> list[str]:
        """Each field's partial image name."""
        folder = self.path / f"part{rank}"
        return [str(folder / f"{number}-{Path(name).name}") for number, name in enumerate(self.imagenames)]

    def publish(self, history: Mapping[str, Any]) -> None:
        for rank in range(self._npart):
            shutil.rmtree(self.path / f"part{rank}", ignore_errors=True)
        super().publish(history)


class TeamRowGridder(TeamGridder):
    """A Gridder whose calls run on every worker, each on its rows."""

    def __init__(self, run: RowsRun, records: ToolRecords) -> None:
        super().__init__(run)
        self._rows, self._records = run, records

    def set_weighting(self) -> None:
        """Set the weights by one density of all rows; densities by field are whole in each part."""
        are_images = ENGINES[self._rows.engine].has_density_images
        if are_images or not self._rows.shares_density:  # CASA makes the density on the way
            self._run.steps("set_weighting")
        if self._rows.shares_density:
            paths = self._run.steps("weight_density")
            if are_images:
                paths = sum_densities(paths, self._run.path, self._records.densities)
            else:
                paths = sum_arrays(paths, self._run.path)
            self._run.each_step("use_density", [(path,) for path in paths])

    def make_psf(self) -> None:
        self._run.steps("make_psf")
        for whole, part in zip(self._rows.imagenames, self._rows.part_names[0], strict=True):
            lay_out(whole, part)

    def make_pb(self) -> None:
        """The primary beam does not depend on the rows: one worker makes it."""
        self._run.call("part", [("make_pb",)])

    def check_pb(self) -> None:
        """tclean doesn't check it in parallel, as its image is not there yet."""


def lay_out(whole: str, part: str) -> None:
    """Make the whole image's .psf, .sumwt and .weight, for the parts' to be summed up in them.

    CASA would make them itself, unless it finds a model: then it leaves open whether the image has weights
    (SIImageStore's constructor for existing images). Weights it doesn't clear before it adds to them (resetImages).
    """
    for path, kind in list(products(part)):
        if kind in ("psf", "sumwt", "weight"):
            target = whole + path.name.removeprefix(Path(part).name)
            if not Path(target).exists():
                shutil.copytree(path, target)
            if kind == "weight":
                with casa.opened_image(target) as image:
                    image.set(0.0)


def sum_densities(paths: Sequence[str], folder: Path, densities: Densities) -> list[str]:
    """Write the sum of the parts' densities to an image for each part, with the constants of all rows' weights.

    CASA keeps with a density which data it is for, and the constant f2 of Briggs' weights, (5 / 10^R)^2 W / sum(g^2)
    where g is the density and W the sum of weights; it isn't a number where all rows of a part are flagged.
    """
    total, scaled = np.zeros(1), 0.0
    for path in paths:
        with casa.opened_image(path) as image:
            density, information = image.getchunk(), image.miscinfo()
        if density.any():
            scaled += information["f2"] * np.sum(density**2)
        total = total + density
    written = []
    for rank, path in enumerate(paths):
        written.append(str(folder / f"density{rank}.im"))
        shutil.copytree(path, written[-1])
        with casa.opened_image(written[-1]) as image:
            image.putchunk(total)
            if densities.by_mean and total.any():
                image.setmiscinfo({**image.miscinfo(), "f2": scaled / np.sum(total**2)})
    return written


def sum_arrays(paths: Sequence[str], folder: Path) -> list[str]:
    """Write the sum of the parts' densities, arrays in files, to one file for all."""
    target = str(folder / "density.npy")
    np.save(target, sum(np.load(path) for path in paths))
    return [target] * len(paths)
