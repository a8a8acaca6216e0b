"""pclean in a real CASA shell does what tclean does there: shown, marked, filled in, kept and imaged alike."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pcleantask import parameters
from pcleantask.lastfile import read_last
from pcleantask.standin import NOTE
from tests.agreement.cases import MFS
from tests.agreement.compare import compare_products, products
from tests.agreement.runner import Call, TaskProcess

if importlib.util.find_spec("casashell") is None:
    pytest.skip("casashell isn't installed", allow_module_level=True)

import pexpect

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 60
OWN = {"nworkers": 0, "engine": "", "resume": True, "automaskengine": "numpy"}
SMALL = {**MFS, "niter": 20, "cycleniter": 20}

# As a user without ~/.casa writes it: casashell finds no data by itself.
CONFIG = """
import casadata
measurespath = casadata.datapath
datapath = [casadata.datapath]
measures_auto_update = data_auto_update = False
"""
STARTUP = "from pcleantask.shell import *\n"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a user who has a configuration and a startup file of CASA's, and nothing else."""
    path = tmp_path_factory.mktemp("home")
    (path / ".casa").mkdir()
    (path / ".casa" / "config.py").write_text(CONFIG, encoding="utf-8")
    (path / ".casa" / "startup.py").write_text(STARTUP, encoding="utf-8")
    return path


def environment(home: Path) -> dict[str, str]:
    plain_terminal = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "PAGER": "cat", "COLUMNS": "100"}
    return {**os.environ, **plain_terminal, "HOME": str(home), "PYTHONPATH": str(ROOT)}


SHELL = ["-m", "casashell", "--nologger", "--nogui", "--agg", "--colors", "NoColor"]


