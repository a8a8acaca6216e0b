"""The door to casatools: it finds the data, says what is missing, and keeps to the user's own configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pcleantask import casa

ROOT = Path(__file__).resolve().parent.parent
NO_DATA = "import sys; sys.modules['casadata'] = None; "


def python(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A new Python in an empty home, which finds the package but no CASA configuration."""
    environment = {name: value for name, value in os.environ.items() if name not in ("CASASITECONFIG", "MEASURESPATH")}
    environment |= {"HOME": str(home), "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=120, check=False)


def test_package_imports_without_data_and_the_first_use_says_what_is_missing(tmp_path: Path) -> None:
    found = python(NO_DATA + "import pcleantask; print(pcleantask.__version__); pcleantask.casa.load()", tmp_path)
    assert found.returncode == 1
    assert found.stdout.strip()
    assert "CasaSetupError" in found.stderr
    assert "pip install 'pcleantask[data]'" in found.stderr


def test_task_without_data_says_what_is_missing(tmp_path: Path) -> None:
    found = python(NO_DATA + "from pcleantask import pclean; pclean(vis='x.ms', imagename='x')", tmp_path)
    assert found.returncode == 1
    assert "CasaSetupError" in found.stderr
    assert "casadata" in found.stderr


def test_data_of_the_package_casadata_serve_an_empty_home(tmp_path: Path) -> None:
    code = "from pcleantask import casa; print(casa.load().ctsys.resolve('geodetic/IERSeop2000'))"
    found = python(code, tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip().endswith("casadata/__data__/geodetic/IERSeop2000")


def test_configuration_of_the_user_wins(tmp_path: Path) -> None:
    package = python("import casadata; print(casadata.datapath)", tmp_path).stdout.strip()
    (tmp_path / "own").symlink_to(package)
    (tmp_path / ".casa").mkdir()
    text = f"measurespath = {str(tmp_path / 'own')!r}\nmeasures_auto_update = False\ndata_auto_update = False\n"
    (tmp_path / ".casa" / "config.py").write_text(text)
    code = "from pcleantask import casa; casa.load(); from casaconfig import config; print(config.measurespath)"
    found = python(code, tmp_path)
    assert found.stdout.strip() == str(tmp_path / "own"), found.stderr


def test_data_named_in_python_alone_reach_the_workers(tmp_path: Path) -> None:
    """The package casadata is hidden from both processes, by a module of its name."""
    package = python("import casadata; print(casadata.datapath)", tmp_path).stdout.strip()
    (tmp_path / "casadata.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from casaconfig import config; "
    code += f"config.measurespath = {package!r}; config.measures_auto_update = config.data_auto_update = False; "
    code += "from pcleantask.processes.team import LocalTeam, call_all\n"
    code += "with LocalTeam(1) as team: print(call_all(team, 'hello')[0]['casatools'])"
    found = python(code, tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip().startswith("6."), "the worker's casatools"


def test_options_of_the_command_line_are_not_taken_for_casas(tmp_path: Path) -> None:
    code = "import sys; sys.argv += ['--noconfig', '--configfile', 'x']; "
    code += "from pcleantask import casa; casa.load(); print(sys.argv[1:])"
    found = python(code, tmp_path)
    assert found.stdout.strip() == "['--noconfig', '--configfile', 'x']", found.stderr


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.005, 0.005), ("5mJy", 0.005), ("0.2", 0.2), ("", 0.0), (3, 3.0), ({"value": 2.0, "unit": "uJy"}, 2e-6)],
)
def test_flux_densities_come_out_in_jansky(value: float | str | dict, expected: float) -> None:
    assert casa.jansky(value) == pytest.approx(expected, rel=1e-12)


FAILING = """
from pcleantask import casa
from pcleantask.errors import ImagingError
casa.use_log({log!r})
try:
    with casa.working_on("trying"):
        casa.post("the channels are too narrow", "WARN")
        raise RuntimeError("it failed")
except ImagingError as error:
    print(error)
print(casa.log().logfile())
"""


@pytest.mark.parametrize("log", ["own.log", "/dev/null"])
def test_an_error_has_the_reason_wherever_the_log_goes(log: str, tmp_path: Path) -> None:
    path = str(tmp_path / log)
    found = python(FAILING.format(log=path), tmp_path)
    assert found.stdout.splitlines() == ["CASA failed while trying: it failed (the channels are too narrow)", path]
    assert [entry.name for entry in tmp_path.glob("pclean-*")] == []
