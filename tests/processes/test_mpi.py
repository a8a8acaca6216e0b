"""pclean under mpirun, with MPICH and with Open MPI: the three ways in give the serial images, and no job hangs.

What the ranks image is compared with what one process does, to the last bit. Each job has a time limit, and none of its
processes may be left.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from pcleantask import casa
from tests.agreement.compare import compare_products, differences, peak
from tests.agreement.packages import install
from tests.processes.mpi_jobs import (
    LONG_CUBE,
    MPIS,
    OTHER_FRAME,
    SMALL_CUBE,
    SMALL_MFS,
    Job,
    Mpi,
    Result,
    find_mpi,
    image,
    images_of,
    options,
    run,
    script_job,
)


def check_clean_end(result: Result, folder: Path) -> None:
    assert result.status == 0, result.text
    assert result.left == {}
    assert list(folder.glob("*.workdirectory")) == []


# --- way 2: mpirun pclean image ---


def test_command_makes_the_serial_cube_on_all_ranks(mpi: Mpi, folder: Path, serial: Path) -> None:
    check_command(mpi, folder, serial, {})


@pytest.mark.long
def test_command_is_not_disturbed_by_casampi(mpi: Mpi, folder: Path, serial: Path, casampi: dict[str, str]) -> None:
    check_command(mpi, folder, serial, casampi)


def check_command(mpi: Mpi, folder: Path, serial: Path, env: dict[str, str]) -> None:
    result = run([*image(mpi, 2, {**SMALL_CUBE, "imagename": "cube"}), "--json"], folder, env=env)
    check_clean_end(result, folder)
    assert compare_products(images_of(serial, "cube"), images_of(folder, "cube")) == []
    expected = json.loads((serial / "cube.json").read_text(encoding="utf-8"))
    assert list(differences(expected, json.loads(result.out))) == []
    assert result.err.count("peak residual") == 1, "the progress of one lead"
    assert "parallel=False" not in result.text, "nobody has given it"


@pytest.mark.long
@pytest.mark.parametrize("nranks", [1, 3, 8])
def test_any_number_of_ranks_gives_the_same_bits(mpi: Mpi, folder: Path, serial: Path, nranks: int) -> None:
    result = run(image(mpi, nranks, {**SMALL_CUBE, "imagename": "cube"}), folder)
    check_clean_end(result, folder)
    assert compare_products(images_of(serial, "cube"), images_of(folder, "cube")) == []


@pytest.mark.long
def test_fewer_workers_than_ranks_may_be_asked_for(mpi: Mpi, folder: Path, serial: Path) -> None:
    result = run(image(mpi, 3, {**SMALL_CUBE, "imagename": "cube", "nworkers": 2}), folder)
    check_clean_end(result, folder)
    assert compare_products(images_of(serial, "cube"), images_of(folder, "cube")) == []


def test_a_cube_gridded_in_one_process_is_cleaned_on_all_ranks(mpi: Mpi, folder: Path, serial: Path) -> None:
    result = run(image(mpi, 2, {**OTHER_FRAME, "imagename": "other"}), folder)
    check_clean_end(result, folder)
    assert compare_products(images_of(serial, "other"), images_of(folder, "other")) == []
    log = "".join(path.read_text(encoding="utf-8") for path in folder.glob("casa-*.log"))
    assert "Gridded in one process, cleaned by 2 workers" in log


@pytest.mark.long
def test_continuum_agrees_with_serial(mpi: Mpi, folder: Path, serial: Path) -> None:
    check_clean_end(run(image(mpi, 2, {**SMALL_MFS, "imagename": "mfs"}), folder), folder)
    check_continuum(folder, serial)


def check_continuum(folder: Path, serial: Path) -> None:
    """Within 1e-5 of the peak: sums in another order differ by the rounding of float."""
    for suffix in (".residual", ".model", ".image"):
        with (
            casa.opened_image(str(serial / f"mfs{suffix}")) as one,
            casa.opened_image(str(folder / f"mfs{suffix}")) as two,
        ):
            assert abs(one.getchunk() - two.getchunk()).max() <= 1e-5 * peak(serial / "mfs.image")


def test_wrong_option_is_told_once_and_is_the_exit_status_of_the_job(mpi: Mpi, folder: Path) -> None:
    result = run(image(mpi, 2, {**SMALL_CUBE, "nitter": 5}), folder)
    assert result.status == 2, result.text
    assert result.err.count("did you mean 'niter'?") == 1
    assert result.left == {}


@pytest.mark.long
def test_launcher_of_another_mpi_is_told(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each rank would be alone, and all would make the same images at once."""
    mpich, openmpi = (find_mpi(name, tmp_path_factory.mktemp("mixed")) for name in MPIS)
    result = run([*mpich.launch(2), openmpi.python, "-m", "pcleantask", "image", *options(SMALL_CUBE)], folder)
    assert result.status != 0
    assert "the launcher has started 2 ranks, but each finds itself alone" in result.err
    assert images_of(folder, "img") == {}


