"""Cubes on a team: every worker images its slab of channels; the loop, with its one iteration control, runs here.

The records that workers report are merged into the ones that the whole cube would give, so that the cube is that of the
serial run to the last bit. What must be known of the whole cube, its coordinates, sidelobe level, common beams and the
sum of its mask, is gathered here and handed out.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import casa, report
from ...config import PcleanConfig
from ...cores import usable_threads
from ...errors import ParameterError
from ...gridding.data import casacore_memory
from ...images import planes
from ...images.assemble import Piece
from ...images.coordinates import ImageCoordinates
from ...images.products import check_shapes, products
from ...imaging.psf_beams import largest_beam
from ...imaging.run import Parts
from ...recordvalues import Record
from ...runs.psf_images import PsfImages
from ...sections import ImageField
from ...toolrecords import tool_records
from ...traits import ENGINES
from ..partition import Slab, guards_needed, slabs
from ..plan import Plan
from ..team_run import TeamGridder, TeamMaker, TeamRun
from .data_frequencies import cube_frequencies, find_coverage
from .exactness import why_inexact, widest_gap
from .team_cleaners import TeamDeconvolver, TeamMask
from .whole_gridder import WholeCubeGridder, drop_cleaned
from .whole_masks import with_whole_masks

TRIES = 4  # numbers of guard channels with which an exact cut is looked for


class CubeRun(TeamRun):
    """A run that makes cubes, whose channels a team images; for the parameters see `TeamRun`."""

    def __init__(self, config: PcleanConfig, plan: Plan, make_team: TeamMaker) -> None:
        super().__init__(config, plan, make_team)
        self.slabs: list[Slab] = []
        self.names: list[list[str]] = []
        self.suffixes: list[list[str]] = []
        self._whole_gridder: WholeCubeGridder | None = None

    def open(self, *, is_whole_run: bool = False) -> None:
        """Make the work folders; a former run's products are cut for the parts where they stand."""
        self._take_folders(is_whole_run=is_whole_run)

    def save(self, parts: Parts, prefix: str) -> dict[str, Any]:
        self.steps("save", prefix)
        return {"whole": [deconvolver.facts(0, None) for deconvolver in parts.deconvolvers]}

    def load(self, parts: Parts, files: Callable[[int], list[str]], facts: Mapping[str, Any]) -> None:
        self.steps("load", [files(number) for number in range(len(self.imagenames))])
        for number, deconvolver in enumerate(parts.deconvolvers):
            deconvolver.recall(facts.get("whole", [])[number : number + 1], 0)  # none where one process was at work

    def make_parts(self) -> Parts:
        self._records = tool_records(self._config, self.imagenames)
        self._start_team(min([self._plan.workers, *self._known_channel_counts()]))
        self._read_coordinates()
        self.folders.nchans = [image.nchan for image in self.coordinates]
        self.slabs, reason = self._cut()
        self._use_workers(len(self.slabs))
        if not reason:
            if self.has_psf:
                self.folders.carry_over()
            sources = self.imagenames if self.has_psf else [field.imagename for field in self._config.fields]
            self._open_parts(list(sources), grid=True)
            for path, _ in [entry for name in self.imagenames for entry in products(name)]:
                shutil.rmtree(path)  # the parts have them
            return self._with_cleaners(Parts(TeamCubeGridder(self)))
        gridder = self._grid_whole(reason)
        try:
            self._open_parts(list(self.imagenames), grid=False)
            gridder.set_weighting()
            return self._with_cleaners(Parts(gridder, self._make_normalizers()))
        except BaseException:
            gridder.release()
            raise

    def _open_parts(self, sources: list[str], *, grid: bool) -> None:
        """Have the workers open their parts of the cube, which take over what stands under the names `sources`."""
        with with_whole_masks(self._part_config, self._records.decpars, self.coordinates, self.path) as config:
            whole = self.coordinate_records
            self.call("open_part", [
                ("cube", str(self.log_of(rank)), config.to_dict(), dataclasses.astuple(slab), whole, sources,
                 str(self.path / f"part{rank}"), grid, self.has_psf or self._config.run.restart, usable_threads())
                for rank, slab in enumerate(self.slabs)
            ])  # fmt: skip
        self.names = self.steps("names")
        self.folders.pieces = list(zip(*self.names, strict=True))

    def _with_cleaners(self, parts: Parts) -> Parts:
        """Add a deconvolver and a mask for each field, where the run needs them."""
        if self._config.iteration.niter > 0 or self._config.deconvolution.restoration:
            for number in range(len(self._config.fields)):
                deconvolver = TeamDeconvolver(self, number, self._config)
                parts.deconvolvers.append(deconvolver)
                parts.masks.append(TeamMask(self, number, self._config, deconvolver))
        return parts

    def flush(self) -> None:
        super().flush()
        self.steps("flush")

    def psf_images(self) -> PsfImages:
        if self._whole_gridder is not None:
            return super().psf_images()
        pieces = [self.pieces_of(number, "") for number in range(len(self.imagenames))]
        return PsfImages(list(self.imagenames), pieces, self.coordinate_records, self.slabs[-1].nchan)

    def _known_channel_counts(self) -> list[int]:
        """The numbers of channels that the parameters give; the others are the data's."""
        shapes = map(self._config.image_shape, self._config.fields)
        return [shape[3] for shape in shapes if shape[3] is not None]

    def _cut(self) -> tuple[list[Slab], str]:
        """The parts' channels, and why the cube is to be gridded as a whole: '' where the parts grid theirs."""
        nchan = self.coordinates[0].nchan
        motions = [image.is_moving for image in self.coordinates]
        try:
            found = {moving: find_coverage(self._records, moving=moving) for moving in set(motions)}
        except ParameterError as error:  # a field moves
            return slabs(nchan, self._npart), str(error)
        data = [found[moving] for moving in motions]  # fields of one frame share it
        axes = [cube_frequencies(image) for image in self.coordinates]
        interpolation = self._config.gridding.interpolation
        nguards = max(
            guards_needed(interpolation, widest_gap(axis, entries) / _channel_width(image))
            for axis, entries, image in zip(axes, data, self.coordinates, strict=True)
        )
        if ENGINES[self._config.engine].is_exact_anywhere:
            return slabs(nchan, self._npart, nguards), ""
        reason, by_channel = "", self._records.densities.by_channel
        for count in range(nguards, nguards + TRIES):
            cut = slabs(nchan, self._npart, count)
            reasons = [
                why_inexact(axis, cut, entries, interpolation=interpolation, has_densities=by_channel)
                for axis, entries in zip(axes, data, strict=True)
            ]
            reason = next(filter(None, reasons), "")
            if not reason:
                return cut, ""
        return slabs(nchan, self._npart), reason

    def _grid_whole(self, reason: str) -> WholeCubeGridder:
        """The gridder of the whole cube in this process."""
        casa.post(f"Gridded in one process, cleaned by {len(self.slabs)} workers: {reason}", "WARN")
        casacore_memory.forget()  # the times at which `_cut` has looked
        self.folders.carry_over()
        records = tool_records(self._part_config, self.imagenames)
        self._whole_gridder = WholeCubeGridder(self, self._make_gridder(records))
        return self._whole_gridder

    def call(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Call a method of the workers, each with its own arguments, after they have what the gridder has made."""
        gridder = self._whole_gridder
        if gridder is not None and gridder.made and method == "part":
            made, gridder.made = gridder.made, []
            super().call("part", [("take_over", made)] * self._npart)
        return super().call(method, arguments)

    def share_of(self, rank: int) -> str:
        slab = self.slabs[rank]
        return f"channels {slab.start}~{slab.stop - 1}"

    def _check_shape(self, number: int, entry: ImageField) -> None:
        check_shapes(entry.imagename, (*entry.imsize, self._config.npol, self.slabs[-1].nchan))

    def blank_planes(self) -> list[NDArray[np.bool_]]:
        return [np.concatenate(parts) for parts in zip(*self.steps("blank_planes"), strict=True)]

    def beyond_beam(self) -> list[bool]:
        return [all(parts) for parts in zip(*self.steps("beyond_beam"), strict=True)]

    def residual_summary(self) -> dict[str, Any]:
        found: report.MinorSummary = {}
        for part in self.steps("residual_planes"):
            for field, channels in part.items():
                found.setdefault(field, {}).update(channels)
        return report.zero_summary(self._config, found)

    def publish(self, history: Mapping[str, Any]) -> None:
        """Assemble the parts' images, and publish."""
        self._assemble()
        for rank in range(len(self.slabs)):
            shutil.rmtree(self.path / f"part{rank}")
        super().publish(history)

    def restoring_record(self, number: int) -> Record:
        """The record for a deconvolver that restores field `number`."""
        return self._records.decpars[number]

    def pieces_of(self, number: int, suffix: str) -> list[Piece]:
        """The parts' images of one kind, of field `number`."""
        return [
            Piece(names[number] + suffix, slab.own, slab.start, slab.size)
            for names, slab in zip(self.names, self.slabs, strict=True)
        ]

    def _assemble(self) -> None:
        """Make the whole images, each in one worker, several at once."""
        jobs = []
        for number, imagename in enumerate(self.imagenames):
            drop_cleaned(imagename)  # there only where the whole was gridded
            for suffix in self.suffixes[number]:
                if planes.is_image(imagename + suffix):
                    continue
                parts = [
                    (part.path, (part.channels.start, part.channels.stop), part.start, part.size)
                    for part in self.pieces_of(number, suffix)
                ]
                jobs.append((imagename + suffix, parts, self.coordinates[number].record, self.slabs[-1].nchan))
        for first in range(0, len(jobs), len(self.slabs)):
            self.call("assemble", jobs[first : first + len(self.slabs)])

    def close_parts(self) -> None:
        """Let the workers release their tools; what images there are is noted for the assembly."""
        if self._team is not None and self._team.size:
            self.suffixes = self.steps("products")[0]
        super().close_parts()


class TeamCubeGridder(TeamGridder):
    """A Gridder whose calls run on every worker, each on its channels."""

    def __init__(self, run: CubeRun) -> None:
        super().__init__(run)
        self._slabs = run.slabs
        self._nfields = len(run.coordinates)

    def set_weighting(self) -> None:
        """The workers have set them when they opened their parts."""

    def make_psf(self) -> None:
        self._run.steps("make_psf")
        if len(self._slabs) > 1:
            for number in range(self._nfields):
                self._share_largest_beam(number)

    def _share_largest_beam(self, number: int) -> None:
        """Give planes that have no own beam the largest of the whole cube, as SIImageStore::makeImageBeamSet does."""
        beams = [row for part in self._run.steps("fitted_beams", number) for row in part]
        lacking = [(chan, pol) for chan, row in enumerate(beams) for pol, beam in enumerate(row) if beam is None]
        largest = largest_beam(self._run.steps("largest_beam", number)) if lacking else None
        if largest is None:
            return
        self._run.each_step("set_beams", [
            (number, [(chan - slab.first, pol) for chan, pol in lacking if slab.first <= chan < slab.last], largest)
            for slab in self._slabs
        ])  # fmt: skip

    def make_pb(self) -> None:
        self._run.steps("make_pb")

    def check_pb(self) -> None:
        self._run.steps("check_pb")


def _channel_width(image: ImageCoordinates) -> float:
    """The width of a cube's channels, which are regular [Hz]."""
    axis = image.linear_axis
    assert axis is not None
    return abs(axis.cdelt)
