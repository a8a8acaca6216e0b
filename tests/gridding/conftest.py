"""Fixtures for tests of visibilities: tclean's dirty images of data."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pcleantask import casa
from pcleantask.config import PcleanConfig
from pcleantask.gridding.data.coordinates import image_coordinates
from pcleantask.toolrecords import tool_records
from tests.agreement.runner import Call, TaskProcess
from tests.gridding.dirty import NAME, Imaged


@pytest.fixture(scope="module")
def tclean(session_dir: Path) -> Iterator[TaskProcess]:
    """A process in which tclean runs."""
    with TaskProcess(session_dir) as process:
        yield process


@pytest.fixture
def imaged(tclean: TaskProcess, dataset: Callable[[str], Path], tmp_path: Path, monkeypatch) -> Callable[..., Imaged]:
    """imaged(parameters) runs tclean and says what it made; `vis` has the names of data sets."""
    monkeypatch.chdir(tmp_path)

    def made(parameters: dict[str, Any]) -> Imaged:
        names = parameters["vis"]
        for name in [names] if isinstance(names, str) else names:
            if not Path(name).exists():
                shutil.copytree(dataset(name.removesuffix(".ms")), name)
        for path in tmp_path.glob(f"{NAME}.*"):
            shutil.rmtree(path)
        # Border channels of tclean's cubes depend on what its process has imaged before.
        outcome = tclean.run([Call("forget", {}), Call("tclean", parameters)], tmp_path)[-1]
        assert not outcome.error, outcome.error
        images = {}
        for suffix in ("sumwt", "psf", "residual"):
            if Path(f"{NAME}.{suffix}").is_dir():  # images of Taylor terms have other names
                with casa.opened_image(f"{NAME}.{suffix}") as image:
                    images[suffix] = image.getchunk()
        config = PcleanConfig.from_parameters(**parameters)
        return Imaged(images, config, image_coordinates(tool_records(config, ("scratch",)))[0])

    return made
