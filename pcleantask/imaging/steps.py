"""The steps of a run: which come before which, and what it means for the run that one is refused or fails."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ..config import PcleanConfig
from ..errors import ImagingError, OutputError, ParameterError, StepError
from ..toolrecords import to_casa_iterpars
from .cleaning import Cleaning
from .iteration import IterationControl
from .run import Cleaner, Parts, Run

Step = TypeVar("Step", bound=Callable[..., Any])


def step(*needed: str) -> Callable[[Step], Step]:
    """Make a method of a SteppedImager a step: it needs the tools, those steps before it, and room on the disk.

    If a step fails nothing is published; a call that is refused, as it is wrong or comes too early, is no failure.
    After a step that is called by hand the disk has what it made.
    """

    def decorate(method: Step) -> Step:
        signature = inspect.signature(method)

        @functools.wraps(method)
        def wrapper(self: SteppedImager, *args: Any, **kwargs: Any) -> Any:
            signature.bind(self, *args, **kwargs)
            self._check_step(method.__name__, needed)
            with self._noting_failure():
                self._run.check_space(method.__name__)
                self._run.store.look()
                result = method(self, *args, **kwargs)
                if self._run.folders is not None and not self._is_running:
                    self._run.store.flush()
            self._done.add(method.__name__)
            return result

        return wrapper  # type: ignore[return-value]

    return decorate


class SteppedImager:
    """What an imager knows of its steps, and the parts that they drive.

    Parameters
    ----------
    config : PcleanConfig
        What to image, and how.
    run : Run
        Makes the parts, and has the folders of the products.
    has_control : bool
        Whether a run with iterations has its own iteration control.

    Attributes
    ----------
    failed : bool
        Whether a step has failed.
    """

    def __init__(self, config: PcleanConfig, run: Run, *, has_control: bool) -> None:
        self.config = config
        self.failed = False
        self._run, self._has_control = run, has_control
        self._parts: Parts | None = None
        self._control: IterationControl | None = None
        self._cleaning = Cleaning([], [])
        self._is_set_up = False
        self._is_running = False  # whether `run` calls the steps
        self._has_saved = False  # whether the models as they are have been saved with the visibilities
        self._done: set[str] = set()  # steps that have been done, by this run or the one that it goes on from

    def _check_step(self, name: str, needed: tuple[str, ...]) -> None:
        """Raise StepError where a step comes too early."""
        if not self._is_set_up:
            raise StepError(f"{name} can't run, as the imager has no tools: call setup first")
        missing = [step for step in needed if step not in self._done]
        if missing:
            raise StepError(f"{name} can't run before {' and '.join(missing)}")

    @contextlib.contextmanager
    def _noting_failure(self) -> Iterator[None]:
        """Note that a part of the run has failed; CASA's errors and the file system's come out named, with the folder.

        Those of a full disk also say how little is free. What fails inside a part that fails is noted once.
        """
        noted_before = self.failed
        try:
            yield
        except StepError:
            raise
        except BaseException as error:
            noted, self.failed = self.failed and not noted_before, True
            if noted or not isinstance(error, RuntimeError | OSError) or isinstance(error, ParameterError):
                raise
            advice = self._run.advice(error)
            if not (advice or isinstance(error, ImagingError | OSError)):
                raise
            is_kept = self._is_set_up and self._run.path.exists()
            message = advice or str(error)
            message += f"\nThe unfinished images are in {self._run.shown_path!r}" if is_kept else ""
            if isinstance(error, ImagingError):
                error.args = (message,)  # the same error, as a worker's has its rank and host
                raise
            raise OutputError(message) from error

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        """A block in which the run itself calls its steps."""
        self._is_running = True
        try:
            yield
        finally:
            self._is_running = False

    @property
    def _saves_late(self) -> bool:
        """Whether no major cycle can save the model, and the run doesn't when it is published."""
        return self.config.saves_model_late and not self._run.saves_model

    def _make_parts(self) -> None:
        self._parts = self._run.make_parts()
        self._cleaning = Cleaning(self._parts.deconvolvers, self._parts.masks)
        if self.config.iteration.niter > 0 and self._has_control:
            self._control = IterationControl(to_casa_iterpars(self.config, self._run.imagenames))

    def _abandon(self) -> None:
        """Leave the disk as it was before the run."""
        self._is_set_up = False
        try:
            self._release_parts()
        finally:
            self._run.discard()
            self._run.close()

    def _release_parts(self) -> None:
        parts, control = self._parts, self._control
        self._parts, self._control = None, None
        with contextlib.ExitStack() as stack:
            stack.callback(self._run.store.release)
            for part in (control, parts):
                if part is not None:
                    stack.callback(part.close)

    def _need_parts(self) -> Parts:
        if self._parts is None:
            raise ImagingError("the imager has no tools: call setup first")
        return self._parts

    def _need_deconvolvers(self) -> list[Cleaner]:
        deconvolvers = self._need_parts().deconvolvers
        if not deconvolvers:
            raise StepError("the imager has no deconvolvers, as niter is 0 and restoration False")
        return deconvolvers

    def _need_control(self) -> IterationControl:
        if self._control is None:
            raise StepError(
                "the imager has no iteration control: niter is 0, setup wasn't called, or init_iter_control=False"
            )
        return self._control
