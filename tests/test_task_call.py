"""A wrong call raises a named error, with the value and the way out, before anything is done or written.

The type check is the real one of casatools. The log's frame is compared with what casatasks writes for its own tasks.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa, parameters, pclean
from pcleantask.errors import MissingInputError, ParameterError, ParameterTypeError, UnknownParameterError
from pcleantask.private import task_call

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder: whatever a call writes shows up there."""
    casa.load()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path) -> list[str]:
    """What is in the folder, CASA's own log aside."""
    return [path.name for path in folder.iterdir() if not re.fullmatch(r"casa-.*\.log", path.name)]


WRONG_CALLS = [
    ({"nitter": 5}, UnknownParameterError, "pclean has no parameter 'nitter'; did you mean 'niter'?"),
    ({"xyzzy": 5}, UnknownParameterError, "pclean has no parameter 'xyzzy'"),
    ({"niter": "many"}, ParameterTypeError, "niter must be an integer, got 'many'"),
    ({"niter": None}, ParameterTypeError, "niter must be an integer, got None"),
    ({"niter": 5.5}, ParameterTypeError, "niter must be an integer, got 5.5"),
    ({"gain": "low"}, ParameterTypeError, "gain must be a number, got 'low'"),
    ({"parallel": 1}, ParameterTypeError, "parallel must be True or False, got 1"),
    ({"imsize": [512.5]}, ParameterTypeError, "imsize must be an integer or a list of integers, got [512.5]"),
    ({"startmodel": None}, ParameterTypeError, "startmodel must be a text, number or list, got None"),
    ({"vis": 3}, ParameterTypeError, "vis must be the path of an existing file or a list of paths"),
    ({"stokes": 3}, ParameterTypeError, "stokes must be one of 'I', 'Q'"),
    ({"specmode": "cubes"}, ParameterError, "got 'cubes'; did you mean 'cube'?"),
    ({"usemask": "auto"}, ParameterError, "usemask must be one of 'user', 'pb', 'auto-multithresh', got 'auto'"),
    ({"automaskengine": "cupy"}, ParameterError, "automaskengine must be one of 'numpy', 'casa', got 'cupy'"),
    ({"robust": 3}, ParameterError, "robust must be a number from -2 to 2, got 3"),
    ({"nworkers": -1}, ParameterError, "nworkers must be an integer not below 0, got -1"),
    ({"vis": "absent.ms"}, MissingInputError, "vis 'absent.ms' is not there"),
    ({"vis": ["absent.ms", "gone.ms"]}, MissingInputError, "vis 'absent.ms' is not there"),
    ({"vis": "niter"}, MissingInputError, "vis 'niter' is not there"),
    ({"vis": ""}, MissingInputError, "vis names no file, got ''; give the path of a MeasurementSet"),
]


@pytest.mark.parametrize(("changes", "kind", "message"), WRONG_CALLS)
def test_wrong_call_raises_named_error_and_writes_nothing(
    folder: Path, changes: dict[str, Any], kind: type[ParameterError], message: str
) -> None:
    existing = {"vis": str(Path(__file__).parent), "imagename": "out"}
    with pytest.raises(kind) as caught:
        pclean(**{**existing, **changes})
    assert type(caught.value) is kind
    assert message in str(caught.value)
    assert written(folder) == []


def test_unknown_parameter_is_also_a_type_error() -> None:
    """As Python itself raises it, so that scripts written for tclean catch it."""
    with pytest.raises(TypeError, match="nitter"):
        pclean(vis="absent.ms", nitter=5)


def test_missing_data_is_also_a_file_not_found_error() -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.ms"):
        pclean(vis="absent.ms", imagename="out")


def test_several_faults_are_told_together_and_the_wrong_type_names_the_error() -> None:
    with pytest.raises(ParameterTypeError) as caught:
        pclean(vis="absent.ms", niter="many", weighting="brigs")
    for part in ("niter must be an integer", "did you mean 'briggs'", "vis 'absent.ms' is not there"):
        assert part in str(caught.value)


