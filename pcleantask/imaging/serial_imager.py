"""SerialImager: the one clean loop, in one process. It drives its parts and knows none of their kinds."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from .. import report
from ..config import PcleanConfig
from ..errors import StepError
from ..gridding.ducc.support import with_data_seen
from ..progress import Progress
from ..runs.checkpoint import Checkpoint
from ..traits import ALGORITHMS, CASA, GRIDDERS
from .clean_steps import CleanSteps
from .endings import ending_in_order
from .resumption import Resumption, tell_of
from .run import Run
from .serial_runs import serial_run


class SerialImager(CleanSteps):
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
    run : Run, optional
        Makes the parts that the loop drives, and has the folders of the products; by default in this process.

    Raises
    ------
    SelectionError
        Nothing is selected, or CASA can't make a selection.

    Attributes
    ----------
    exec_records : list of dict
        Records of the last minor cycle, one a field.
    stop_code : int
        What the last `has_converged` found: a key of `report.STOP_DESCRIPTIONS`, or 0.
    is_blank : bool
        Whether `make_psf` has found that no visibility falls on any of the images.
    failed : bool
        Whether a step has failed.

    Examples
    --------
    >>> with SerialImager(PcleanConfig.from_parameters(vis="x.ms", imagename="x", cell="1arcsec", niter=100)) as imager:
    ...     result = imager.run()

    Or step by step, to the same images:

    >>> imager = SerialImager(config)
    >>> imager.setup()
    >>> imager.make_psf()
    >>> imager.make_pb()
    >>> imager.run_major_cycle(is_first=True)
    >>> while not imager.has_converged():
    ...     imager.run_minor_cycle()
    ...     imager.run_major_cycle()
    >>> imager.restore()
    >>> imager.teardown()

    Notes
    -----
    Images are made in `<imagename>.workdirectory` and take their final names at `teardown`, if no step has failed.
    After a failure the work folder stays for inspection, and what stood under the final names is untouched. A call that
    is refused with a StepError has done nothing, and doesn't count as a failure.
    """

    def __init__(
        self,
        config: PcleanConfig,
        init_iter_control: bool = True,
        *,
        progress: Progress | None = None,
        history: Mapping[str, Any] | None = None,
        run: Run | None = None,
    ) -> None:
        config = with_data_seen(config) if run is None else config
        run = run or serial_run(config)
        super().__init__(config, run, has_control=init_iter_control, progress=progress, history=history)

    def __enter__(self) -> SerialImager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.failed = self.failed or error is not None
        self.teardown()

    def run(self) -> dict[str, Any]:
        """Do all steps in tclean's order.

        Returns
        -------
        dict
            tclean's return dictionary: stopcode, iterdone, nmajordone, summaryminor, summarymajor, ...; unless
            engine='casa' also the engine that has gridded.

        Raises
        ------
        StepError
            The iteration control is somebody else's.
        """
        if self.config.iteration.niter > 0 and not self._has_control:
            raise StepError("the imager can't run its loop with init_iter_control=False: call its steps")
        with ending_in_order(self._run, self.progress), self._running(), self._noting_failure():
            summary = self._image()
        return summary if self.config.run.engine == CASA else {**summary, "engine": self.config.engine}

    def _image(self) -> dict[str, Any]:
        run, iteration = self.config.run, self.config.iteration
        self.setup()
        if self._run.result is not None:
            self.progress.note("The run before was ended as its images took their names; they have them now")
            return self._run.result
        checkpoint = self._checkpoint
        tell_of(checkpoint, self.progress)
        if self._run.has_psf and checkpoint.found:
            self.is_blank = bool(checkpoint.found.facts["is_blank"])
            self._done |= {"make_psf", "make_pb"}
        elif run.calcpsf:
            self.progress.stage("PSF and primary beam")
            self.make_psf()
            self.make_pb()
        if GRIDDERS[self.config.fields[0].gridder].checks_beam:
            self._need_parts().gridder.check_pb()
        can_be_recalled = all(ALGORITHMS[field.deconvolver].can_be_recalled for field in self.config.fields)
        resumption = Resumption(
            checkpoint,
            self._run,
            self._need_parts(),
            self._cleaning,
            self._control,
            makes_psf=run.calcpsf,
            can_be_recalled=can_be_recalled,
        )
        resumption.keep_psf(is_blank=self.is_blank)
        if resumption.recall():
            self.progress.stage("residual")
            self.run_major_cycle()
        elif run.calcres:
            self.progress.stage("first residual")
            self.run_major_cycle(is_first=True)
        if iteration.niter > 0:
            summary = self._clean(resumption)
        else:
            if not run.calcres and run.savemodel != "none":
                self.predict_model()
            summary = self._run.residual_summary()
        if self.config.deconvolution.restoration:
            self.progress.stage("restoration")
            self.restore()
            if self.config.deconvolution.pbcor:
                self.pbcor()
        self.progress.finish()
        checkpoint.keep_result(summary)
        return summary

    @property
    def _checkpoint(self) -> Checkpoint:
        assert self._run.folders is not None and self._run.folders.checkpoint is not None  # as it is a whole run
        return self._run.folders.checkpoint

    def _clean(self, resumption: Resumption) -> dict[str, Any]:
        """Major and minor cycles until a stopping criterion is met, or a minor cycle does nothing."""
        control, checkpoint = self._need_control(), self._checkpoint
        done = self.has_converged()
        control.report_cycle(self.progress)
        while not done:
            if self.run_minor_cycle():
                resumption.keep()
                self.run_major_cycle()
            if checkpoint.is_to_finish():
                control.stop()
            done = self.has_converged()
            control.report_cycle(self.progress)
        summary = report.clean_summary(control.summary())
        self.progress.stopped(self.stop_code, report.stop_reason(self.stop_code, is_blank=self.is_blank))
        self._save_final_model()
        return summary
