"""SerialImager: the one clean loop, in one process. It drives its parts and knows none of their kinds."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, TypeVar

from .. import casa, measurementsets, report
from ..config import PcleanConfig
from ..engines import AUTO, CASA, beyond_ducc
from ..errors import ImagingError, OutputError, ParameterError
from ..gridding.casa_gridder import check_known
from ..gridding.data_need import with_data_seen
from ..progress import NullProgress, Progress
from ..toolrecords import Record, to_casa_iterpars
from .iteration import IterationControl
from .psfcenter import replace_psf
from .workshop import Parts, Workshop
from .workshops import serial_workshop

Step = TypeVar("Step", bound=Callable[..., Any])


def _step(method: Step) -> Step:
    """Make a method a step of the run: it needs the tools, room on the disk, and if it fails nothing is published."""

    @functools.wraps(method)
    def wrapper(self: SerialImager, *args: Any, **kwargs: Any) -> Any:
        if not self._is_set_up:
            raise ImagingError(f"{method.__name__} can't run, as the imager has no tools: call setup first")
        with self._noting_failure():
            self._workshop.check_space()
            return method(self, *args, **kwargs)

    return wrapper  # type: ignore[return-value]


class SerialImager:
    """Image and deconvolve in this process: tclean's loop, step by step or by `run`.

    Parameters
    ----------
    config : PcleanConfig
        What to image, and how.
    init_iter_control : bool
        False where somebody else holds the iteration control: then `init_records`, `run_minor_cycle(controls)` and
        `exec_records` take the place of `has_converged`, and `run` can't be used.
    progress : Progress, optional
        Told of every cycle; by default nobody is.
    history : mapping, optional
        Parameters to write into every product's history.
    workshop : Workshop, optional
        Makes the parts that the loop drives, and keeps the products; by default CASA's parts, in this process.

    Attributes
    ----------
    exec_records : list of dict
        Records of the last minor cycle, one a field.
    stop_code : int
        What the last `has_converged` found: a key of `report.STOP_DESCRIPTIONS`, or 0.
    failed : bool
        Whether a step has failed.

    Examples
    --------
    >>> with SerialImager(PcleanConfig.from_parameters(vis="x.ms", imagename="x", cell="1arcsec", niter=100)) as imager:
    ...     result = imager.run()

    Notes
    -----
    Images are made in `<imagename>.workdirectory` and take their final names at `teardown`, if no step has failed.
    After a failure the work folder stays for inspection, and what stood under the final names is untouched.
    """

    def __init__(
        self,
        config: PcleanConfig,
        init_iter_control: bool = True,
        *,
        progress: Progress | None = None,
        history: Mapping[str, Any] | None = None,
        workshop: Workshop | None = None,
    ) -> None:
        self.config = config = with_data_seen(config) if workshop is None else config
        self.progress = progress or NullProgress()
        self.exec_records: list[Record] = []
        self.stop_code = 0
        self.failed = False
        self._init_iter_control = init_iter_control
        self._history = history or {}
        self._workshop = workshop or serial_workshop(config)
        self._parts: Parts | None = None
        self._control: IterationControl | None = None
        self._iterations = [0] * len(config.fields)
        self._threshold_reached = False
        self._is_set_up = False

    def __enter__(self) -> SerialImager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.failed = self.failed or error is not None
        self.teardown()

    # --- the steps ---

    def setup(self) -> None:
        """Check the selections, make the work folders and the tools.

        Raises
        ------
        ParameterError, SelectionError, OutputError
            Before anything is written. OutputError also where the disk has no room for the images.
        ImagingError
            CASA refuses a parameter; the work folders are removed. Or the imager is set up already.
        """
        if self._is_set_up:
            raise ImagingError("the imager is set up already: call teardown first")
        self.failed, self.stop_code, self.exec_records = False, 0, []
        self._iterations, self._threshold_reached = [0] * len(self.config.fields), False
        with self._noting_failure():
            self._set_up()
            self._is_set_up = True
            self._check_memory()

    def _set_up(self) -> None:
        for field in self.config.fields:
            check_known(field.gridder)
        for selection in self.config.selections:
            measurementsets.check_selection(selection)
        self._report_engine()
        measurementsets.add_missing_weight_spectra([selection.vis for selection in self.config.selections])
        try:
            self._workshop.open()
            self._make_parts()
        except BaseException:
            self._abandon()
            raise

    @_step
    def make_psf(self) -> None:
        """Make and normalize .psf, .sumwt and .weight of every field, and fit the beams."""
        parts = self._need_parts()
        parts.gridder.make_psf()
        for normalizer in parts.normalizers if self.config.divides_in_python else []:
            normalizer.normalize_psf()
        for deconvolver in parts.deconvolvers:
            deconvolver.check_beam()
        try:
            self._workshop.check_former_shapes()
        except ParameterError:
            self._abandon()
            raise
        if self.config.gridding.psfphasecenter != "" and "mosaic" in self.config.fields[0].gridder:
            self._release_parts()
            with casa.working_on("making the PSF at psfphasecenter"):
                replace_psf(self.config, self._workshop.imagenames[0])
            self._make_parts()

    @_step
    def make_pb(self) -> None:
        """Make and normalize .pb of every field."""
        parts = self._need_parts()
        parts.gridder.make_pb()
        for normalizer in parts.normalizers:
            normalizer.normalize_pb()

    @_step
    def run_major_cycle(self, is_first: bool = False, *, last: bool | None = None) -> None:
        """Make .residual of every field from the data less the models.

        Parameters
        ----------
        is_first : bool
            This is the first residual, which doesn't count for nmajor.
        last : bool, optional
            No other major cycle will follow, so that `savemodel` acts; by default the iteration control foresees it.
        """
        if last is None:
            last = self._control is None or self._control.is_last_major_cycle()
        parts = self._need_parts()
        normalizers = parts.normalizers if self.config.divides_in_python else []
        for normalizer in normalizers:
            normalizer.divide_model()
        parts.gridder.major_cycle(last=last)
        if self._control is not None:
            self._control.end_major_cycle(is_first=is_first)
        for normalizer in normalizers:
            normalizer.normalize_residual()
            normalizer.restore_model()

    @_step
    def update_masks(self) -> None:
        """Write .mask of every field for the next minor cycle."""
        for mask, iterations in zip(self._need_parts().masks, self._iterations, strict=True):
            mask.update(iterations=iterations, threshold_reached=self._threshold_reached)

    @_step
    def run_minor_cycle(self, controls: Record | None = None) -> bool:
        """Clean every field's .residual within its .mask; True if any iteration was done.

        Parameters
        ----------
        controls : dict, optional
            From an iteration control outside; by default from this imager's own.
        """
        if controls is None:
            controls = self._need_control().start_minor_cycle()
        casa.post(f"Minor cycle controls: {controls}")
        self._threshold_reached = bool(controls["thresholdreached"])
        self.exec_records = []
        parts = self._need_parts()
        for deconvolver, mask in zip(parts.deconvolvers, parts.masks, strict=True):
            self.exec_records.append(deconvolver.minor_cycle(controls))
            mask.keep()
        done = [int(record["iterdone"]) for record in self.exec_records]
        self._iterations = [before + new for before, new in zip(self._iterations, done, strict=True)]
        if self._control is not None:
            self._control.end_minor_cycle(self.exec_records)
        return any(done)

    @_step
    def init_records(self) -> list[Record]:
        """Peak residual, sidelobe level and mask sum of every field, for an iteration control."""
        return [deconvolver.init_record() for deconvolver in self._need_parts().deconvolvers]

    @_step
    def has_converged(self, nmajor_limit: int = -1) -> bool:
        """Whether a stopping criterion is met; if so, automasks go back to those of the last minor cycle.

        Parameters
        ----------
        nmajor_limit : int
            Major cycles after the first residual that may be run; -1 for no limit.
        """
        self.stop_code = self._need_control().converged(self.init_records(), nmajor_limit)
        if self.stop_code > 0:
            casa.post(f"Reached global stopping criterion: {report.STOP_DESCRIPTIONS[self.stop_code]}")
            self.revert_masks()
        return self.stop_code > 0

    @_step
    def revert_masks(self) -> None:
        """Put back the masks of the last minor cycle, where automasking has made newer ones."""
        for mask in self._need_parts().masks:
            mask.revert()

    @_step
    def predict_model(self) -> None:
        """Predict the models and save them with the visibilities, as `savemodel` says."""
        parts = self._need_parts()
        for normalizer in parts.normalizers:
            normalizer.divide_model()
        parts.gridder.predict()
        for normalizer in parts.normalizers:
            normalizer.restore_model()

    @_step
    def restore(self) -> None:
        """Write .image of every field."""
        for deconvolver in self._need_parts().deconvolvers:
            deconvolver.restore()

    @_step
    def pbcor(self) -> None:
        """Write .image.pbcor of every field."""
        for deconvolver in self._need_parts().deconvolvers:
            deconvolver.pbcor()

    def teardown(self) -> None:
        """Release the parts; give the products their final names, unless a step has failed. May be called again."""
        try:
            self._release_parts()
            if self._is_set_up and not self.failed:
                with self._noting_failure():
                    self._workshop.publish(self._history)
        finally:
            self._is_set_up = False
            self._workshop.close()

    @contextlib.contextmanager
    def _noting_failure(self) -> Iterator[None]:
        """Note that a part of the run has failed; CASA's errors and the file system's come out named, with the folder.

        What fails inside a part that fails is noted once.
        """
        noted_before = self.failed
        try:
            yield
        except BaseException as error:
            noted, self.failed = self.failed and not noted_before, True
            if noted or not isinstance(error, ImagingError | OSError) or isinstance(error, ParameterError):
                raise
            where = self._workshop.path
            is_kept = self._is_set_up and where.exists()
            message = f"{error}" + (f"\nThe unfinished images are in {str(where)!r}" if is_kept else "")
            if isinstance(error, ImagingError):
                error.args = (message,)  # the same error, as a worker's has its rank and host
                raise
            raise OutputError(message) from error

    # --- the loop ---

    def run(self) -> dict[str, Any]:
        """Do all steps in tclean's order.

        Returns
        -------
        dict
            tclean's return dictionary: stopcode, iterdone, nmajordone, summaryminor, summarymajor, ...; unless
            engine='casa' also the engine that has gridded.
        """
        with self._noting_failure():
            summary = self._run()
        return summary if self.config.run.engine == CASA else {**summary, "engine": self.config.engine}

    def _run(self) -> dict[str, Any]:
        run, iteration = self.config.run, self.config.iteration
        self.setup()
        if run.calcpsf:
            self.progress.stage("PSF and primary beam")
            self.make_psf()
            self.make_pb()
        if self.config.fields[0].gridder in ("mosaic", "awproject"):
            self._need_parts().gridder.check_pb()
        if run.calcres:
            self.progress.stage("first residual")
            self.run_major_cycle(is_first=True)
        if iteration.niter > 0:
            summary = self._clean()
        else:
            if not run.calcres and run.savemodel != "none":
                self.predict_model()
            summary = self._workshop.residual_summary()
        if self.config.deconvolution.restoration:
            self.progress.stage("restoration")
            self.restore()
            if self.config.deconvolution.pbcor:
                self.pbcor()
        self.progress.finish()
        return summary

    def _clean(self) -> dict[str, Any]:
        """Major and minor cycles until a stopping criterion is met, or a minor cycle does nothing."""
        control, nmajor = self._need_control(), self.config.iteration.nmajor
        self.has_converged(nmajor)
        self.update_masks()
        done = self.has_converged(nmajor)
        self._report_cycle(control)
        while not done:
            cleaned = self.run_minor_cycle()
            if cleaned:
                self.run_major_cycle()
            self.update_masks()
            done = self.has_converged(nmajor) or not cleaned
            self._report_cycle(control)
        summary = report.clean_summary(control.summary())
        self.progress.stopped(self.stop_code, report.STOP_DESCRIPTIONS.get(self.stop_code, "no iteration was done"))
        if self.config.saves_model_late and not self._workshop.saves_model:
            self._save_model_late()
        return summary

    def _report_cycle(self, control: IterationControl) -> None:
        self.progress.cycle(
            number=control.major_cycles,
            peak_residual=control.peak_residual,
            cycle_threshold=control.controls.get("cyclethreshold"),
            iterations=control.iterations,
        )

    def _save_model_late(self) -> None:
        """Predict and save the final model with a gridder that may write to the MeasurementSets."""
        parts = self._need_parts()
        parts.gridder.close()
        parts.gridder = self._workshop.make_saving_gridder()
        self.predict_model()

    # --- the parts ---

    def _make_parts(self) -> None:
        self._parts = self._workshop.make_parts()
        if self.config.iteration.niter > 0 and self._init_iter_control:
            self._control = IterationControl(to_casa_iterpars(self.config, self._workshop.imagenames))

    def _abandon(self) -> None:
        """Leave the disk as it was before the run."""
        self._is_set_up = False
        try:
            self._release_parts()
        finally:
            self._workshop.discard()
            self._workshop.close()

    def _release_parts(self) -> None:
        parts, control = self._parts, self._control
        self._parts, self._control = None, None
        with contextlib.ExitStack() as stack:
            for part in (control, parts):
                if part is not None:
                    stack.callback(part.close)

    def _need_parts(self) -> Parts:
        if self._parts is None:
            raise ImagingError("the imager has no tools: call setup first")
        return self._parts

    def _need_control(self) -> IterationControl:
        if self._control is None:
            raise ImagingError(
                "the imager has no iteration control: niter is 0, setup wasn't called, or init_iter_control=False"
            )
        return self._control

    def _report_engine(self) -> None:
        """Say in the log who grids, and why it isn't ducc where the choice was left to pclean."""
        lacking = beyond_ducc(self.config) if self.config.run.engine == AUTO else ""
        why = f", as engine='ducc' doesn't do {lacking}" if lacking else ""
        casa.post(f"Gridding with engine={self.config.engine!r}{why}")

    def _check_memory(self) -> None:
        """Warn, as tclean does, where gridding and deconvolution may not fit into memory."""
        parts = self._need_parts()
        needed = parts.gridder.estimate_memory()
        needed += sum(
            deconvolver.estimate_memory(field.imsize)
            for deconvolver, field in zip(parts.deconvolvers, self.config.fields, strict=False)
        )
        available = casa.available_memory()
        tight = needed > 0.8 * available
        casa.post(f"Memory needed: {needed:.0f} kB; available: {available:.0f} kB", "WARN" if tight else "INFO2")