# --- way 3: mpirun python -m pcleantask run script.py ---

SCRIPT = """
import json, os, sys
from casatasks import imstat
from pcleantask import pclean
from pcleantask.processes.mpi_team import MpiTeam
used = []
call_each = MpiTeam.call_each
MpiTeam.call_each = lambda self, method, arguments: used.append(len(arguments)) or call_each(self, method, arguments)
cube, mfs = (json.loads(word) for word in sys.argv[1:])
print("once", __name__, sys.argv[0], sys.stdin.readline().strip())
result = pclean(**cube)
print("ranks", max(used))
os.mkdir("deeper"); os.chdir("deeper")
mfs["vis"] = os.path.join("..", mfs["vis"])
pclean(**mfs)
print("flux", imstat("mfs.image")["max"][0])
print("clean", not [name for name in os.environ if name.startswith(("PMI_", "OMPI_COMM", "PMIX_"))])
sys.exit(7)
"""


@pytest.mark.long
# Open MPI's mpirun never tells rank 0 that its input has ended, so that the script reads a line.
def test_script_runs_once_with_other_tasks_and_its_own_exit_status(
    mpi: Mpi, folder: Path, serial: Path, casampi: dict[str, str]
) -> None:
    words = [json.dumps({**SMALL_CUBE, "imagename": "cube"}), json.dumps({**SMALL_MFS, "imagename": "mfs"})]
    result = run(script_job(mpi, 2, folder, SCRIPT, *words, once=True), folder, stdin="typed\n", env=casampi)
    assert result.status == 7, result.text
    assert result.left == {}
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[:2] == [["once", "__main__", "script.py", "typed"], ["ranks", "2"]]
    assert float(lines[2][1]) == pytest.approx(peak(serial / "mfs.image"), rel=1e-4)
    assert lines[3] == ["clean", "True"]
    assert compare_products(images_of(serial, "cube"), images_of(folder, "cube")) == []
    check_continuum(folder / "deeper", serial)


# As `casa -c` runs it, without imports of CASA's names; and a module, which imports them.
PIPELINES = {
    "script": (["script.py"], "import json"),
    "module": (["-m", "script"], "import json, sys\nfrom casatasks.private.task_tclean import tclean"),
}
IMAGING = """
print("iterations", tclean(**json.loads(sys.argv[1]))["iterdone"])
"""


@pytest.mark.parametrize("kind", ["script", pytest.param("module", marks=pytest.mark.long)])
def test_unedited_tclean_script_images_on_the_ranks(mpi: Mpi, folder: Path, serial: Path, kind: str) -> None:
    program, imports = PIPELINES[kind]
    words = json.dumps({**SMALL_CUBE, "imagename": "cube"})
    command = script_job(mpi, 2, folder, imports + IMAGING, words, once=True)
    place = command.index("script.py")
    command[place : place + 1] = ["--replace-tclean", *program]
    result = run(command, folder)
    check_clean_end(result, folder)
    expected = json.loads((serial / "cube.json").read_text(encoding="utf-8"))["iterdone"]
    assert result.out.splitlines()[-1] == f"iterations {expected}"
    assert compare_products(images_of(serial, "cube"), images_of(folder, "cube")) == []
    log = "".join(path.read_text(encoding="utf-8") for path in folder.glob("casa-*.log"))
    assert log.count("tclean is pclean in this run") == 1
    assert "Imaged by 2 workers" in log


