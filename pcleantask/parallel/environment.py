"""The environment of a CASA process: free of MPI, with its share of the cores."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# Variables by which a launcher tells a process that it is a rank. casatools carries an MPI of its own, which must not
# see them: it would take part in the job, and never return from cube calls.
LAUNCHER_PREFIXES = (
    *("OMPI_", "OPAL_", "PMIX_", "PRTE_", "ORTE_", "PMI_", "PMI2_", "MPI_", "MPIR_", "MPIEXEC_", "MPICH_", "HYDRA_"),
    *("HYDI_", "I_MPI_", "MV2_", "SLURM_", "PBS_", "LSB_", "LSF_", "JSM_", "FLUX_", "ALPS_", "PALS_"),
)
LIBRARY_PATH = "LD_LIBRARY_PATH"

# glibc keeps large blocks instead of handing them back to the kernel on each free: a fifth of CASA's time.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "67108864",
}


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
    return {**without_mpi(environment), **MALLOC, "OMP_NUM_THREADS": str(max(1, threads))}


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
