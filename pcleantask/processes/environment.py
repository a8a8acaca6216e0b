"""The environment of a CASA process: free of MPI, with its share of the cores."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, MutableMapping
from fractions import Fraction
from pathlib import Path

from ..memory import has_address_limit

# Variables by which a launcher tells a process that it is a rank. casatools carries an MPI of its own, which must not
# see them: it would take part in the job, and never return from cube calls.
LAUNCHER_PREFIXES = (
    *("OMPI_", "OPAL_", "PMIX_", "PRTE_", "ORTE_", "PMI_", "PMI2_", "MPI_", "MPIR_", "MPIEXEC_", "MPICH_", "HYDRA_"),
    *("HYDI_", "I_MPI_", "MV2_", "SLURM_", "PBS_", "LSB_", "LSF_", "JSM_", "FLUX_", "ALPS_", "PALS_"),
)
# Those that tell a script about the batch job, and nothing about ranks.
JOB_PREFIXES = ("SLURM_JOB", "SLURM_ARRAY_", "SLURM_SUBMIT_", "SLURM_CPUS_", "PBS_", "LSB_JOB")
LIBRARY_PATH = "LD_LIBRARY_PATH"
PYTHON_PATH = "PYTHONPATH"
KEPT_PATH = "PCLEANTASK_PYTHONPATH"  # the user's own, while the lead starts with the hub's

# Variables by which launchers say how many ranks they have started. Open MPI's is there under its own mpirun alone;
# the others also in a shell that is itself a job's only rank, where nothing is parallel.
OPEN_MPI_SIZE = "OMPI_COMM_WORLD_SIZE"
SIZES = ("PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "JSM_NAMESPACE_SIZE", "PALS_SIZE", "FLUX_JOB_SIZE")
# Those by which they say which rank a process is.
RANKS = (
    *("OMPI_COMM_WORLD_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK", "PALS_RANKID"),
    "FLUX_TASK_RANK",
)

RUN_MODULE = (
    "import sys; sys.path[:] = filter(None, sys.path); import runpy; "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)

# glibc keeps large blocks instead of handing them back to the kernel on each free: a fifth of CASA's time.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "67108864",
}
SPARING = {"MALLOC_ARENA_MAX": "1"}  # where addresses are limited


def launched_ranks(environment: Mapping[str, str]) -> int:
    """How many ranks an MPI launcher says it has started, of which this process is one; 0 where there is none."""
    if environment.get(OPEN_MPI_SIZE, "").isdecimal():
        return int(environment[OPEN_MPI_SIZE])
    sizes = [int(environment[name]) for name in SIZES if environment.get(name, "").isdecimal()]
    return max(sizes, default=0) if max(sizes, default=0) > 1 else 0


def launched_rank(environment: Mapping[str, str]) -> int:
    """Which rank the launcher says this process is; 0 where it says nothing."""
    return next((int(environment[name]) for name in RANKS if environment.get(name, "").isdecimal()), 0)


def without_mpi(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment less the launcher's variables and the library folders that hold an MPI."""
    clean = {name: value for name, value in environment.items() if not name.startswith(LAUNCHER_PREFIXES)}
    if LIBRARY_PATH in clean:
        folders = [folder for folder in clean[LIBRARY_PATH].split(os.pathsep) if folder and not _has_mpi(folder)]
        clean[LIBRARY_PATH] = os.pathsep.join(folders)
        if not folders:
            del clean[LIBRARY_PATH]
    return clean


def _has_mpi(folder: str) -> bool:
    return any(Path(folder).glob("libmpi*.so*"))


def worker_environment(environment: Mapping[str, str], threads: int) -> dict[str, str]:
    """The environment of a worker that may use `threads` cores."""
    return {**without_mpi(environment), **_malloc(), "OMP_NUM_THREADS": str(max(1, threads))}


def lead_environment(environment: Mapping[str, str], threads: int) -> dict[str, str]:
    """The environment of the lead of an MPI job on `threads` cores; what is known of the batch job stays in it."""
    job = {name: value for name, value in environment.items() if name.startswith(JOB_PREFIXES)}
    clean = {"OMP_NUM_THREADS": str(max(1, threads)), **without_mpi(environment), **job, **_malloc()}
    return importable({**clean, KEPT_PATH: environment.get(PYTHON_PATH, "")})


def _malloc() -> dict[str, str]:
    return SPARING if has_address_limit() else MALLOC


def importable(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, with which a child finds the modules of installed packages that this process finds.

    Those beside the data aren't among them: not in the current folder, nor in that of the script that is run. Where
    this package itself is there, it is found last.
    """
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    left_out = {"", os.getcwd()} | ({os.path.dirname(os.path.abspath(main))} if main else set())
    own = str(Path(__file__).parents[2])
    entries = [entry for entry in sys.path if entry not in left_out]
    return {**environment, PYTHON_PATH: os.pathsep.join([*entries, *([] if own in entries else [own])])}


def python_command(module: str, *words: str) -> list[str]:
    """The command line that runs a module as `python -m` does, but looks for none in the current folder."""
    return [sys.executable, "-c", RUN_MODULE, module, *words]


def restore_python_path(environment: MutableMapping[str, str]) -> None:
    """Set PYTHONPATH as it was before `lead_environment`, for the programs that a script starts."""
    path = environment.pop(KEPT_PATH, "")
    if path:
        environment[PYTHON_PATH] = path
    else:
        environment.pop(PYTHON_PATH, None)


def shares(places: Mapping[int, tuple[str, set[int]]]) -> dict[int, int]:
    """Threads for each rank, at least one, given its host and the cores that it may use, some of them with others."""
    users = Counter((host, core) for host, cores in places.values() for core in cores)
    return {
        rank: max(1, int(sum(Fraction(1, users[host, core]) for core in cores)))
        for rank, (host, cores) in places.items()
    }
