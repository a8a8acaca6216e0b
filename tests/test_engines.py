"""Which engine grids what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pcleantask import PcleanConfig, SerialImager
from pcleantask.errors import ParameterError

BASE = {"imagename": "x", "cell": "1arcsec", "imsize": 40}
BEYOND: list[tuple[dict[str, Any], str]] = [
    ({"gridder": "mosaic"}, "gridder='mosaic'"),
    ({"gridder": "awproject"}, "gridder='awproject'"),
    ({"gridder": "awp2"}, "gridder='awp2'"),
    ({"gridder": "imagemosaic"}, "gridder='imagemosaic'"),
    ({"specmode": "cubesource"}, "specmode='cubesource'"),
    ({"facets": 2}, "facets=2"),
    ({"stokes": "pseudoI"}, "stokes='pseudoI'"),
    ({"specmode": "cube", "interpolation": "cubic"}, "interpolation='cubic'"),
    ({"phasecenter": "TRACKFIELD"}, "phasecenter='TRACKFIELD'"),
    ({"phasecenter": "MARS"}, "phasecenter='MARS'"),
    ({"phasecenter": "uranus.tab"}, "phasecenter='uranus.tab'"),
]
WITHIN: list[dict[str, Any]] = [
    {},
    {"specmode": "cont"},
    {"deconvolver": "mtmfs", "nterms": 3},
    {"specmode": "cube"},
    {"specmode": "cubedata", "interpolation": "nearest"},
    {"interpolation": "cubic"},
    {"gridder": "wproject"},
    {"gridder": "widefield"},
    {"stokes": "IQUV"},
    {"stokes": "XX"},
    {"phasecenter": 0},
    {"phasecenter": "0"},
    {"phasecenter": "J2000 10h00m00.3s -25d00m03.0s"},
    {"weighting": "briggs", "uvtaper": ["1arcsec"]},
]


@pytest.fixture
def config(line_ms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """config(engine, changes): the configuration of a run on the line data."""
    monkeypatch.chdir(tmp_path)

    def made(engine: str, changes: dict[str, Any]) -> PcleanConfig:
        return PcleanConfig.from_parameters(**{**BASE, "vis": str(line_ms), "engine": engine, **changes})

    return made


@pytest.mark.parametrize(("changes", "words"), BEYOND)
def test_ducc_refuses_what_it_does_not_do_by_name_before_any_work(config, changes, words):
    with pytest.raises(ParameterError, match="engine='ducc' doesn't do ") as caught:
        config("ducc", changes)
    assert words in str(caught.value)
    assert "engine='casa'" in str(caught.value)
    assert not list(Path().iterdir())


@pytest.mark.parametrize("changes", [changes for changes, _ in BEYOND])
def test_auto_takes_casa_where_ducc_does_not_do_it(config, changes):
    assert config("auto", changes).engine == "casa"


@pytest.mark.parametrize("changes", WITHIN)
def test_auto_takes_ducc_where_it_can(config, changes):
    assert config("auto", changes).engine == "ducc"


def test_default_is_casa(config):
    assert PcleanConfig.from_parameters(**BASE, vis=config("casa", {}).selections[0].vis).engine == "casa"


@pytest.mark.parametrize(("changes", "engine"), [({}, "ducc"), ({"gridder": "mosaic"}, "casa")])
def test_auto_says_what_it_took(config, changes, engine):
    settings = {"datacolumn": "data", "specmode": "mfs", "restoration": False, **changes}
    with SerialImager(config("auto", settings)) as imager:
        assert imager.run()["engine"] == engine


def test_return_dictionary_of_casa_is_tcleans(config):
    with SerialImager(config("casa", {"datacolumn": "data", "restoration": False})) as imager:
        assert "engine" not in imager.run()
