"""Deconvolution and masks of a cube on a team: each worker's of its channels, with what the whole cube decides."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ... import casa
from ...config import PcleanConfig
from ...images import planes
from ...images.assemble import beams_image
from ...imaging.beam import mask_blocks
from ...imaging.cleaners import is_in_memory
from ...imaging.deconvolver import Deconvolver
from ...imaging.psf_beams import area, plane_beams
from ...minorrecords import ExecRecord, InitRecord, MinorControls
from ...recordvalues import Record
from ...toolrecords import restoring_only, without_data
from .merge import UNCHANGED, merged_exec_record, merged_init_record

if TYPE_CHECKING:
    from .run import CubeRun


class TeamDeconvolver:
    """One field's deconvolution on every worker."""

    def __init__(self, run: CubeRun, number: int, config: PcleanConfig) -> None:
        self._run, self._number, self._config = run, number, config
        self._mask_sum = UNCHANGED
        self.leaves_residual = is_in_memory(config, config.fields[number])
        self.sidelobe_level = 0.0
        self.mask_is_empty = True

    def init_record(self) -> InitRecord:
        found = self._run.steps("init_record", self._number)
        record, self._mask_sum = merged_init_record(found, self._mask_sum)
        self.sidelobe_level = float(record["maxpsfsidelobe"])
        self.mask_is_empty = self._mask_sum <= 0
        return record

    def minor_cycle(self, controls: MinorControls) -> ExecRecord:
        record = merged_exec_record(self._run.steps("minor_cycle", self._number, dict(controls)))
        if record["updatedmodelflag"] or record["iterdone"] > 0:
            self._copy_guards()
        return record

    def _copy_guards(self) -> None:
        """Let each part's guard channels have the model that their own parts have given them."""
        parts, arguments = self._run.slabs, []
        for slab in parts:
            copies = []
            for guard in slab.guards:
                channel = slab.first + guard
                owner = next(rank for rank, other in enumerate(parts) if other.start <= channel < other.stop)
                model = self._run.names[owner][self._number] + ".model"
                copies.append((guard, model, channel - parts[owner].first))
            arguments.append((copies,))
        self._run.each_step("read_guards", arguments)
        self._run.steps("write_guards", self._number)

    @contextlib.contextmanager
    def beams_of_cube(self) -> Iterator[str]:
        """An image of the whole cube's channels that has nothing but their beams: its path, which ends in .psf."""
        parts = self._run.pieces_of(self._number, ".psf")
        folder = self._run.path / f"beams{self._number}"
        folder.mkdir()
        try:
            path = str(folder / "cube.psf")
            beams_image(path, parts, self._run.slabs[-1].nchan)
            yield path
        finally:
            shutil.rmtree(folder)

    def _common_beam(self) -> tuple[Record, tuple[int, int] | None]:
        """The beam of restoringbeam='common', in CASA's units, and the first plane (channel, pol) of the largest beam.

        A restoration of empty images finds the beam, as `image.commonbeam` changes the unit and with it the last bit.
        The plane is None where there is one alone.
        """
        with self.beams_of_cube() as psf:
            beams = plane_beams(psf) if self._has_planes else []
            imagename = psf.removesuffix(".psf")
            for kind in ("residual", "model"):
                shutil.copytree(psf, f"{imagename}.{kind}")
            record = without_data(restoring_only(self._run.restoring_record(self._number)))
            deconvolver = Deconvolver(imagename, record)
            try:
                deconvolver.restore()
            finally:
                deconvolver.close()
            with casa.opened_image(f"{imagename}.image") as image:
                beam = image.restoringbeam()
        order = [(chan, pol) for pol in range(self._config.npol) for chan in range(len(beams))]
        return beam, max(order, key=lambda plane: area(beams[plane[0]][plane[1]]), default=None)

    @property
    def _has_planes(self) -> bool:
        """Whether images have a beam for each plane."""
        return self._run.slabs[-1].nchan * self._config.npol > 1

    def check_beam(self) -> None:
        """The workers have checked theirs."""

    def restore(self) -> None:
        if self._config.deconvolution.restoringbeam not in ("common", ("common",)):
            self._run.steps("restore", self._number, None, [])
            return
        beam, largest = self._common_beam()
        self._run.each_step("restore", [
            (self._number, beam,
             [(largest[0] - slab.first, largest[1])] if largest and slab.start <= largest[0] < slab.stop else [])
            for slab in self._run.slabs
        ])  # fmt: skip

    def pbcor(self) -> None:
        self._run.steps("pbcor", self._number)

    def estimate_memory(self, imsize: tuple[int, int]) -> float:
        return 0.0

    def facts(self, first: int, own: range | None) -> dict[str, Any]:
        """The sum of the whole mask; the workers save what else is known."""
        return {"mask_sum": self._mask_sum}

    def recall(self, found: list[dict[str, Any]], first: int) -> None:
        """Nothing may be known of the sum, but of an empty mask there would be no cycle to go on after."""
        self._mask_sum = next((facts["mask_sum"] for facts in found), UNCHANGED)
        self.mask_is_empty = False

    def close(self) -> None:
        """The gridder closes the parts."""


