"""pclean in tclean's place: under its name, with its positional arguments, and in scripts that don't know of pclean."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cases import CUBE, MFS
from compare import compare_products, peak, products
from runner import Call, TaskProcess

from pcleantask import casa, parameters
from pcleantask import pclean as tclean
from pcleantask.cores import usable_cores
from pcleantask.parameters import Parameter
from pcleantask.private import task_pclean
from pcleantask.standin import NOTE

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 120.0
SMALL = {**MFS, "niter": 20, "cycleniter": 20, "cell": 0.4}  # without a unit, as some scripts have it: arcsec


def another(number: int, parameter: Parameter) -> Any:
    """A value that is not the parameter's default, and that no other parameter of its type has."""
    if parameter.name == "vis":
        return str(Path(__file__).parent)
    if parameter.choices:
        return parameter.choices[-1]
    if parameter.types == ("bool",):
        return not parameter.default
    if parameter.types == ("int",):
        return number
    if parameter.types == ("double",):
        return (0.0 if parameter.low is None else parameter.low) + number / 1000
    if "intVec" in parameter.types:
        return [number]
    return [str(number)] if parameter.is_list else str(number)


def test_positional_arguments_are_tcleans_with_own_parameters_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both tasks, called with a value of its own for each parameter, get the same under the same name."""
    casa.load()
    import casatasks
    from casatasks.private import task_tclean

    got: dict[str, dict[str, Any]] = {}
    signature = inspect.signature(task_tclean.tclean)
    names = list(inspect.signature(casatasks.tclean.__call__).parameters)
    values = [another(number, parameters.definitions()[name]) for number, name in enumerate(names, start=1)]

    monkeypatch.setattr(
        sys.modules["casatasks.tclean"],
        "_tclean_t",
        lambda *given: got.update(tclean=dict(signature.bind(*given).arguments)),
    )
    monkeypatch.setattr(task_pclean, "pclean", lambda **given: got.update(pclean=given))
    casatasks.tclean(*values)
    tclean(*values)
    assert got["pclean"] == {**got["tclean"], "nworkers": 0, "engine": "casa", "automaskengine": "numpy"}
    assert list(got["pclean"]) == [*names, "nworkers", "engine", "automaskengine"]
    assert len(names) > 90
    assert all(got["pclean"][name] != parameters.defaults()[name] for name in names)


def pclean_run(folder: Path, text: str, *words: str, options: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pcleantask", "run", *options, "script.py", *words],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=LIMIT_S,
        check=False,
    )  # fmt: skip


def log_of(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.glob("casa-*.log"))


# How a script may come by a name -> the module whose task it must be in a run with --replace-tclean.
FORMS = {
    "from casatasks import tclean as found": "pcleantask.pclean",
    "import casatasks; found = casatasks.tclean": "pcleantask.pclean",
    "from casatasks.tclean import tclean as found": "pcleantask.pclean",
    "from casatasks import *; found = tclean": "pcleantask.pclean",
    "import casatasks.tclean; found = casatasks.tclean.tclean": None,  # not in CASA either: the task hides the module
    "from casatasks.private.simutil import tclean as found": "pcleantask.pclean",
    "from casatasks.private.task_tclean import tclean as found": "casatasks.private.task_tclean",
    "from casatasks.private.imagerhelpers.imager_base import PySynthesisImager as found": (
        "casatasks.private.imagerhelpers.imager_base"
    ),
    "from casatasks import deconvolve as found": "casatasks.deconvolve",
}
FORMS_SCRIPT = """
import json
found_in = {}
for form in json.load(open("forms.json")):
    names = {}
    try:
        exec(form, names)
    except AttributeError:
        found_in[form] = None
    else:
        found_in[form] = names["found"].__module__
