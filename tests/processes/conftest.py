"""What tests of processes share: MPIs, and a folder with data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes.mpi_jobs import MPIS, Mpi, find_mpi


@pytest.fixture(scope="session", params=MPIS)
def mpi(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mpi:
    return find_mpi(request.param, tmp_path_factory.mktemp("mpi"))


@pytest.fixture
def folder(tmp_path: Path, dataset: Callable[[str], Path]) -> Path:
    """A folder with the data in it."""
    for name in ("line", "continuum"):
        (tmp_path / f"{name}.ms").symlink_to(dataset(name))
    return tmp_path