class TeamMask:
    """One field's masks on every worker."""

    can_be_recalled = True

    def __init__(self, run: CubeRun, number: int, config: PcleanConfig, deconvolver: TeamDeconvolver) -> None:
        self._run, self._number, self._config = run, number, config
        self._deconvolver = deconvolver
        self._field = config.fields[number]
        self._blocks: list[tuple[int, int]] = []

    def update(self, *, iterations: int, threshold_reached: bool) -> None:
        if self._field.usemask != "auto-multithresh":
            is_empty = self._deconvolver.mask_is_empty
            self._run.steps("update_mask", self._number, iterations, threshold_reached, is_empty)
            return
        if not self._blocks:
            self._set_blocks()
        is_slow = not self._config.masking.fastnoise and not self._deconvolver.mask_is_empty
        full = self._full_blocks() if is_slow else [[] for _ in self._run.slabs]
        level = self._deconvolver.sidelobe_level
        self._run.each_step(
            "update_automask", [(self._number, iterations, threshold_reached, level, part) for part in full]
        )

    def _set_blocks(self) -> None:
        """Hand out the blocks with their common beams, each to the parts that have channels of it."""
        nx, ny = self._field.imsize
        self._blocks = mask_blocks(nx, ny, self._run.slabs[-1].nchan)
        with self._deconvolver.beams_of_cube() as path, planes.opened(path) as image:
            beams = [image.common_beam(start, stop) for start, stop in self._blocks]
        self._shares = [
            [
                (number, max(start, slab.start) - slab.first, min(stop, slab.stop) - slab.first, beams[number])
                for number, (start, stop) in enumerate(self._blocks)
                if start < slab.stop and stop > slab.start
            ]
            for slab in self._run.slabs
        ]
        self._run.each_step(
            "set_mask_blocks",
            [(self._number, [(start, stop, beam) for _, start, stop, beam in share]) for share in self._shares],
        )

    def _full_blocks(self) -> list[list[int]]:
        """For each part, which of its blocks have a first plane, maybe another part's, that is masked all over."""
        found = self._run.steps("find_full_blocks", self._number)
        whole = {
            share[local][0]
            for share, slab, part in zip(self._shares, self._run.slabs, found, strict=True)
            for local in part
            if self._blocks[share[local][0]][0] >= slab.start
        }
        return [[local for local, entry in enumerate(share) if entry[0] in whole] for share in self._shares]

    def keep(self) -> None:
        """The workers keep theirs as they clean."""

    def facts(self, first: int, own: range | None) -> dict[str, Any]:
        """The workers save what is known."""
        return {}

    def recall(self, found: list[dict[str, Any]], first: int) -> None:
        """The workers recall it."""

    def revert(self) -> None:
        self._run.steps("revert_masks")
