"""The steps of a run, each in tclean's order and once; what they drive are the run's parts, of whatever kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import casa, report
from ..config import PcleanConfig
from ..errors import ParameterError, StepError
from ..minorrecords import ExecRecord, InitRecord, MinorControls
from ..progress import NullProgress, Progress
from ..runs.status import RecordedProgress
from .cautions import tell_of_beams, tell_of_blanks
from .endings import ending_in_order
from .preflight import check_data, check_memory
from .psfcenter import replace_psf
from .run import Run
from .steps import SteppedImager, step

RESIDUAL = ("make_psf", "run_major_cycle")  # the steps after which there is something to clean


class CleanSteps(SteppedImager):
    """The steps that `SerialImager` has, where each is described with its parameters; for the class's see there."""

    def __init__(
        self,
        config: PcleanConfig,
        run: Run,
        *,
        has_control: bool,
        progress: Progress | None = None,
        history: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(config, run, has_control=has_control)
        self.progress: Progress = RecordedProgress(progress or NullProgress(), lambda: self._run.path)
        self.exec_records: list[ExecRecord] = []
        self.stop_code = 0
        self.is_blank = False
        self._history = history or {}

    def setup(self) -> None:
        """Make the work folders and the tools.

        Raises
        ------
        ParameterError, OutputError
            Before anything is written; OutputError also where the disk has no room for the images.
        ImagingError
            CASA refuses a parameter; the work folders are removed.
        StepError
            The imager is set up already.
        """
        if self._is_set_up:
            raise StepError("the imager is set up already: call teardown first")
        self.failed, self.stop_code, self.is_blank, self.exec_records = False, 0, False, []
        self._has_saved = False
        run = self.config.run
        former = {"make_psf": run.calcpsf, "make_pb": run.calcpsf, "run_major_cycle": run.calcres}
        self._done = {name for name, is_to_do in former.items() if not is_to_do}
        with self._noting_failure():
            self._set_up()
            if self._run.result is None:
                self._is_set_up = True
                check_memory(self.config, self._need_parts())

    def _set_up(self) -> None:
        check_data(self.config)
        try:
            self._run.open(is_whole_run=self._is_running)
            if self._run.result is None:
                self._make_parts()
        except BaseException:
            self._abandon()
            raise

    @step()
    def make_psf(self) -> None:
        """Make and normalize .psf, .sumwt and .weight of every field, and fit the beams."""
        parts = self._need_parts()
        parts.gridder.make_psf()
        for normalizer in parts.normalizers if self.config.divides_in_python else []:
            normalizer.normalize_psf()
        for deconvolver in parts.deconvolvers:
            deconvolver.check_beam()
        try:
            self._run.check_shapes()
        except ParameterError:
            self._abandon()
            raise
        if self._run.folders is not None:
            self.is_blank = tell_of_blanks(self.config, self._run.blank_planes())
        if self.config.replaces_psf:
            self._release_parts()
            with casa.working_on("making the PSF at psfphasecenter"):
                replace_psf(self.config, self._run.imagenames[0], self._run.store)
            self._make_parts()

    @step("make_psf")
    def make_pb(self) -> None:
        """Make and normalize .pb of every field."""
        parts = self._need_parts()
        parts.gridder.make_pb()
        for normalizer in parts.normalizers:
            normalizer.normalize_pb()
        if self._run.folders is not None and not self.is_blank:
            tell_of_beams(self.config, self._run.beyond_beam())

    @step("make_psf")
    def run_major_cycle(self, is_first: bool = False, *, last: bool | None = None) -> None:
        """Make .residual of every field from the data less the models.

        Parameters
        ----------
        is_first : bool
            This is the first residual, which doesn't count for nmajor.
        last : bool, optional
            No other major cycle will follow, so that `savemodel` acts; by default the iteration control foresees it.
        """
        if self._saves_late and "predict_model" in self._done:
            raise StepError("run_major_cycle can't run after predict_model, which has saved the final model")
        if last is None:
            last = self._control is None or self._control.is_last_major_cycle()
            last = last and not (is_first and self._control is not None)  # which it foresees before it knows anything
        parts = self._need_parts()
        normalizers = parts.normalizers if self.config.divides_in_python else []
        for normalizer in normalizers:
            normalizer.divide_model()
        parts.gridder.major_cycle(last=last)
        self._has_saved = last and not self.config.saves_model_late
        self._cleaning.note_residual()
        if self._control is not None and not self._cleaning.is_idle:
            self._control.end_major_cycle(is_first=is_first)
        for normalizer in normalizers:
            normalizer.normalize_residual()
            normalizer.restore_model()

    @step(*RESIDUAL)
    def update_masks(self) -> None:
        """Write .mask of every field for the next minor cycle.

        A minor cycle, `has_converged` and `init_records` do so by themselves, and only where nobody has since the last
        major cycle.
        """
        self._cleaning.update_masks()

    @step(*RESIDUAL)
    def run_minor_cycle(self, controls: MinorControls | None = None) -> bool:
        """Clean every field's .residual within its .mask; True if any iteration was done.

        Parameters
        ----------
        controls : dict, optional
            From an iteration control outside; by default from this imager's own.

        Raises
        ------
        StepError
            There are no controls, or the engine needs a major cycle first.
        """
        control = self._need_control() if controls is None else self._control
        self._cleaning.check_minor_cycle(controls)
        if controls is None:
            controls = self._next_controls()
        casa.post(f"Minor cycle controls: {controls}")
        self._cleaning.minor_cycle(controls)
        self.exec_records = self._cleaning.records
        if control is not None:
            control.end_minor_cycle(self.exec_records)
        return not self._cleaning.is_idle

    def _next_controls(self) -> MinorControls:
        """The controls for the next minor cycle, which rest on what the iteration control knows of the residual."""
        control = self._need_control()
        if not control.knows_residual:
            control.converged(self._cleaning.init_records())
        return control.start_minor_cycle()

    @step(*RESIDUAL)
    def init_records(self) -> list[InitRecord]:
        """Peak residual, sidelobe level and mask sum of every field, for an iteration control."""
        return self._cleaning.init_records()

    @step(*RESIDUAL)
    def has_converged(self, nmajor_limit: int | None = None) -> bool:
        """Whether a stopping criterion is met, or the last minor cycle did nothing. Asking again gives the same answer.

        If a criterion is met where the run ends, automasks go back to those of the last minor cycle, as in tclean.

        Parameters
        ----------
        nmajor_limit : int, optional
            Major cycles after the first residual that may be run; -1 for no limit, by default the parameter nmajor.

        Raises
        ------
        StepError
            There is no iteration control.
        """
        limit = self.config.iteration.nmajor if nmajor_limit is None else nmajor_limit
        self.stop_code = self._need_control().converged(self._cleaning.init_records(), limit)
        if self.stop_code > 0:
            reason = report.stop_reason(self.stop_code, is_blank=self.is_blank)
            casa.post(f"Reached global stopping criterion: {reason}")
        return self.stop_code > 0 or self._cleaning.is_idle

    @step()
    def revert_masks(self) -> None:
        """Put back the masks of the last minor cycle, where automasking has made newer ones."""
        self._cleaning.revert_masks()

    @step()
    def predict_model(self, *, tuned: bool = False) -> None:
        """Predict the models and save them with the visibilities, as `savemodel` says.

        Where major cycles can't do that by themselves, as with automasks, it is a gridder for this only that does it,
        and no major cycle can follow. `teardown` does this step where it is needed and left out.

        Parameters
        ----------
        tuned : bool
            Leave alone what is saved with data whose frequencies are far from the images', as major cycles do.
        """
        parts = self._need_parts()
        if self._saves_late:
            parts.gridder.close()
            parts.gridder = self._run.make_saving_gridder()
        for normalizer in parts.normalizers:
            normalizer.divide_model()
        parts.gridder.predict(tuned=tuned)
        for normalizer in parts.normalizers:
            normalizer.restore_model()
        self._has_saved = True

    @step(*RESIDUAL)
    def restore(self) -> None:
        """Write .image of every field, after a major cycle where the last minor cycle's model isn't subtracted yet."""
        self._bring_residual_up_to_date()
        for deconvolver in self._need_deconvolvers():
            deconvolver.restore()

    @step("make_pb", "restore")
    def pbcor(self) -> None:
        """Write .image.pbcor of every field."""
        for deconvolver in self._need_deconvolvers():
            deconvolver.pbcor()

    def teardown(self) -> None:
        """Release the parts; give the products their final names, unless a step has failed. May be called again."""
        with ending_in_order(self._run, self.progress):
            try:
                if self._is_set_up and not self.failed:
                    with self._noting_failure():
                        self._end_loop()
                if self._is_set_up and self.failed and self._run.folders is not None and self._run.folders.shortage:
                    self._run.store.drop()  # to write more would end the process
                with self._noting_failure():
                    self._release_parts()
                if self._is_set_up and not self.failed:
                    with self._noting_failure():
                        if self._run.folders is not None:
                            self._run.folders.let_go_of_room()
                        self._run.publish(self._history)
            finally:
                if self.failed:
                    self._run.store.drop()  # what could be written is
                self._is_set_up = False
                self._run.close()

    def _end_loop(self) -> None:
        """What tclean does when its loop has ended, where nobody has done it yet."""
        self._bring_residual_up_to_date()
        if self.stop_code > 0:
            self._cleaning.revert_masks()
        if "has_converged" in self._done:
            self._save_final_model()

    def _bring_residual_up_to_date(self) -> None:
        if self._cleaning.needs_residual:
            self.run_major_cycle()

    def _save_final_model(self) -> None:
        """Save the final model where no major cycle has, as none can or none was foreseen to be the last."""
        if self.config.run.savemodel != "none" and not self._has_saved:
            self.predict_model(tuned=self.config.grids_by_channel and not self.config.saves_model_late)
