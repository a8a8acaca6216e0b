"""pclean in tclean's place: under its name, with its positional arguments, and in scripts that don't know of pclean."""

from __future__ import annotations

import importlib.util
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

from pcleantask import casa, parameters
from pcleantask import pclean as tclean
from pcleantask.casanames import CasaNames
from pcleantask.cores import usable_cores
from pcleantask.parameters import Parameter
from pcleantask.private import task_pclean
from pcleantask.standin import NOTE
from tests.agreement.cases import CUBE, MFS
from tests.agreement.compare import compare_products, peak, products
from tests.agreement.runner import Call, TaskProcess

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
    assert got["pclean"] == {
        **got["tclean"],
        "nworkers": 0,
        "engine": "",
        "resume": True,
        "automaskengine": "numpy",
    }
    assert list(got["pclean"]) == [*names, "nworkers", "engine", "resume", "automaskengine"]
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
    "from casatasks.private.imagerhelpers._gclean import tclean as found": "pcleantask.pclean",
    "from casatasks.private.task_tclean import tclean as found": "pcleantask.pclean",
    "from casatasks.private import task_tclean; found = task_tclean.tclean": "pcleantask.pclean",
    "from casashell.private.tclean import _tclean_t as found": "pcleantask.pclean",
    "from casatasks.private.imagerhelpers.imager_base import PySynthesisImager as found": (
        "casatasks.private.imagerhelpers.imager_base"
    ),
    "from casatasks import deconvolve as found": "casatasks.deconvolve",
    # Without an import, as under `casa -c`.
    "found = tclean": "pcleantask.pclean",
    "found = casatasks.tclean": "pcleantask.pclean",
    "found = flagdata": "casatasks.flagdata",
    "found = tb": "casatools.table",
    "found = iatool()": "casatools.image",
    "found = casalog": "casatools.logsink",
}
# What CASA's shell has is met in its own tests; those who test without it miss nothing else.
HAS_SHELL = importlib.util.find_spec("casashell") is not None
FORMS = {form: module for form, module in FORMS.items() if HAS_SHELL or "casashell" not in form}
FORMS_SCRIPT = """
import json
found_in = {}
for form in json.load(open("forms.json")):
    names = {}
    try:
        exec(form, names)
    except (AttributeError, NameError):
        found_in[form] = None
    else:
        found_in[form] = names["found"].__module__
print(json.dumps(found_in))
"""


def in_casa(form: str, module: str | None) -> str | None:
    """The module of what a form finds where nothing is replaced."""
    if "import" not in form:
        return None
    function = "_tclean_t" in form or "task_tclean" in form
    own = "casatasks.private.task_tclean" if function else "casatasks.tclean"
    return own if module == "pcleantask.pclean" else module


@pytest.mark.parametrize("replaced", [True, False])
def test_tclean_is_pclean_however_it_is_reached_and_nothing_else_is(tmp_path: Path, replaced: bool) -> None:
    (tmp_path / "forms.json").write_text(json.dumps(list(FORMS)), encoding="utf-8")
    run = pclean_run(tmp_path, FORMS_SCRIPT, options=("--replace-tclean",) if replaced else ())
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found == (FORMS if replaced else {form: in_casa(form, module) for form, module in FORMS.items()})
    assert log_of(tmp_path).count(NOTE) == (1 if replaced else 0)


SHELL_SCRIPT = """
import json
import casaconfig
early = "casatasks" in sys.modules or "casatools" in sys.modules
os.makedirs("made")
qa.quantity("1Jy")
execfile("parameters.py")
def step():
    return tclean(**parameters)["iterdone"], imhead("img.image", mode="summary")["shape"].tolist()
print(json.dumps([early, *step(), ia is ia, type(casalog).__name__]))
undefined_name
"""


def test_script_of_the_casa_shell_runs_without_imports(tmp_path: Path, dataset: Callable[[str], Path]) -> None:
    """In functions, in files that it runs; and CASA isn't loaded before the script asks for it."""
    (tmp_path / SMALL["vis"]).symlink_to(dataset(SMALL["vis"].removesuffix(".ms")))
    parameters = {**SMALL, "imagename": "img"}
    text = f"parameters = {parameters!r}\nassert os.path.isdir('made')\n"
    (tmp_path / "parameters.py").write_text(text, encoding="utf-8")
    run = pclean_run(tmp_path, SHELL_SCRIPT, options=("--replace-tclean",))
    early, iterations, shape, *rest = json.loads(run.stdout.splitlines()[-1])
    assert (early, iterations, rest) == (False, SMALL["niter"], [True, "logsink"])
    assert shape[:2] == [SMALL["imsize"]] * 2
    assert "Begin Task: pclean" in log_of(tmp_path)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == "NameError: name 'undefined_name' is not defined"


