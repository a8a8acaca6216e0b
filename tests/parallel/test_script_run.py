"""`pclean run script.py` is `python script.py`: arguments, input, exit status, traceback, main module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT_S = 60.0


def ran(folder: Path, text: str, *words: str, by_pclean: bool, stdin: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "deeper").mkdir(exist_ok=True)
    (folder / "deeper" / "script.py").write_text(text, encoding="utf-8")
    command = [sys.executable, *(["-m", "pcleantask", "run"] if by_pclean else []), "deeper/script.py", *words]
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
    "exit handler": "import atexit\nlast = 'bye'\natexit.register(lambda: print(last))\n",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_runs_as_python_runs_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "neighbour.py").write_text("there = 'found'\n", encoding="utf-8")
    words = ["--vis=@x.ms", "-1", "--help"]
    expected, found = (
        ran(tmp_path, SCRIPTS[name], *words, by_pclean=by_pclean, stdin="typed\n") for by_pclean in (False, True)
    )
    assert (found.returncode, found.stdout) == (expected.returncode, expected.stdout)
    assert found.stderr == expected.stderr


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
    assert "[mpirun -n N] pclean run [--replace-tclean] [--nworkers N] SCRIPT [ARGUMENT ...]" in run.stdout
