"""`pclean run script.py` is `python script.py`: arguments, input, exit status, traceback, main module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT_S = 60.0


def ran(
    folder: Path, text: str, *words: str, by_pclean: bool, stdin: str = "", options: tuple[str, ...] = (),
    program: tuple[str, ...] = ("deeper/script.py",),
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    (folder / "deeper").mkdir(exist_ok=True)
    (folder / "deeper" / "script.py").write_text(text, encoding="utf-8")
    ours = ["-m", "pcleantask", "run", *options] if by_pclean else []
    command = [sys.executable, *ours, *program, *words]
    return subprocess.run(
        command, cwd=folder, input=stdin, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


@pytest.fixture(autouse=True)
def findable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


SCRIPTS = {
    "arguments": "import sys\nprint(sys.argv, __name__, __file__, input())\n",
    "status": "import sys\nsys.exit(9)\n",
    "message": "import sys\nsys.exit('no data')\n",
    "neighbour": "import os, neighbour\nprint(neighbour.there, os.getcwd())\n",
    "exception": "def step():\n    raise ValueError('wrong')\nstep()\n",
    "syntax": "x = = 1\n",
    "pickles": "import pickle\nclass Beam:\n    pass\nprint(type(pickle.loads(pickle.dumps(Beam()))))\n",
    "package": "import neighbour\nprint(neighbour.there, __package__, __spec__.name, __name__, __file__)\n",
    "exit handler": "import atexit\nlast = 'bye'\natexit.register(lambda: print(last))\n",
}


@pytest.mark.parametrize("options", [(), ("--replace-tclean",)], ids=["plain", "replaced"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_script_runs_as_python_runs_it(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "neighbour.py").write_text("there = 'found'\n", encoding="utf-8")
    words = ["--vis=@x.ms", "-1", "--help"]
    expected, found = (
        ran(tmp_path, SCRIPTS[name], *words, by_pclean=by_pclean, stdin="typed\n", options=options)
        for by_pclean in (False, True)
    )
    assert (found.returncode, found.stdout) == (expected.returncode, expected.stdout)
    assert found.stderr == expected.stderr


MODULES = ("deeper.script", "package", "package.part")


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("name", ["arguments", "status", "message", "pickles", "exit handler", "package"])
def test_module_runs_as_python_runs_it(tmp_path: Path, name: str, module: str) -> None:
    (tmp_path / "package").mkdir()
    for file in ("__main__.py", "part.py"):
        (tmp_path / "package" / file).write_text(SCRIPTS[name], encoding="utf-8")
    (tmp_path / "package" / "__init__.py").write_text("import sys\nprint('package', sys.argv)\n", encoding="utf-8")
    (tmp_path / "neighbour.py").write_text("there = 'found'\n", encoding="utf-8")
    expected, found = (
        ran(tmp_path, SCRIPTS[name], "-1", "-m", by_pclean=by_pclean, stdin="typed\n", program=("-m", module))
        for by_pclean in (False, True)
    )
    assert (found.returncode, found.stdout, found.stderr) == (expected.returncode, expected.stdout, expected.stderr)


def test_exception_in_a_module_shows_where_it_was(tmp_path: Path) -> None:
    expected, found = (
        ran(tmp_path, SCRIPTS["exception"], by_pclean=by_pclean, program=("-m", "deeper.script"))
        for by_pclean in (False, True)
    )
    assert found.returncode == expected.returncode == 1
    head, *_, tail = found.stderr.partition("  File")
    assert expected.stderr.startswith(head)
    assert expected.stderr.endswith(tail)
    assert "in step" in tail


def test_package_that_lacks_a_module_says_which(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("import absent_one\n", encoding="utf-8")
    run = ran(tmp_path, "", by_pclean=True, program=("-m", "package"))
    assert run.returncode == 1
    assert run.stderr.endswith("ModuleNotFoundError: No module named 'absent_one'\n")


@pytest.mark.parametrize("name", ["absent", "absent.part", "deeper", "sys"])
def test_missing_module_is_told(tmp_path: Path, name: str) -> None:
    run = ran(tmp_path, "", by_pclean=True, program=("-m", name))
    assert run.returncode == 2
    assert run.stderr == f"pclean: there is no module {name!r} to run; give its name as after `python -m`\n"


def test_missing_script_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pcleantask", "run", "absent.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert run.returncode == 2
    assert (
        run.stderr == "pclean: can't read 'absent.py' (No such file or directory); give the path of a Python script\n"
    )


def test_help_tells_of_the_launcher(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pcleantask", "run", "--help"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert run.returncode == 0
    usage = (
        "[mpirun -n N] pclean run [--replace-tclean] [--nworkers N] [--engine ENGINE] (SCRIPT | -m NAME) [ARGUMENT ...]"
    )
    assert usage in run.stdout
