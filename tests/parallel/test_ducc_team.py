"""engine='ducc' on a team makes the images of one process: cubes to the last bit, continuum images but for rounding."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa, pclean
from pcleantask.parallel.asked import THREADS
from tests.agreement.cases import CUBE, MFS
from tests.agreement.compare import products

ROUNDING = 2e-6  # of the peak: sums of float32 in another order, after some major cycles
WHOLE = {"start": "", "width": "", "nchan": -1}
CUBES: dict[str, dict[str, Any]] = {
    "briggs": {**CUBE, **WHOLE, "weighting": "briggs"},
    "one-density": {**CUBE, **WHOLE, "weighting": "briggs", "perchanweightdensity": False},
    "bandwidth-taper": {**CUBE, **WHOLE, "weighting": "briggsbwtaper", "interpolation": "nearest"},
    "multiscale": {**CUBE, **WHOLE, "deconvolver": "multiscale", "scales": [0, 4, 10]},
}
LONG = ("briggs", "bandwidth-taper")
CONTINUUM: dict[str, dict[str, Any]] = {
    "natural": MFS,
    "briggs": {**MFS, "weighting": "briggs"},
    "taylor": {**MFS, "weighting": "uniform", "deconvolver": "mtmfs", "nterms": 2},
}


@pytest.fixture
def both(
    dataset: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any]], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """both(parameters): the products of one process and of a team, by their suffixes."""
    monkeypatch.chdir(tmp_path)

    def made(parameters: dict[str, Any]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        data = parameters["vis"]
        shutil.copytree(dataset(data.removesuffix(".ms")), data)
        found = []
        for name, team in (("one", {}), ("team", {"parallel": True, "nworkers": THREADS + 1})):
            Path(name).mkdir()
            result = pclean(**{**parameters, "imagename": f"{name}/x", "engine": "ducc", **team})
            assert result["iterdone"] > 0
            found.append({suffix: _pixels(path) for suffix, path in products(Path(name), "x").items()})
        assert found[0].keys() == found[1].keys()
        return {suffix: (image, found[1][suffix]) for suffix, image in found[0].items()}

    return made


def _pixels(path: Path) -> np.ndarray:
    with casa.opened_image(str(path)) as image:
        return image.getchunk()


@pytest.mark.parametrize(
    "parameters", [pytest.param(row, id=name, marks=[pytest.mark.long] * (name in LONG)) for name, row in CUBES.items()]
)
def test_cube_of_a_team_is_that_of_one_process(parameters, both):
    for suffix, (one, two) in both(parameters).items():
        assert abs(one).max() > 0
        assert (one == two).all(), suffix


@pytest.mark.parametrize("parameters", [pytest.param(row, id=name) for name, row in CONTINUUM.items()])
def test_continuum_image_of_a_team_is_that_of_one_process(parameters, both):
    found = both(parameters)
    for suffix, (one, two) in found.items():
        if "alpha" not in suffix and ".tt1" not in suffix:
            assert abs(one - two).max() <= ROUNDING * max(1.0, abs(one).max()), suffix


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param(CUBES["briggs"], id="cube"),
        pytest.param({**CUBE, "niter": 0}, id="cube-dirty", marks=pytest.mark.long),
        pytest.param(CONTINUUM["taylor"], id="continuum"),
    ],
)
def test_model_that_a_team_saves_is_that_of_one_process(
    parameters: dict[str, Any], dataset: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the lead, with ducc0; of a cube the same data are left alone."""
    monkeypatch.chdir(tmp_path)
    saved = []
    for name, team in (("one", {}), ("team", {"parallel": True, "nworkers": THREADS + 1})):
        shutil.copytree(dataset(parameters["vis"].removesuffix(".ms")), f"{name}.ms")
        call = {**parameters, "imagename": name, "vis": f"{name}.ms", "savemodel": "modelcolumn", **team}
        assert pclean(**call, engine="ducc")["engine"] == "ducc"
        with casa.opened_table(f"{name}.ms") as table:
            saved.append(table.getcol("MODEL_DATA"))
    assert abs(saved[0]).max() > 0.3
    assert abs(saved[0] - saved[1]).max() <= ROUNDING * abs(saved[0]).max()
