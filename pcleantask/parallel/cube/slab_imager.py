"""One part of a cube, in a worker: the steps of the clean loop on a slab of channels, without the loop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ... import casa, memory, report
from ...config import PcleanConfig
from ...images.coordinates import ImageCoordinates
from ...images.pixels import read_channels
from ...images.products import products
from ...images.store import StoredImage
from ...imaging.beam import Beam
from ...imaging.cleaners import AnyDeconvolver
from ...imaging.masking import ChannelBlock, NumpyAutoMask
from ...imaging.robust import robust_rms
from ...imaging.serial_imager import SerialImager
from ...minorrecords import ExecRecord, MinorControls
from ...recordvalues import Record
from ...traits import ENGINES
from ..partition import Slab
from .merge import SlabRecord
from .slab_beams import SlabBeams
from .slab_run import SlabRun, clear

NO_MASK_SUM = -1.0  # what CASA's records say where the mask is as it was, or isn't there


class SlabImager:
    """The steps that a lead calls for; plain data in, plain data out.

    Channels in arguments and results are counted in the part unless said otherwise. For the constructor's parameters
    see `SlabRun`; `config` is a `PcleanConfig.to_dict`, `slab` the fields of a `Slab`, `threads` for how many
    a serial run would plan its Fourier transforms.
    """

    def __init__(
        self,
        config: dict[str, Any],
        slab: tuple[int, int, int, int],
        coordinates: list[Record],
        sources: list[str],
        folder: str,
        grids: bool,
        takes_over: bool,
        threads: int,
    ) -> None:
        self._former_directory = Path.cwd()
        self._config = PcleanConfig.from_dict(config).with_absolute_paths()
        self._engine = ENGINES[self._config.engine]
        self._slab = Slab(*slab)
        sources = [str(Path(source).absolute()) for source in sources]
        place = Path(folder).absolute()
        whole = [ImageCoordinates(record, self._slab.nchan) for record in coordinates]
        self._run = SlabRun(self._config, self._slab, whole, sources, place, grids=grids, takes_over=takes_over)
        self._imager = SerialImager(self._config, init_iter_control=False, run=self._run)
        self._sums: list[float | None] = [None] * len(sources)
        self._restorers: dict[int, AnyDeconvolver] = {}
        self._guards: dict[int, np.ndarray] = {}  # channel -> planes [pol, y, x] of the model
        self._threads = threads
        self._recalled: set[int] = set()  # fields that have gone on with what others have kept
        self._beams = SlabBeams(self._config, self._slab, self._run.imagenames)
        self._imager.setup()

    def names(self) -> list[str]:
        """Each field's image name."""
        return list(self._run.imagenames)

    def take_over(self, made: list[str]) -> None:
        """Copy what the whole cube's gridder has made since: products of these entries of PRODUCTS."""
        self._run.take_over(made)

    def make_psf(self) -> None:
        self._imager.make_psf()

    def fitted_beams(self, number: int) -> list[list[Record | None]]:
        return self._beams.fitted(number)

    def largest_beam(self, number: int) -> Record | None:
        return self._beams.largest(number)

    def set_beams(self, number: int, where: list[tuple[int, int]], beam: Record) -> None:
        self._beams.give(number, where, beam)

    def blank_planes(self) -> list[NDArray[np.bool_]]:
        """For each field, which planes of the part's own channels no visibility has fallen on."""
        own = slice(self._slab.own.start, self._slab.own.stop)
        return [blank[own] for blank in self._run.blank_planes()]

    def make_pb(self) -> None:
        if self._engine.beams_vary_with_threads and self._threads != casa.openmp_threads():
            self._run.evaluate_pb(self._threads)
        self._imager.make_pb()

    def beyond_beam(self) -> list[bool]:
        """For each field, whether the part is masked by the primary beam."""
        return self._run.beyond_beam()

    def check_pb(self) -> None:
        self._run.parts.gridder.check_pb()

    def major_cycle(self, last: bool) -> None:
        """Make the residuals; those of guards are not exact, and zero counts in no peak or noise."""
        self._imager.run_major_cycle(last=last)
        self._beams.give_again()  # with pblimit <= 0 CASA writes those that it has made (runCubeGridding)
        if self._engine.blanks_guards:
            return  # its gridder has left them zero
        for name in self._run.imagenames:
            self._run.clear_guards(name + ".residual")

    def estimate_memory(self) -> float:
        """What gridding takes here [kB]; raises MemoryLimitError where limits leave less."""
        needed = self._run.parts.gridder.estimate_memory()
        memory.check_fits(1024 * needed)
        return needed

    def init_record(self, number: int) -> SlabRecord:
        """CASA's record of field `number`, with what merging needs besides."""
        record = self._run.parts.deconvolvers[number].init_record().copy()
        if record["masksum"] != NO_MASK_SUM:
            self._sums[number] = float(record["masksum"])
        rms = self._largest_rms(number)
        nsigma = self._config.iteration.nsigma
        if nsigma > 0 and self._config.fields[number].usemask != "auto-multithresh":
            # CASA measures anew only after iterations (SynthesisDeconvolver::initMinorCycle); a part may have had none
            record["nsigmathreshold"] = float(np.float32(nsigma) * np.float32(rms))
        return {"record": record, "masksum": self._sums[number], "rms": rms}

    def _largest_rms(self, number: int) -> float:
        """The largest robust rms of the planes, which decides whose n-sigma threshold counts; 0 without one."""
        if self._config.iteration.nsigma <= 0:
            return 0.0
        name, masking = self._run.imagenames[number], self._config.masking
        found = [0.0]
        residual, pb = (self._run.store.image(f"{name}.{kind}") for kind in ("residual", "pb"))
        for chan in self._slab.own:
            (residuals,), (beams,) = residual.channels([chan]), pb.channels([chan])
            for plane, beam in zip(residuals, beams, strict=True):
                found.append(robust_rms(plane, beam > np.float32(masking.pbmask), masking.fastnoise)[1])
        return max(found)

    def set_mask_blocks(self, number: int, blocks: list[tuple[int, int, tuple[float, float, float]]]) -> None:
        """Give an automask the channel blocks of the whole cube that the slab has, with their common beams."""
        self._automask(number).blocks = [ChannelBlock(start, stop, Beam(*beam)) for start, stop, beam in blocks]

    def find_full_blocks(self, number: int) -> list[int]:
        """Which of an automask's blocks have a first plane that is masked all over."""
        return self._automask(number).find_full_blocks()

    def update_automask(
        self, number: int, iterations: int, threshold_reached: bool, sidelobe_level: float, full: list[int]
    ) -> None:
        """Write .mask of field `number` by its automask; guards stay unmasked."""
        self._look_first(number)
        self._run.parts.deconvolvers[number].sidelobe_level = sidelobe_level
        self._automask(number).update(iterations=iterations, threshold_reached=threshold_reached, full_blocks=full)
        clear(self._mask_image(number), self._slab.guards)

    def update_mask(self, number: int, iterations: int, threshold_reached: bool, whole_is_empty: bool) -> None:
        """Write .mask of field `number`; guards stay unmasked, and a part of a mask that is empty here stays empty."""
        self._look_first(number)
        image = self._mask_image(number)
        was_empty = self._sums[number] == 0 and not whole_is_empty
        self._run.parts.masks[number].update(iterations=iterations, threshold_reached=threshold_reached)
        given = self._config.fields[number].mask
        is_empty = self._run.has_empty_mask[number] or (was_empty and not given)
        clear(image, range(self._slab.size) if is_empty else self._slab.guards)
        # what is empty once stays so, though CASA fills an empty mask at the next call
        own_is_empty = not any(image.plane(*key).any() for key in image.keys if key[0] in self._slab.own)
        self._run.has_empty_mask[number] = is_empty or (own_is_empty and not whole_is_empty)

    def _automask(self, number: int) -> NumpyAutoMask:
        """The automask of field `number`: a run that CASA's own masks isn't cut into slabs."""
        return cast(NumpyAutoMask, self._run.parts.masks[number])

    def _mask_image(self, number: int) -> StoredImage:
        return self._run.store.image(self._run.imagenames[number] + ".mask")

    def minor_cycle(self, number: int, controls: MinorControls) -> ExecRecord:
        """Clean field `number`; the record's channels are those of the whole cube, without guards."""
        casa.plan_transforms(self._threads)
        record = self._run.parts.deconvolvers[number].minor_cycle(controls).copy()
        self._run.store.image(self._run.imagenames[number] + ".model").flush()  # neighbours read it
        self._run.parts.masks[number].keep()
        record["summaryminor"] = self._summary_of_cube(np.asarray(record["summaryminor"]))
        return record

    def _summary_of_cube(self, summary: np.ndarray) -> np.ndarray:
        """Own channels' columns; channels counted in the cube (without `stoke` they are chan + pol * nchan)."""
        row = report.FULL_ROWS.index("chan")
        pol, chan = np.divmod(summary[row].astype(int), self._slab.size)
        own = np.isin(chan, list(self._slab.own))
        found = summary[:, own]
        found[row] = (chan + self._slab.first + pol * self._slab.nchan)[own]
        return found

    def read_guards(self, neighbours: list[tuple[int, str, int]]) -> None:
        """Read the guards' models: (guard channel, image of the neighbour's model, its channel there) each.

        Apart from `write_guards`, as a process that waits for one image's lock must not hold another's.
        """
        self._guards = {}
        for guard, path, channel in neighbours:
            (self._guards[guard],) = read_channels(path, channel, channel + 1)

    def write_guards(self, number: int) -> None:
        """Write what `read_guards` has read into the model of field `number`."""
        model = self._run.store.image(self._run.imagenames[number] + ".model")
        for guard, found in self._guards.items():
            model.put({(guard, pol): plane for pol, plane in enumerate(found)})
        self._guards = {}

    def revert_masks(self) -> None:
        self._imager.revert_masks()

    def restore(self, number: int, beam: Record | None, kept: list[tuple[int, int]]) -> None:
        """Restore field `number` with one beam for all channels, or each channel's.

        The residuals of the planes `kept` (channel, pol) stay as they are, as if they had the common beam: CASA writes
        that over the largest of a cube's beams when it looks for it (CasaImageBeamSet::getCommonBeam).
        """
        casa.plan_transforms(self._threads)
        with self._beams.replaced(number, {} if beam is None else dict.fromkeys(kept, beam)):
            self._restorers[number] = self._run.restoring_deconvolver(number, beam)
            self._restorers[number].restore()

    def pbcor(self, number: int) -> None:
        self._restorers[number].pbcor()

    def residual_planes(self) -> report.MinorSummary:
        """The summary of a run without iterations, channels counted in the whole cube, without guards."""
        self._run.store.flush()
        fullsummary = self._config.iteration.fullsummary
        found = report.residual_planes(self._run.imagenames, self._run.masks, fullsummary=fullsummary)
        return {
            field: {chan + self._slab.first: pols for chan, pols in channels.items() if chan in self._slab.own}
            for field, channels in found.items()
        }

    def flush(self) -> None:
        """Let the disk have what is made."""
        self._run.flush()

    def save(self, prefix: str) -> None:
        """Write what a checkpoint keeps of the part's own channels; see `Run.save`."""
        self._run.save(self._run.parts, prefix)

    def load(self, files: list[list[str]]) -> None:
        """Come to where parts have come that wrote these files of each field."""
        self._run.load(self._run.parts, files.__getitem__, {})
        self._recalled = set(range(len(files)))

    def _look_first(self, number: int) -> None:
        """Let CASA's tool look at a field before its first mask, where it has not: the mask's sum is told only once."""
        if number in self._recalled and not self._run.parts.deconvolvers[number].leaves_residual:
            self.init_record(number)
        self._recalled.discard(number)

    def products(self) -> list[list[str]]:
        """The suffixes of each field's images."""
        return [[path.name.removeprefix(Path(name).name) for path, _ in products(name)]
                for name in self._run.imagenames]  # fmt: skip

    def close(self) -> None:
        """Release the tools; the images stay."""
        for restorer in self._restorers.values():
            restorer.close()
        self._imager.teardown()
        os.chdir(self._former_directory)
