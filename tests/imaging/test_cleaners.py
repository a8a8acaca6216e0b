"""The choice of a deconvolver, and a run of the clean loop with that in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import PcleanConfig, SerialImager
from pcleantask.images.store import ImageStore
from pcleantask.imaging.cleaners import is_in_memory, make_deconvolver
from pcleantask.imaging.masking import make_mask, mask_decpars
from pcleantask.imaging.memory_deconvolver import MemoryDeconvolver
from pcleantask.imaging.run import Parts, SerialRun
from tests.agreement.cases import AUTO, CUBE, MFS
from tests.agreement.compare import read_image

TERMS = {"deconvolver": "mtmfs", "nterms": 2}
NUMPY = {**AUTO, "automaskengine": "numpy"}
# What is asked -> the kind of deconvolver for it.
KINDS = {
    "hogbom": ({}, "memory"),
    "clark": ({"deconvolver": "clark"}, "memory"),
    "clarkstokes": ({"deconvolver": "clarkstokes"}, "memory"),
    "multiscale": ({"deconvolver": "multiscale", "scales": [0, 4]}, "memory"),
    "mtmfs": (TERMS, "memory"),
    "nsigma": ({"nsigma": 3.0}, "memory"),
    "automask": (NUMPY, "memory"),
    "automask-by-casa": ({**AUTO, "automaskengine": "casa"}, "casa"),
    "automask-nsigma": ({**NUMPY, "nsigma": 3.0}, "casa"),
}
RUNS = {
    "mfs": {**MFS, "cyclefactor": 2.0},
    "mtmfs": {**MFS, **TERMS, "scales": [0, 4], "cyclefactor": 2.0},
    "cube-clark": {**CUBE, "deconvolver": "clark", "nchan": 3, "start": "230.002GHz", "pbcor": True},
    "cube-automask": {**CUBE, **NUMPY, "vis": "noisy.ms", "niter": 300, "threshold": "0.1Jy", "pbcor": True},
    "cube-startmodel": {**CUBE, "nchan": 3, "start": "230.002GHz", "startmodel": "first.model", "niter": 60},
}
TOLERANCE = 1e-5  # of the peak: CASA's FFTs are in single precision


class MemoryRun(SerialRun):
    """CASA's gridder, with deconvolvers in memory."""

    def __init__(self, config: PcleanConfig) -> None:
        super().__init__(config)
        self.store = ImageStore()

    def _add_deconvolvers(self, parts: Parts) -> None:
        config = self._config
        for entry, name, decpars in zip(config.fields, self.imagenames, self._records.decpars, strict=True):
            deconvolver = make_deconvolver(name, mask_decpars(config, entry, decpars), self.store, in_memory=True)
            assert isinstance(deconvolver, MemoryDeconvolver)
            parts.deconvolvers.append(deconvolver)
            parts.masks.append(make_mask(config, entry, deconvolver, self.store))


@pytest.mark.parametrize(("asked", "kind"), KINDS.values(), ids=KINDS)
def test_kind_is_memory_where_it_can_do_what_is_asked(line_ms: Path, asked: dict[str, Any], kind: str) -> None:
    base = MFS if asked.get("deconvolver") == "mtmfs" else CUBE
    for engine, expected in (("ducc", kind), ("casa", "casa")):
        config = PcleanConfig.from_parameters(**{**base, "vis": str(line_ms), **asked, "engine": engine})
        assert is_in_memory(config, config.fields[0]) == (expected == "memory")


@pytest.mark.parametrize("parameters", RUNS.values(), ids=RUNS)
def test_run_with_deconvolver_in_memory_is_that_with_casa(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path], parameters: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    vis = str(dataset(parameters["vis"].removesuffix(".ms")))
    if "startmodel" in parameters:
        first = {key: value for key, value in parameters.items() if key != "startmodel"}
        run({**first, "vis": vis, "imagename": "first", "niter": 30}, in_memory=False)
    expected = run({**parameters, "vis": vis, "imagename": "theirs"}, in_memory=False)
    found = run({**parameters, "vis": vis, "imagename": "ours"}, in_memory=True)

    assert expected["iterdone"] > 30
    for key in ("iterdone", "nmajordone", "stopcode"):
        assert found[key] == expected[key]
    for suffix in sorted(path.name.removeprefix("theirs") for path in tmp_path.glob("theirs.*")):
        one, other = (read_image(tmp_path / f"{name}{suffix}") for name in ("theirs", "ours"))
        np.testing.assert_array_equal(one.good, other.good)
        scale = np.abs(one.pixels[one.good]).max()
        np.testing.assert_allclose(other.pixels[one.good], one.pixels[one.good], rtol=0, atol=TOLERANCE * scale)
        assert other.description["beams"] == one.description["beams"]


def run(parameters: dict[str, Any], *, in_memory: bool) -> dict[str, Any]:
    config = PcleanConfig.from_parameters(**parameters)
    run = MemoryRun(config) if in_memory else None
    with SerialImager(config, run=run) as imager:
        return imager.run()
