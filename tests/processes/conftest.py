"""What tests of processes share: MPIs, and a folder with data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agreement.compare import peak
from tests.agreement.runner import Call, TaskProcess
from tests.processes.mpi_jobs import MPIS, OTHER_FRAME, SMALL_CUBE, SMALL_MFS, TWELVE_CYCLES, Mpi, find_mpi, plain


@pytest.fixture(scope="session", params=MPIS)
def mpi(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mpi:
    return find_mpi(request.param, tmp_path_factory.mktemp("mpi"))


@pytest.fixture
def folder(tmp_path: Path, dataset: Callable[[str], Path]) -> Path:
    """A folder with the data in it."""
    for name in ("line", "continuum"):
        (tmp_path / f"{name}.ms").symlink_to(dataset(name))
    return tmp_path


@pytest.fixture(scope="session")
def serial(tmp_path_factory: pytest.TempPathFactory, dataset: Callable[[str], Path]) -> Path:
    """A folder with the images that one process makes, and what it returned in files of JSON."""
    folder = tmp_path_factory.mktemp("serial")
    kinds = {"cube": SMALL_CUBE, "other": OTHER_FRAME, "mfs": SMALL_MFS}
    for parameters in kinds.values():
        if not (folder / parameters["vis"]).exists():
            (folder / parameters["vis"]).symlink_to(dataset(parameters["vis"].removesuffix(".ms")))
    # of its own: the last bits of CASA's transforms depend on what else a process has done, and tests do much
    with TaskProcess(folder, {}) as process:
        calls = [Call("pclean", {**parameters, "imagename": name}) for name, parameters in kinds.items()]
        outcomes = process.run(calls, folder)
    for name, outcome in zip(kinds, outcomes, strict=True):
        assert not outcome.error, outcome.error
        (folder / f"{name}.json").write_text(json.dumps(plain(outcome.value)), encoding="utf-8")
    assert peak(folder / "cube.model") > 0.1
    return folder


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, dataset: Callable[[str], Path]) -> tuple[Path, dict[str, Any]]:
    """The folder and the dictionary of a run of TWELVE_CYCLES that nobody has ended."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "line.ms").symlink_to(dataset("line"))
    with TaskProcess(folder, {}) as process:
        (outcome,) = process.run([Call("pclean", TWELVE_CYCLES)], folder)
    assert not outcome.error, outcome.error
    assert outcome.value["nmajordone"] == TWELVE_CYCLES["nmajor"] + 1
    return folder, plain(outcome.value)