def shell_run(
    home: Path, folder: Path, text: str, *options: str, before: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a script in the CASA shell; in `folder`, which is where its log goes."""
    (folder / "script.py").write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, *before, *SHELL, *options, "-c", "script.py"],
        cwd=folder, env=environment(home), capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip


# What a user sets -> what both tasks show, keep and take of it.
SETTINGS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "cube": {"specmode": "cube", "nchan": 5, "outframe": "LSRK"},
    "moving": {"specmode": "cubesource", "phasecenter": "TRACKFIELD"},
    "mvc": {"specmode": "mvc", "deconvolver": "mtmfs"},
    "iterations": {"niter": 100, "threshold": "1mJy", "gain": 0.1, "interactive": True},
    "wrong types": {"niter": "many", "imsize": "x", "cell": 5, "parallel": 1, "field": 3, "vis": "absent.ms"},
    "wrong choices": {"specmode": "cubes", "robust": 3, "weighting": "briggs", "stokes": "A"},
    "not in use": {"robust": 1.0, "facets": 3},
    "lists": {"imsize": [64, 32], "vis": ["script.py"], "scales": [0, 5], "deconvolver": "mtmfs", "mask": ["a", "b"]},
    "automask": {"usemask": "auto-multithresh", "pbmask": 0.0, "growiterations": 75},
    "switched off": {"usemask": "pb", "restoration": False, "calcpsf": False, "selectdata": False},
    **{f"gridder {name}": {"gridder": name} for name in parameters.definitions()["gridder"].choices},
    **{f"weighting {name}": {"weighting": name} for name in parameters.definitions()["weighting"].choices},
    **{f"deconvolver {name}": {"deconvolver": name} for name in parameters.definitions()["deconvolver"].choices},
}  # fmt: skip

COMPARISON = """
import contextlib, inspect, io, json
import casashell.private.tclean as theirs
import pcleantask.private.task_pclean as ours
from casatasks.private import task_tclean

def printed(method):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        method()
    return text.getvalue()

signature = inspect.signature(task_tclean.tclean)
taken = {}
theirs._tclean_t = lambda *values: taken.update(tclean=dict(signature.bind(*values).arguments))
ours.pclean = lambda **values: taken.update(pclean=values)

seen = {}
for setting, values in json.load(open("settings.json")).items():
    seen[setting] = found = {}
    for task, name in ((tclean, "tclean"), (pclean, "pclean")):
        task.set_global_defaults()
        globals().update(values)
        taken.clear()
        found[name] = {"inp": printed(task.inp)}
        task.tput(f"{name}.saved")
        found[name]["saved"] = open(f"{name}.saved").read()
        for way, given in (("globals", {}), ("arguments", {"vis": "script.py", **values})):
            globals().setdefault("vis", "script.py")
            with contextlib.suppress(Exception):
                task(**given)
            found[name][way] = taken.pop(name, None)
            found[name][f"last of {way}"] = open(f"{name}.last").read()
json.dump(seen, open("seen.json", "w"))
"""


@pytest.fixture(scope="module")
def seen(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Setting -> task -> what it shows, keeps and takes, in one session."""
    folder = tmp_path_factory.mktemp("comparison")
    (folder / "settings.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    run = shell_run(home, folder, COMPARISON)
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads((folder / "seen.json").read_text(encoding="utf-8"))


def rows(text: str) -> list[str]:
    """Name and value of each parameter that inp shows, with their colors, without the words on its meaning."""
    return [line.partition(" #")[0].rstrip() for line in text.splitlines() if "=" in line.partition(" #")[0]]


def is_own(row: str) -> bool:
    return any(f"{name} " in row for name in OWN)


@pytest.mark.parametrize("setting", SETTINGS)
def test_inp_shows_and_marks_parameters_as_for_tclean(seen: dict[str, Any], setting: str) -> None:
    theirs, ours = (rows(seen[setting][name]["inp"]) for name in ("tclean", "pclean"))
    parent, plain = "\x1b[1m\x1b[47mparallel                =\x1b[0m", "parallel                ="
    ours = [row.replace(parent, plain) for row in ours if not is_own(row)]
    assert sorted(ours) == sorted(theirs)
    # tclean shows normtype, which comes into use with some gridders, after pblimit.
    assert [row for row in ours if "normtype " not in row] == [row for row in theirs if "normtype " not in row]
    assert len(theirs) > 25
    if setting.startswith("wrong"):
        assert any("\x1b[91m" in row for row in theirs)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("way", ["globals", "arguments"])
def test_a_call_takes_and_keeps_what_tclean_does(seen: dict[str, Any], setting: str, way: str) -> None:
    theirs, ours = seen[setting]["tclean"], seen[setting]["pclean"]
    assert (ours[way] is None) == (theirs[way] is None) == setting.startswith("wrong")
    if theirs[way] is not None:
        assert ours[way] == {**theirs[way], **OWN}
    kept = read_last(ours[f"last of {way}"], "pclean.last")
    assert kept == {**read_last(theirs[f"last of {way}"], "tclean.last"), **OWN}


@pytest.mark.parametrize("setting", SETTINGS)
def test_saved_inputs_are_tcleans(seen: dict[str, Any], setting: str) -> None:
    theirs, ours = (read_last(seen[setting][name]["saved"], name) for name in ("tclean", "pclean"))
    assert ours == {**theirs, **OWN}


IMAGES = """
import json
pclean(**json.load(open("parameters.json")), imagename="ours")
tclean(**json.load(open("parameters.json")), imagename="theirs")
pclean(**json.load(open("parameters.json")), imagename="split", parallel=True, nworkers=2)
try:
    pclean(vis="absent.ms", imagename="none", numpy_number=5)
except TypeError as error:
    print("refused:", error)
import numpy
niter = numpy.int64(3)
vis, imagename = "absent.ms", "none"
try:
    pclean()
except OSError as error:
    print("refused:", error)
"""


def test_shell_calls_image_leave_traces_and_raise(home: Path, tmp_path: Path, dataset: Callable[[str], Path]) -> None:
    values = {name: value for name, value in SMALL.items() if name != "imagename"}
    (tmp_path / SMALL["vis"]).symlink_to(dataset(SMALL["vis"].removesuffix(".ms")))
    (tmp_path / "parameters.json").write_text(json.dumps(values), encoding="utf-8")
    run = shell_run(home, tmp_path, IMAGES)
    assert run.returncode == 0, run.stdout + run.stderr
    assert compare_products(products(tmp_path, "theirs"), products(tmp_path, "ours")) == []
    assert products(tmp_path, "split").keys() == products(tmp_path, "ours").keys()
    assert "refused: pclean has no parameter 'numpy_number'" in run.stdout
    assert "refused: vis 'absent.ms' is not there" in run.stdout
    last = read_last((tmp_path / "pclean.last").read_text(encoding="utf-8"), "pclean.last")
    assert (last["vis"], last["niter"], last["imagename"]) == ("absent.ms", 3, "none")
    assert not (tmp_path / "pclean.pre").exists()
    log = "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("casa-*.log"))
    assert log.count("##### Begin Task: pclean") == log.count("##### End Task: pclean") == 2
    assert "Exception Reported: Error in pclean: vis 'absent.ms' is not there" in log


REPLACED = """
import json
early = tclean
{how}
parameters = json.load(open("parameters.json"))
globals().update(parameters, imagename="ours")
result = early()
from casatasks import tclean as other
other(**parameters, imagename="module")
print("iterations", result["iterdone"], other.__module__)
inp(tclean)
"""
WAYS = {"from outside": "", "from inside": "from pcleantask.standin import replace_tclean\nreplace_tclean()"}


@pytest.mark.parametrize("way", WAYS)
def test_shells_tclean_is_pclean_where_it_is_replaced(
    home: Path, tmp_path: Path, dataset: Callable[[str], Path], way: str
) -> None:
    """`pclean run --replace-tclean -m casashell`, or a line in the shell: its own tclean images by pclean."""
    values = {name: value for name, value in SMALL.items() if name != "imagename"}
    (tmp_path / SMALL["vis"]).symlink_to(dataset(SMALL["vis"].removesuffix(".ms")))
    (tmp_path / "parameters.json").write_text(json.dumps(values), encoding="utf-8")
    with TaskProcess(tmp_path) as oracle:
        (expected,) = oracle.run([Call("tclean", {**SMALL, "imagename": "theirs"})], tmp_path)
    (tmp_path / "own.py").write_text(CONFIG + "logfile = 'own.log'\n", encoding="utf-8")
    before = [] if WAYS[way] else ["-m", "pcleantask", "run", "--replace-tclean"]
    options = ["--nostartupfile", "--configfile", "own.py"]  # which casaconfig reads
    run = shell_run(home, tmp_path, REPLACED.format(how=WAYS[way]), *options, before=before)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"iterations {expected.value['iterdone']} pcleantask.pclean" in run.stdout
    assert "# tclean -- " in run.stdout
    for name in ("ours", "module"):
        assert compare_products(products(tmp_path, "theirs"), products(tmp_path, name)) == []
    assert read_last((tmp_path / "tclean.last").read_text(encoding="utf-8"), "tclean.last")["niter"] == SMALL["niter"]
    log = (tmp_path / "own.log").read_text(encoding="utf-8")
    assert log.count("##### Begin Task: pclean") == 2
    assert log.count(NOTE) == 1


def test_taskhelp_lists_pclean_once(home: Path, tmp_path: Path) -> None:
    run = shell_run(home, tmp_path, "taskhelp()\n")
    found = re.findall(r"^ *pclean : (.*)$", run.stdout, flags=re.MULTILINE)
    assert found == [type(sys.modules["pcleantask"].pclean)._info_desc_], run.stdout[-500:]


def test_one_line_gives_pclean_without_a_startup_file(home: Path, tmp_path: Path) -> None:
    run = shell_run(home, tmp_path, "from pcleantask.shell import *\nniter = 7\ninp(pclean)\n", "--nostartupfile")
    assert "gain" in run.stdout, run.stdout + run.stderr
    run = shell_run(home, tmp_path, "pclean\n", "--nostartupfile")
    assert "NameError: name 'pclean' is not defined" in run.stderr


def test_elsewhere_than_in_the_shell_the_way_is_told(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", "from pcleantask.shell import *"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=LIMIT_S,
        check=False,
    )  # fmt: skip
    assert "is for the CASA shell; elsewhere use: from pcleantask import pclean" in run.stderr


class Terminal:
    """A CASA shell at a terminal, with somebody who types."""

    def __init__(self, home: Path, folder: Path) -> None:
        self._shell = pexpect.spawn(
            sys.executable, SHELL, cwd=str(folder), env=environment(home), encoding="utf-8", timeout=LIMIT_S,
            dimensions=(200, 100),
        )  # fmt: skip
        self._count = 0
        self._prompt()

    def _prompt(self) -> str:
        """What was printed until the next prompt."""
        self._count += 1
        self._shell.expect(rf"CASA <{self._count}>:")
        return re.sub(r"\x1b\[[\d;?]*[A-Za-z]|\r", "", self._shell.before)

    def types(self, line: str) -> str:
        """Type a line; what the shell answers."""
        self._shell.sendline(line)
        return self._prompt()

    def interrupts(self, line: str, sign: Path) -> str:
        """Type a line, and press Ctrl-C when `sign` is there."""
        self._shell.sendline(line)
        for _ in range(LIMIT_S * 20):
            if sign.exists():
                break
            time.sleep(0.05)
        self._shell.sendintr()
        return self._prompt()

    def leaves(self) -> int:
        self._shell.sendline("exit")
        self._shell.expect(pexpect.EOF)
        self._shell.close()
        return self._shell.exitstatus


@pytest.fixture
def terminal(home: Path, tmp_path: Path, dataset: Callable[[str], Path]) -> Iterator[Terminal]:
    (tmp_path / SMALL["vis"]).symlink_to(dataset(SMALL["vis"].removesuffix(".ms")))
    shell = Terminal(home, tmp_path)
    yield shell
    shell._shell.close(force=True)


def test_session_at_a_terminal(terminal: Terminal, tmp_path: Path) -> None:
    """As it is typed in CASA, with and without parentheses: the shell's autocall adds them."""
    for name, value in {**SMALL, "imagename": "img"}.items():
        terminal.types(f"{name} = {value!r}")
    text = terminal.types("inp pclean")
    assert re.search(r"niter +=.* 20 ", text)
    assert re.search(r"\n +gain +=", text)
    terminal.types("niter = 'many'")
    assert re.search(r"niter +=.* 'many' ", terminal.types("inp"))
    assert "ParameterTypeError" in terminal.types("go")
    terminal.types("niter = 20")
    assert "'iterdone': 20" in terminal.types("go pclean")
    assert (tmp_path / "img.image").is_dir()
    assert "niter                = 20" in (tmp_path / "pclean.last").read_text(encoding="utf-8")

    terminal.types("default pclean")
    assert "NameError" in terminal.types("niter")
    assert re.search(r"niter +=.* 0 ", terminal.types("inp()"))
    terminal.types("tget pclean")
    assert terminal.types("niter").rstrip().endswith("20")
    terminal.types("niter = 33")
    terminal.types("saveinputs(pclean, 'kept.last')")
    terminal.types("tput")
    for file in ("kept.last", "pclean.last"):
        assert read_last((tmp_path / file).read_text(encoding="utf-8"), file)["niter"] == 33
    for line, count in (("saveinputs pclean", 34), ("tput pclean", 35), ("tput()", 36), ("saveinputs", 37)):
        terminal.types(f"niter = {count}")
        terminal.types(line)
        assert read_last((tmp_path / "pclean.last").read_text(encoding="utf-8"), line)["niter"] == count, line
    terminal.types("default(pclean)")
    terminal.types("tget(pclean, 'kept.last')")
    assert terminal.types("niter").rstrip().endswith("33")
    terminal.types("default")
    assert re.search(r"niter +=.* 0 ", terminal.types("inp"))
    terminal.types("tget")
    assert terminal.types("niter").rstrip().endswith("37")
    assert "pclean" in terminal.types("taskhelp")
    assert "imagename=None" in terminal.types("pclean?")
    help_text = terminal.types("help pclean")
    assert "pclean ---- " in help_text
    assert "parameter descriptions" in help_text
    assert terminal.leaves() == 0


def test_interrupt_leaves_a_session_that_images(terminal: Terminal, tmp_path: Path) -> None:
    small = ", ".join(f"{name}={value!r}" for name, value in SMALL.items() if name != "imagename")
    long = small.replace("niter=20, ", "niter=10000000, ").replace("gain=0.2, cycleniter=20", "gain=1e-5, cycleniter=2")
    assert len(long) > len(small) + 6
    text = terminal.interrupts(f"r = pclean(imagename='long', {long})", tmp_path / "long.workdirectory")
    assert "KeyboardInterrupt" in text
    assert "'iterdone': 20" in terminal.types(f"pclean(imagename='img', {small})")
    assert (tmp_path / "img.image").is_dir()
    assert not (tmp_path / "long.image").exists()
