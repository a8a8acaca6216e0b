"""What every call of the task does around the task itself: unknown names, type check, task log.

The generated pcleantask/pclean.py holds the signature and the schema; this is its hand-written part. The log lines are
those of casatasks.private.task_logging (casatasks 6.7), whose import would take two seconds.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from .. import casa, rules
from ..errors import MissingInputError, ParameterError, ParameterTypeError
from ..parallel.asked import workers_ahead
from ..parameters import Parameter, definitions
from ..processes.environment import launched_ranks
from ..processes.team import team_ahead

BAR = "#" * 42
LOG_COLUMN = 18  # width of the task name's column in the log
ORDER = (ParameterTypeError, ParameterError, MissingInputError)  # of several faults, the first of these is raised
PATH_NOTES = {"path not found", "path vector element not found"}  # the validator files these under the path's name


_is_told_by_caller: ContextVar[bool] = ContextVar("is_told_by_caller", default=False)


@contextlib.contextmanager
def errors_told_by_caller() -> Iterator[None]:
    """A block in which the caller of the task shows its errors to the user: the task writes them to the log alone."""
    token = _is_told_by_caller.set(True)
    try:
        yield
    finally:
        _is_told_by_caller.reset(token)


def check_unknown(names: Mapping[str, Any]) -> None:
    """Raise UnknownParameterError, with the nearest name, where keywords are among these that are no parameters."""
    rules.check_names(names, definitions())


def is_rank() -> bool:
    """Whether this process is a rank of an MPI job: it never loads CASA, but has the task run by those that do."""
    return launched_ranks(os.environ) > 0


def call_together(document: Mapping[str, Any]) -> dict[str, Any]:
    """Call the task together with the job's other ranks; the same result, or the same error, on all of them."""
    from ..processes import job

    return job.call_together(document)


@contextlib.contextmanager
def casa_loaded(document: Mapping[str, Any]) -> Iterator[None]:
    """A block in which casatools is importable; the workers of a parallel run load theirs while this process does."""
    with team_ahead(workers_ahead(document)):
        casa.load()
        yield


def validate(validator: Any, document: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Check and coerce the parameters as casatasks does.

    Parameters
    ----------
    validator : casatools.typecheck.CasaValidator
        A new one: it keeps the errors of one check.
    document : mapping
        Name -> value of every parameter.
    schema : mapping
        Name -> rule, in cerberus' form.

    Returns
    -------
    dict
        Name -> value, coerced: paths expanded, whole numbers made floats where the parameter is one.

    Raises
    ------
    ParameterTypeError, ParameterError, MissingInputError
        For the gravest fault; the message tells them all.
    """
    if validator.validate(document, schema):
        return {name: validator.document[name] for name in document}
    wrong = [name for name in document if set(validator.errors.get(name, ())) - PATH_NOTES]
    faults = [_fault(definitions()[name], document[name]) for name in wrong]
    faults.sort(key=lambda fault: ORDER.index(type(fault)))
    raise type(faults[0])("; ".join(map(str, faults)))


def _fault(parameter: Parameter, value: Any) -> ParameterError:
    """The error that says what is wrong with the value of one parameter."""
    paths = [value] if isinstance(value, str) else value
    if "path" in parameter.types and isinstance(paths, list) and all(isinstance(path, str) for path in paths):
        return _missing(parameter.name, paths)
    return rules.wrong_value(parameter, value)


def _missing(name: str, paths: list[str]) -> MissingInputError:
    """The error for the first of `paths` that isn't there."""
    for path in filter(None, paths):
        try:
            rules.check_measurement_set(os.path.expanduser(path))
        except MissingInputError as error:
            return error
    shown = paths[0] if len(paths) == 1 else paths
    return MissingInputError(
        f"{name} names no file, got {shown!r}; give the path of a MeasurementSet, or a list of them"
    )


def run(name: str, task: Callable[..., Any], document: Mapping[str, Any]) -> Any:
    """Call the task with `document` as its keywords, framed in the CASA log as casatasks frames its tasks."""
    log = casa.log()
    started = datetime.now()
    padding = " " * (LOG_COLUMN - len(name))
    log.origin(name)
    log.post(BAR)
    log.post(f"##### Begin Task: {name}{padding} #####")
    log.post(f"{name}( {', '.join(f'{key}={value!r}' for key, value in document.items())} )")
    result = None
    try:
        result = task(**document)
    except Exception as error:
        kind = type(error).__name__
        with casa.off_screen() if _is_told_by_caller.get() else contextlib.nullcontext():
            log.post(f"Task {name} raised an exception of class {kind} with the following message: {error}", "ERROR")
        raise
    finally:
        log.origin(name)
        log.post(f"Result {name}: {result!r}", priority="DEBUG")
        log.post(f"Task {name} complete. Start time: {started} End time: {datetime.now()}")
        log.post(f"##### End Task: {name}  {padding} #####")
        log.post(BAR)
    return result