class CheckedError(Exception):
    """Ends a call once its parameters are checked."""


def accepted(**changes: Any) -> dict[str, Any]:
    """The document that the task would get, by the schema of the generated wrapper."""
    seen: dict[str, Any] = {}
    validate = task_call.validate

    def check_and_stop(*arguments: Any) -> dict[str, Any]:
        seen.update(validate(*arguments))
        raise CheckedError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(CheckedError):
        patch.setattr(task_call, "validate", check_and_stop)
        pclean(vis=str(Path(__file__).parent), **changes)
    return seen


def test_accepted_values_are_coerced_as_tclean_coerces_them() -> None:
    document = accepted(robust=0, imsize=(64, 32), uvtaper="5klambda", niter=np.int64(5), threshold=np.float64(0.1))
    assert list(document) == list(parameters.definitions())
    assert (document["robust"], type(document["robust"])) == (0.0, float)
    assert document["imsize"] == [64, 32]
    assert document["uvtaper"] == ["5klambda"]
    assert document["niter"] == 5
    assert type(document["threshold"]) is float
    assert document["pblimit"] == parameters.defaults()["pblimit"]


class Recorder:
    """A log sink that keeps what is posted."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def origin(self, name: str) -> None:
        self.name = name

    def post(self, message: str, priority: str = "INFO") -> None:
        self.lines.append((priority, re.sub(r"\d{4}-\d\d-\d\d [\d:.]+", "TIME", message)))


def casatasks_lines(result: Any, failure: Exception | None) -> list[tuple[str, str]]:
    """What casatasks' own functions post for such a call."""
    import casatasks.private.task_logging as theirs

    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "_clog", recorder)
        state = theirs.start_log("pclean", ["vis='a.ms'", "niter=5"])
        if failure is not None:
            theirs.except_log("pclean", failure)
        theirs.end_log(state, "pclean", result)
    return recorder.lines


@pytest.mark.parametrize("failure", [None, ValueError("no such thing")])
def test_log_has_the_lines_of_casatasks(monkeypatch: pytest.MonkeyPatch, failure: Exception | None) -> None:
    recorder = Recorder()
    monkeypatch.setattr(casa, "log", lambda: recorder)

    def task(**_parameters: Any) -> dict[str, int]:
        if failure is not None:
            raise failure
        return {"iterdone": 5}

    if failure is None:
        assert task_call.run("pclean", task, {"vis": "a.ms", "niter": 5}) == {"iterdone": 5}
    else:
        with pytest.raises(ValueError, match="no such thing"):
            task_call.run("pclean", task, {"vis": "a.ms", "niter": 5})
    assert recorder.lines == casatasks_lines(None if failure else {"iterdone": 5}, failure)
    assert len(recorder.lines) == (7 if failure is None else 8)


LOG_SCRIPT = """
from pcleantask import casa
assert casa.log() is casa.log()
casa.post("before casatasks")
import casatasks
assert casa.log() is casatasks.casalog
casa.post("after casatasks")
casatasks.casalog.post("by casatasks")
"""


def test_log_sink_is_made_once_and_is_that_of_casatasks_where_loaded(folder: Path) -> None:
    """In a process of its own, as casatasks is to be loaded in the middle; all that is posted lands in one file."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{LOG_SCRIPT}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, check=False)
    assert run.returncode == 0, run.stderr
    (log,) = folder.glob("casa-*.log")
    text = log.read_text(encoding="utf-8")
    places = [text.index(message) for message in ("before casatasks", "after casatasks", "by casatasks")]
    assert places == sorted(places)


def test_wrapper_has_casatasks_form() -> None:
    assert type(pclean).__name__ == "_pclean"
    assert pclean._info_group_ == "imaging"
    assert pclean._info_desc_
    assert "return" in inspect.get_annotations(type(pclean).__call__)