@pytest.fixture(scope="session")
def casampi(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which casampi is installed; on rank 1, importing casatasks would never return with it."""
    target = tmp_path_factory.mktemp("casampi")
    install("casampi", "--target", str(target))
    return {"PYTHONPATH": str(target)}


@pytest.mark.long
def test_exception_in_script_ends_the_job_with_its_traceback(mpi: Mpi, folder: Path) -> None:
    text = "import pcleantask\ndef steps():\n    raise RuntimeError('no such star')\nsteps()\n"
    result = run(script_job(mpi, 2, folder, text, once=True), folder)
    assert result.status == 1, result.text
    assert 'script.py", line 3, in steps' in result.err
    assert result.err.count("RuntimeError: no such star") == 1
    assert result.left == {}


# --- way 4: mpirun python script.py ---

COLLECTIVE = """
import json, sys
import pcleantask
from mpi4py import MPI
from pcleantask import errors, pclean
rank = MPI.COMM_WORLD.Get_rank()
cube = json.loads(sys.argv[1])
told = []
for change in ({"nchan": -3}, {"nchan": 4 + rank}, {"vis": "absent.ms"}):
    try:
        pclean(**{**cube, **change})
    except errors.PcleanError as error:
        told.append([type(error).__name__, str(error)])
result = pclean(**cube)
told.append("casatools" in sys.modules)
with open(f"rank{rank}.json", "w") as file:
    json.dump([told, result], file, default=lambda entry: entry.tolist())
if rank == 1:
    pclean(**cube)
"""


@pytest.mark.long
@pytest.mark.parametrize("surroundings", ["alone", "casampi"])
def test_collective_calls_return_and_raise_the_same_on_every_rank(
    mpi: Mpi, folder: Path, serial: Path, surroundings: str, request: pytest.FixtureRequest
) -> None:
    """At its end rank 1 calls once more, and rank 0 doesn't."""
    words = json.dumps({**SMALL_CUBE, "imagename": "cube"})
    env = request.getfixturevalue("casampi") if surroundings == "casampi" else {}
    result = run(script_job(mpi, 2, folder, COLLECTIVE, words, once=False), folder, env=env)
    assert result.status != 0, result.text
    assert result.left == {}
    answers = [json.loads((folder / f"rank{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1)]
    assert answers[0] == answers[1]
    (wrong, mismatch, missing, loads_casa), value = answers[0]
    assert wrong == ["ParameterError", "nchan must be positive or -1, got -3"] or "nchan" in wrong[1]
    assert mismatch[0] == "RankMismatchError"
    assert "nchan is 4 on rank 0 and 5 on rank 1" in mismatch[1]
    assert missing == ["MissingInputError", "vis 'absent.ms' is not there"] or missing[0] == "MissingInputError"
    assert not loads_casa
    assert list(differences(json.loads((serial / "cube.json").read_text(encoding="utf-8")), value)) == []
    assert compare_products(images_of(serial, "cube"), images_of(folder, "cube")) == []
    assert "RankMismatchError: rank 0 has ended its script without the call that rank 1 made" in result.err


CASA_FIRST = """
import casadata
from casaconfig import config
config.measurespath, config.measures_auto_update, config.data_auto_update = casadata.datapath, False, False
import casatools
import pcleantask
"""


SURVIVING = """
import json, sys
from mpi4py import MPI
from pcleantask import errors, pclean
long, cube = (json.loads(word) for word in sys.argv[1:])
try:
    pclean(**long)
except errors.ImagingError as error:
    with open(f"rank{MPI.COMM_WORLD.Get_rank()}.txt", "w") as file:
        file.write(f"{type(error).__name__} {error}")
pclean(**cube)
"""


@pytest.mark.long
@pytest.mark.parametrize("victim", ["lead", "worker"])
def test_death_in_a_collective_call_is_told_to_every_rank_and_the_next_call_works(
    mpi: Mpi, folder: Path, serial: Path, victim: str
) -> None:
    words = [json.dumps({**LONG_CUBE, "imagename": "img"}), json.dumps({**SMALL_CUBE, "imagename": "cube"})]
    with Job(script_job(mpi, 2, folder, SURVIVING, *words, once=False), folder) as job:
        job.wait_for("    2 ")
        pid = next(iter(job.processes("pcleantask.lead"))) if victim == "lead" else job.worker(1, "script.py")
        os.kill(pid, signal.SIGKILL)
        result = job.result()
    assert result.status == 0, result.text
    kind = "LeadError the lead" if victim == "lead" else "WorkerError worker 1 on"
    told = [(folder / f"rank{rank}.txt").read_text(encoding="utf-8") for rank in (0, 1)]
    assert told[0] == told[1]
    assert told[0].startswith(kind)
    assert result.left == {}
    assert compare_products(images_of(serial, "cube"), images_of(folder, "cube")) == []


@pytest.mark.long
def test_casatools_imported_first_is_an_error_that_names_the_way(mpi: Mpi, folder: Path) -> None:
    result = run(script_job(mpi, 2, folder, CASA_FIRST, once=False), folder)
    assert result.status != 0
    if "undefined symbol" not in result.err:  # Open MPI's mpirun keeps casatools itself from being imported
        assert "MpiSetupError: casatools was imported before pcleantask" in result.err
        assert "python -m pcleantask run script.py" in result.err
    assert result.left == {}


# --- waiting ---


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.long
def test_waiting_ranks_use_hardly_any_of_a_core(mpi: Mpi, folder: Path) -> None:
    text = "import time\nprint('waiting', flush=True)\ntime.sleep(30)\n"
    with Job(script_job(mpi, 2, folder, text, once=True), folder) as job:
        job.wait_for("waiting")
        time.sleep(3)  # until the workers have started
        waiting = [*(job.rank(rank, "pcleantask run") for rank in (0, 1)), *job.processes("parallel.worker")]
        assert len(waiting) == 4
        before = {pid: cpu_seconds(pid) for pid in waiting}
        time.sleep(4)
        used = {pid: (cpu_seconds(pid) - before[pid]) / 4 for pid in waiting}
    assert max(used.values()) < 0.05, used