print(json.dumps(found_in))
"""


@pytest.mark.parametrize("replaced", [True, False])
def test_tclean_is_pclean_however_it_is_imported_and_nothing_else_is(tmp_path: Path, replaced: bool) -> None:
    (tmp_path / "forms.json").write_text(json.dumps(list(FORMS)), encoding="utf-8")
    run = pclean_run(tmp_path, FORMS_SCRIPT, options=("--replace-tclean",) if replaced else ())
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    in_casa = {form: "casatasks.tclean" if module == "pcleantask.pclean" else module for form, module in FORMS.items()}
    assert found == (FORMS if replaced else in_casa)
    assert log_of(tmp_path).count(NOTE) == (1 if replaced else 0)


LATE_SCRIPT = """
import casatasks
from pcleantask.standin import replace_tclean
assert casatasks.tclean.__module__ == "casatasks.tclean"
replace_tclean()
from casatasks.tclean import tclean
assert casatasks.tclean.__module__ == tclean.__module__ == "pcleantask.pclean"
"""


def test_tclean_is_replaced_also_where_casatasks_is_loaded(tmp_path: Path) -> None:
    run = pclean_run(tmp_path, LATE_SCRIPT, options=())
    assert run.returncode == 0, run.stderr
    assert log_of(tmp_path).count(NOTE) == 1


PIPELINE = """
import json, sys
from casatasks import imhistory, tclean
result = tclean(**json.loads(sys.argv[1]))
print(result["iterdone"])
"""


def test_pipeline_makes_tcleans_images_by_pclean_without_an_edit(
    tmp_path: Path, dataset: Callable[[str], Path]
) -> None:
    for name in ("by_tclean", "by_pclean"):
        (tmp_path / name).mkdir()
        (tmp_path / name / SMALL["vis"]).symlink_to(dataset(SMALL["vis"].removesuffix(".ms")))
    with TaskProcess(tmp_path) as oracle:
        (expected,) = oracle.run([Call("tclean", {**SMALL, "imagename": "img"})], tmp_path / "by_tclean")
    words = json.dumps({**SMALL, "imagename": "img"})
    run = pclean_run(tmp_path / "by_pclean", PIPELINE, words, options=("--replace-tclean",))
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.splitlines()[-1]) == expected.value["iterdone"] == 20
    theirs, ours = (products(tmp_path / name, "img") for name in ("by_tclean", "by_pclean"))
    assert compare_products(theirs, ours) == []
    assert peak(tmp_path / "by_pclean" / "img.image") > 0.1
    log = log_of(tmp_path / "by_pclean")
    assert NOTE in log
    assert "Begin Task: pclean" in log
    assert "Begin Task: tclean" not in log


TEAMS = """
import sys
from pathlib import Path
from casatasks import tclean
from pcleantask import pclean
small = dict(vis="line.ms", specmode="cube", nchan=4, imsize=100, cell="0.4arcsec", niter=0)
tclean(**small, imagename="edited", parallel=True)
pclean(**small, imagename="own", nworkers=3)
tclean(**{**small, "specmode": "mfs", "nchan": -1}, imagename="mfs", gridder="widefield", facets=2)
print(*sys.argv[1:])
"""


def test_run_makes_every_image_parallel_where_it_is_told(tmp_path: Path, dataset: Callable[[str], Path]) -> None:
    """The script passes parallel=False, and the images are those of tclean in one process."""
    small = {**CUBE, "niter": 60, "cycleniter": 20, "imagename": "img", "parallel": False}
    for name in ("by_tclean", "by_pclean"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "line.ms").symlink_to(dataset("line"))
    with TaskProcess(tmp_path) as oracle:
        (expected,) = oracle.run([Call("tclean", small)], tmp_path / "by_tclean")
    folder = tmp_path / "by_pclean"
    run = pclean_run(folder, PIPELINE, json.dumps(small), options=("--replace-tclean", "--nworkers", "2"))
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.splitlines()[-1]) == expected.value["iterdone"] > 0
    assert compare_products(products(tmp_path / "by_tclean", "img"), products(folder, "img")) == []
    assert peak(folder / "img.model") > 0.1
    log = log_of(folder)
    assert log.count("Imaged by 2 workers") == 1
    assert "parallel=False" in log


@pytest.mark.parametrize("option", ["--nworkers=0", "--nworkers=2"])
def test_call_has_as_many_workers_as_it_names_or_the_run_does(
    tmp_path: Path, dataset: Callable[[str], Path], option: str
) -> None:
    (tmp_path / "line.ms").symlink_to(dataset("line"))
    run = pclean_run(tmp_path, TEAMS, "--nworkers", "7", options=(option, "--replace-tclean"))
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "--nworkers 7"
    number = int(option[-1]) or min(usable_cores(), 4)
    found = re.findall(r"Imaged by (\d+) workers|(Imaged in one process: facets)", log_of(tmp_path))
    assert found == [(str(number), ""), ("3", ""), ("", "Imaged in one process: facets")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nworkers", "two", "script.py"], "must be a number of workers, or 0 for one per core, got 'two'"),
        (["--nworkers", "-1", "script.py"], "--nworkers: "),
        (["--nworkers"], "argument --nworkers: expected one argument"),
        (["--replace-tclean"], "the following arguments are required: SCRIPT"),
        (["--replace-tclean", "absent.py"], "can't read 'absent.py'"),
        (["--replace-tcleen", "script.py"], "--replace-tcleen"),
    ],
)
def test_wrong_use_is_told(tmp_path: Path, words: list[str], message: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pcleantask", "run", *words],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=LIMIT_S,
        check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert message in run.stderr