def test_names_are_those_of_the_casa_shell() -> None:
    """Of its tools all; the shell's own functions, which work with its own tasks, are left to it."""
    if not HAS_SHELL:
        pytest.skip("casashell isn't installed")
    spec = importlib.util.find_spec("casashell")
    assert spec is not None and spec.origin is not None
    text = (Path(spec.origin).parent / "private" / "load_tools.py").read_text(encoding="utf-8")
    names = set(re.findall(r'register_builtin\("(\w+)"\)', text))
    given = CasaNames()
    assert len(names) > 40
    for name in names:
        kind, made = given[name], re.search(rf"^{name} = (\w+)\(", text, flags=re.MULTILINE)
        assert isinstance(kind, type) if made is None else isinstance(kind, given[made[1]])
    with pytest.raises(KeyError):
        given["undefined_name"]


LATE_SCRIPT = """
import casatasks
from casatasks import tclean as before
from pcleantask.standin import replace_tclean
assert casatasks.tclean.__module__ == "casatasks.tclean"
replace_tclean()
from casatasks.tclean import tclean
assert casatasks.tclean.__module__ == tclean.__module__ == "pcleantask.pclean"
assert before.__module__ == "casatasks.tclean"
try:
    before(vis="line.ms", imagename="img", gain=-1.0)
except Exception as error:
    print(type(error).__module__)
"""


def test_tclean_is_replaced_also_where_casatasks_is_loaded_and_its_task_bound(tmp_path: Path, line_ms: Path) -> None:
    (tmp_path / "line.ms").symlink_to(line_ms)
    run = pclean_run(tmp_path, LATE_SCRIPT, options=())
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "pcleantask.errors"
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


ENGINES = """
from casatasks import tclean
from pcleantask import pclean
small = dict(vis="line.ms", specmode="cube", nchan=2, imsize=100, cell="0.4arcsec", niter=10)
print(tclean(**small, imagename="edited").get("engine"))
print(pclean(**small, imagename="own", engine="casa").get("engine"))
"""


@pytest.mark.parametrize(
    ("options", "environment", "engine", "teller"),
    [
        (("--engine", "ducc"), {}, "ducc", "pclean run --engine"),
        (("--engine=auto",), {"PCLEAN_ENGINE": "casa"}, "ducc", "pclean run --engine"),
        ((), {"PCLEAN_ENGINE": "ducc", "PCLEAN_NWORKERS": "2"}, "ducc", "PCLEAN_ENGINE"),
        ((), {}, "None", ""),
    ],
)
def test_a_script_that_names_no_engine_has_the_commands_or_the_environments(
    tmp_path: Path,
    dataset: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    environment: dict[str, str],
    engine: str,
    teller: str,
) -> None:
    (tmp_path / "line.ms").symlink_to(dataset("line"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    run = pclean_run(tmp_path, ENGINES, options=(*options, "--replace-tclean"))
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-2:] == [engine, "None"]
    log = log_of(tmp_path)
    assert log.count(f", as {teller} says") == (teller != "")
    assert ("parallel=True, nworkers=2, as PCLEAN_NWORKERS says" in log) == ("PCLEAN_NWORKERS" in environment)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "wsclean", "script.py"], "argument --engine: invalid choice: 'wsclean'"),
        (["--nworkers", "two", "script.py"], "must be a number of workers, or 0 for one per core, got 'two'"),
        (["--nworkers", "-1", "script.py"], "--nworkers: "),
        (["--nworkers"], "argument --nworkers: expected one argument"),
        (["--replace-tclean"], "the following arguments are required: SCRIPT"),
        (["--replace-tclean", "absent.py"], "can't read 'absent.py'"),
        (["--replace-tclean", "-m"], "the following arguments are required: SCRIPT"),
        (["--replace-tclean", "-m", "absent"], "there is no module 'absent' to run"),
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
